"""The database, models, uploads, mail and the log."""

import logging
from importlib import import_module

from django.apps import apps
from django.conf import settings
from django.core.checks import Error, Warning, register
from django.core.files.storage import FileSystemStorage, default_storage
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.urls import get_resolver
from django.utils import translation

from project.checks import own_apps, own_modules
from project.checks.pages import url_names
from project.checks.security import LOCAL_HOSTS

# Pages that send mail: Django's own and allauth's.
MAIL_PAGES = {"password_reset", "account_signup", "account_reset_password"}


@register(deploy=True)
def check_database(app_configs, **kwargs):
    database = settings.DATABASES.get("default", {})
    engine = database.get("ENGINE", "").rpartition(".")[2]
    hint = "heroku addons:create heroku-postgresql:essential-0 sets DATABASE_URL."
    if engine in ("dummy", ""):
        yield Error("No database is configured.", hint, id="deploy.E002")
    if engine in ("sqlite3", "spatialite"):
        hint += " With a persistent disk, silence this."
        yield Error("The database is SQLite: a restart deletes it.", hint, id="deploy.E002")
    if database.get("CONN_MAX_AGE", 0) != 0 and not database.get("CONN_HEALTH_CHECKS"):
        message = "Database connections are kept without health checks: a restart breaks them."
        yield Error(message, "Set CONN_HEALTH_CHECKS to True in DATABASES.", id="deploy.E011")


@register(deploy=True)
def check_migrations(app_configs, **kwargs):
    try:
        with translation.override(None):  # migrations have untranslated names
            changed = apps_with_changes()
    except (LookupError, ValueError) as error:  # a migration that another one needs is missing
        changed = {str(error)}
    if changed:
        message = f"Models differ from their migrations: {', '.join(sorted(changed))}"
        yield Error(message, "python manage.py makemigrations NAME; commit all.", id="deploy.E014")


def apps_with_changes():
    """Return the labels of this project's apps whose migrations are not complete."""
    loader = MigrationLoader(None)  # reads no database
    autodetector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
    changed = autodetector.changes(loader.graph).keys() | loader.detect_conflicts().keys()
    # The autodetector skips apps with models and without a migrations folder.
    tables = {m._meta.app_label for m in apps.get_models() if m._meta.can_migrate("default")}
    return (changed | tables & loader.unmigrated_apps) & {app.label for app in own_apps()}


@register(deploy=True)
def check_users(app_configs, **kwargs):
    replaced = apps.get_model("auth", "User")
    if not replaced._meta.swapped:
        return
    import_module(settings.ROOT_URLCONF)  # and with it, views and forms
    for module in own_modules():
        classes = [it for it in vars(module).values() if isinstance(it, type)]
        for it in classes:
            # The model of a form, or the class itself.
            model = getattr(getattr(it, "_meta", None), "model", None)
            is_base = any(issubclass(other, it) and other is not it for other in classes)
            # The admin gives a form its own model.
            is_adapted = module.__name__.endswith(".admin") and it is not replaced
            if model is replaced and not is_base and not is_adapted:
                message = f"{module.__name__} uses {it.__name__}, not {settings.AUTH_USER_MODEL}."
                hint = "Use get_user_model() or identity.forms; in models.py, AUTH_USER_MODEL."
                yield Error(message, hint, id="deploy.E020")


@register(deploy=True)
def check_uploads(app_configs, **kwargs):
    models = [model for app in own_apps() for model in app.get_models()]
    fields = [field for model in models for field in model._meta.local_fields]
    lost = [str(it) for it in fields if isinstance(getattr(it, "storage", None), FileSystemStorage)]
    if lost:
        message = f"Uploads are on the server's disk, where restarts delete them: {', '.join(lost)}"
        hint = "See “take uploads” in README.md. With a persistent disk, silence this."
        yield Error(message, hint, id="deploy.E015")
    for option in ("bucket_name", "azure_container"):  # of django-storages
        if not getattr(default_storage, option, True):
            message = f"The storage of uploads has no {option}: every upload would fail."
            yield Error(message, 'Set it in the OPTIONS of STORAGES["default"].', id="deploy.E021")


@register(deploy=True)
def check_mail(app_configs, **kwargs):
    mailer = settings.MAILERS["default"]
    hint = "heroku config:set EMAIL_URL=smtp+tls://user:password@host:587"
    pages = {name.rpartition(":")[2] for name in url_names(get_resolver())} & MAIL_PAGES
    if mailer["BACKEND"] == "project.mail.UnsetBackend" and pages:
        message = f"EMAIL_URL is not set, but pages send mail: {', '.join(sorted(pages))}"
        yield Error(message, hint, id="deploy.E023")
    if mailer["BACKEND"] == "project.mail.ConsoleBackend":
        yield Error("EMAIL_URL is consolemail://, which sends no mail.", hint, id="deploy.E039")
    options = {"host": "localhost"} | mailer.get("OPTIONS", {})
    is_encrypted = options.get("use_tls") or options.get("use_ssl")
    if options["host"] not in LOCAL_HOSTS and not is_encrypted:
        message = "EMAIL_URL names a host without TLS: the password and mail are sent unencrypted."
        hint = "Replace smtp:// with smtp+tls:// (port 587) or smtp+ssl:// (port 465)."
        yield Warning(message, hint, id="deploy.W024")


@register(deploy=True)
def check_logging(app_configs, **kwargs):
    logger = logging.getLogger("django.request")
    record = logging.makeLogRecord({"name": logger.name, "levelno": logging.ERROR})
    is_logged = logger.isEnabledFor(logging.ERROR) and logger.filter(record)
    while is_logged and logger:
        for handler in logger.handlers:
            is_stream = isinstance(handler, logging.StreamHandler)
            on_console = is_stream and not isinstance(handler, logging.FileHandler)
            if on_console and handler.level <= logging.ERROR and handler.filter(record):
                return
        logger = logger.parent if logger.propagate else None
    message = "Errors are not logged to the console, which is the platform's log."
    hint = "In LOGGING, give root a StreamHandler, and let django.request propagate errors to it."
    yield Error(message, hint, id="deploy.E009")
