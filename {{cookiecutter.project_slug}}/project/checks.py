"""Deployment checks for mistakes that break a site and that Django does not detect.

Only `check --deploy` runs them. To silence one, add its id to SILENCED_SYSTEM_CHECKS, with the
reason above it.
"""

import logging
import os
import sys
from importlib import import_module
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.staticfiles.finders import get_finders
from django.core.checks import Error, Warning, register
from django.core.files.storage import FileSystemStorage, default_storage
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import FileField
from django.template import TemplateDoesNotExist, TemplateSyntaxError, engines
from django.template.defaulttags import URLNode
from django.template.loader import get_template
from django.templatetags.static import StaticNode
from django.urls import URLPattern, get_resolver
from django.utils import translation
from django.utils.module_loading import import_string

from project.views import ERROR_PAGES

# In seconds. From here on, https://hstspreload.org takes the preload flag as consent.
ONE_YEAR = 31536000
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
SECURITY = "django.middleware.security.SecurityMiddleware"
CSP = "django.middleware.csp.ContentSecurityPolicyMiddleware"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
# Pages that send mail: Django's own and allauth's.
MAIL_PAGES = {"password_reset", "account_signup", "account_reset_password"}


def is_own(path):
    """Return whether a path belongs to this project, and not to an installed package."""
    path = Path(path)
    return settings.BASE_DIR in path.parents and "site-packages" not in path.parts


def own_apps():
    """Return the app configs that belong to this project."""
    return [app for app in apps.get_app_configs() if is_own(app.path)]


@register(deploy=True)
def check_debug(app_configs, **kwargs):
    if settings.DEBUG:
        yield Warning(
            "DEBUG is on: visitors would see code and settings.",
            "In production: heroku config:unset DEBUG. Locally, python bootstrap.py runs the checks.",
            id="deploy.W001",
        )


@register(deploy=True)
def check_database(app_configs, **kwargs):
    database = settings.DATABASES.get("default", {})
    engine = database.get("ENGINE", "").rpartition(".")[2]
    if engine in ("sqlite3", "dummy", ""):
        yield Error(
            f"The database is {'SQLite' if engine == 'sqlite3' else 'missing'}: a restart deletes it.",
            "heroku addons:create heroku-postgresql:essential-0 sets DATABASE_URL. Or silence it, with a persistent disk.",
            id="deploy.E002",
        )
    if database.get("CONN_MAX_AGE", 0) != 0 and not database.get("CONN_HEALTH_CHECKS"):
        yield Error(
            "Database connections are kept without health checks: a restart of it breaks them.",
            'Set "CONN_HEALTH_CHECKS": True beside CONN_MAX_AGE in DATABASES.',
            id="deploy.E011",
        )


@register(deploy=True)
def check_hosts(app_configs, **kwargs):
    hosts = set(settings.ALLOWED_HOSTS)
    if hosts & {"*", "."}:
        yield Error(
            "ALLOWED_HOSTS accepts every host name.",
            "heroku config:set ALLOWED_HOSTS=.herokuapp.com",
            id="deploy.E003",
        )
    if hosts and hosts <= LOCAL_HOSTS:
        yield Error(
            "ALLOWED_HOSTS has only local host names: every request would be rejected.",
            "heroku config:set ALLOWED_HOSTS=.herokuapp.com",
            id="deploy.E004",
        )
    insecure = [it for it in settings.CSRF_TRUSTED_ORIGINS if it.startswith("http://")]
    if insecure:
        yield Warning(
            f"CSRF_TRUSTED_ORIGINS trusts pages that are sent unencrypted: {', '.join(insecure)}",
            "heroku config:set CSRF_TRUSTED_ORIGINS=https://example.com",
            id="deploy.W012",
        )


@register(deploy=True)
def check_https(app_configs, **kwargs):
    if settings.SECURE_SSL_REDIRECT and not settings.SECURE_PROXY_SSL_HEADER:
        yield Error(
            "SECURE_PROXY_SSL_HEADER is not set: behind most proxies, that is a redirect loop.",
            'Set SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https").',
            id="deploy.E005",
        )
    if settings.SECURE_HSTS_PRELOAD and settings.SECURE_HSTS_SECONDS >= ONE_YEAR:
        yield Warning(
            "HSTS of a year with the preload flag lets anybody have the domain preloaded for good.",
            "heroku config:set SECURE_HSTS_SECONDS=15552000, or silence this check.",
            id="deploy.W013",
        )
    for kind in ("SESSION", "CSRF"):
        name, domain, path = (
            getattr(settings, f"{kind}_COOKIE_{part}") for part in ("NAME", "DOMAIN", "PATH")
        )
        if name.startswith("__Host-") and (domain or path != "/"):
            yield Error(
                f"Browsers reject the cookie {name} with a domain or a path: nobody could log in.",
                f"Remove {kind}_COOKIE_DOMAIN and {kind}_COOKIE_PATH, or __Host- from the name.",
                id="deploy.E016",
            )
    if CSP not in settings.MIDDLEWARE or not settings.SECURE_CSP:
        yield Error(
            "There is no content security policy: pages run any script that gets into them.",
            f"Put {CSP} into MIDDLEWARE and SECURE_CSP into the settings.",
            id="deploy.E008",
        )


@register(deploy=True)
def check_static_files(app_configs, **kwargs):
    order = [name for name in settings.MIDDLEWARE if name in (SECURITY, CSP, WHITENOISE)]
    if WHITENOISE not in order or order[-1] != WHITENOISE:
        yield Error(
            "WhiteNoise is missing or too early: static files lack, or lack the security headers.",
            f"In MIDDLEWARE, put {WHITENOISE} right below {CSP}.",
            id="deploy.E006",
        )
    storage = import_string(settings.STORAGES["staticfiles"]["BACKEND"])
    if not hasattr(storage, "hashed_name"):
        yield Error(
            "Static files have no hash in their names: browsers keep old files after a deploy.",
            'In STORAGES["staticfiles"], use whitenoise.storage.CompressedManifestStaticFilesStorage.',
            id="deploy.E007",
        )
    # Only where the site will run, such as Heroku's release phase, are they collected by now.
    elif "DYNO" in os.environ and not storage().hashed_files:
        yield Error(
            "Static files were not collected: every page would be a 500.",
            "heroku config:unset DISABLE_COLLECTSTATIC, then deploy again.",
            id="deploy.E022",
        )
    # What collectstatic finds, with exact names: macOS and Windows also open LOGO.png as logo.png.
    found = {
        Path(getattr(storage, "prefix", None) or "", path).as_posix()
        for finder in get_finders()
        for path, storage in finder.list(["CVS", ".*", "*~"])
    }
    for template, node in template_nodes(StaticNode):
        name = literal(node.path).partition("#")[0].partition("?")[0]
        if name and name not in found:
            yield Error(
                f"{template} links a static file that does not exist, and is a 500: {name}",
                "Put the file into static/, or remove the static tag.",
                id="deploy.E019",
            )


def template_nodes(kind):
    """Yield the path of each template of this project with each of its nodes of a kind."""
    folders = [Path(folder) for engine in settings.TEMPLATES for folder in engine["DIRS"]]
    folders += [Path(app.path) / "templates" for app in own_apps()]
    for file in sorted(path for folder in folders for path in folder.rglob("*.*")):
        try:
            template = engines["django"].from_string(file.read_text(encoding="utf-8")).template
        except (TemplateSyntaxError, UnicodeDecodeError, OSError):  # a folder, or not a template
            continue
        for node in template.nodelist.get_nodes_by_type(kind):
            yield file.relative_to(settings.BASE_DIR), node


def literal(expression):
    """Return the text of an expression in a template that is only that, else an empty string."""
    is_text = isinstance(expression.var, str) and not expression.filters
    return expression.var if is_text else ""


def url_names(resolver, prefix=""):
    """Yield the names of all URL patterns, such as admin:index."""
    for pattern in resolver.url_patterns:
        if isinstance(pattern, URLPattern):
            yield f"{prefix}{pattern.name}"
            continue
        for namespace in {pattern.namespace, pattern.app_name}:
            yield from url_names(pattern, f"{prefix}{namespace}:" if namespace else prefix)


@register(deploy=True)
def check_logging(app_configs, **kwargs):
    record = logging.makeLogRecord({"name": "django.request", "levelno": logging.ERROR})
    logger = logging.getLogger("django.request")
    is_logged = logger.isEnabledFor(logging.ERROR) and logger.filter(record)
    while is_logged and logger:
        for handler in logger.handlers:
            is_stream = isinstance(handler, logging.StreamHandler)
            on_console = is_stream and not isinstance(handler, logging.FileHandler)
            if on_console and handler.level <= logging.ERROR and handler.filter(record):
                return
        logger = logger.parent if logger.propagate else None
    yield Error(
        "Errors are not logged to the console, which is the platform's log.",
        "In LOGGING, give root a StreamHandler, and let django.request propagate errors to it.",
        id="deploy.E009",
    )


@register(deploy=True)
def check_pages(app_configs, **kwargs):
    for name in ERROR_PAGES:
        try:
            get_template(f"{name}.html")
        except TemplateDoesNotExist:
            yield Error(
                f"The error page {name}.html is missing.",
                "Put it into templates/.",
                id="deploy.E010",
            )
    names = set(url_names(get_resolver()))
    for template, node in template_nodes(URLNode):
        name = literal(node.view_name)
        if name and not node.asvar and name not in names:
            yield Error(
                f"{template} links a URL name that does not exist, and is a 500: {name}",
                "Add its path() to project/urls.py, or correct the name.",
                id="deploy.E025",
            )


@register(deploy=True)
def check_mail(app_configs, **kwargs):
    mailer = settings.MAILERS["default"]
    pages = {name.rpartition(":")[2] for name in url_names(get_resolver())} & MAIL_PAGES
    if mailer["BACKEND"] == "project.mail.UnsetBackend" and pages:
        yield Error(
            f"EMAIL_URL is not set, but pages send mail: {', '.join(sorted(pages))}",
            "heroku config:set EMAIL_URL=smtp+tls://user:password@host:587",
            id="deploy.E023",
        )
    options = mailer.get("OPTIONS", {})
    is_encrypted = options.get("use_tls") or options.get("use_ssl")
    if options.get("host", "localhost") not in LOCAL_HOSTS and not is_encrypted:
        yield Warning(
            "EMAIL_URL names a host without TLS: the password and the mail are sent unencrypted.",
            "Write smtp+tls:// (port 587) or smtp+ssl:// (port 465) for smtp://.",
            id="deploy.W024",
        )


@register(deploy=True)
def check_migrations(app_configs, **kwargs):
    try:
        with translation.override(None):  # migrations have untranslated names
            changed = apps_with_changes()
    except (LookupError, ValueError) as error:  # a migration that another one needs is missing
        changed = {str(error)}
    if changed:
        yield Error(
            f"Models differ from their migrations: {', '.join(sorted(changed))}",
            "python manage.py makemigrations NAME, then commit the new file.",
            id="deploy.E014",
        )


def apps_with_changes():
    """Return the labels of this project's apps whose migrations are not complete."""
    loader = MigrationLoader(None)  # reads no database
    autodetector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
    changed = autodetector.changes(loader.graph).keys() | loader.detect_conflicts().keys()
    # The autodetector passes over apps with models and without a migrations folder.
    tables = {m._meta.app_label for m in apps.get_models() if m._meta.can_migrate("default")}
    return (changed | tables & loader.unmigrated_apps) & {app.label for app in own_apps()}


@register(deploy=True)
def check_uploads(app_configs, **kwargs):
    models = [model for app in own_apps() for model in app.get_models()]
    fields = [field for model in models for field in model._meta.local_fields]
    files = [field for field in fields if isinstance(field, FileField)]
    lost = [str(field) for field in files if isinstance(field.storage, FileSystemStorage)]
    if lost:
        yield Error(
            f"Uploads are stored on the server's disk, where restarts delete them: {', '.join(lost)}",
            "Use object storage: README.md, “take uploads”. With a persistent disk, silence this.",
            id="deploy.E015",
        )
    for option in ("bucket_name", "azure_container"):  # of django-storages
        if not getattr(default_storage, option, True):
            yield Error(
                f"The storage of uploads has no {option}: every upload would fail.",
                f'Set "{option}" in the OPTIONS of STORAGES["default"].',
                id="deploy.E021",
            )


@register(deploy=True)
def check_users(app_configs, **kwargs):
    replaced = apps.get_model("auth", "User")
    if not replaced._meta.swapped:
        return
    import_module(settings.ROOT_URLCONF)  # and with it, views and forms
    modules = [it for it in sys.modules.values() if is_own(getattr(it, "__file__", None) or "/")]
    for module in modules:
        classes = [it for it in vars(module).values() if isinstance(it, type)]
        for it in classes:
            # The model of a form, or the class itself.
            model = getattr(getattr(it, "_meta", None), "model", it)
            is_base = any(issubclass(other, it) and other is not it for other in classes)
            # The admin gives a form its own model.
            is_adapted = module.__name__.endswith(".admin") and it is not replaced
            if model is replaced and not is_base and not is_adapted:
                yield Error(
                    f"{module.__name__} uses {it.__name__}, but users are {settings.AUTH_USER_MODEL}.",
                    "Write get_user_model(), in models.py settings.AUTH_USER_MODEL; see identity.forms.",
                    id="deploy.E020",
                )
