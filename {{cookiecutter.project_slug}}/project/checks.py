"""What Django's deployment checklist misses and a live site dies of: run by `check --deploy` alone.

README.md has them as a table. A check that something else takes care of is silenced by its id, in
SILENCED_SYSTEM_CHECKS.
"""

import logging

from django.apps import apps
from django.conf import settings
from django.core.checks import Error, Warning, register
from django.core.files.storage import FileSystemStorage
from django.db.migrations.autodetector import MigrationAutodetector
from django.db.migrations.loader import MigrationLoader
from django.db.migrations.state import ProjectState
from django.db.models import FileField
from django.template import TemplateDoesNotExist
from django.template.loader import get_template
from django.utils.module_loading import import_string

from project.views import ERROR_PAGES

# In seconds. From here on, https://hstspreload.org takes the preload flag at its word.
ONE_YEAR = 31536000
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
SECURITY = "django.middleware.security.SecurityMiddleware"
CSP = "django.middleware.csp.ContentSecurityPolicyMiddleware"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"


def deploy_check(number, hint):
    """Register a function for `check --deploy`: what it returns, unless false, is wrong.

    Its docstring is what to say then; E or W in front of the number makes it an error or a warning.
    """

    def decorate(is_wrong):
        def check(app_configs, **kwargs):
            wrong = is_wrong()
            kind = Error if number.startswith("E") else Warning
            message = " ".join(is_wrong.__doc__.split()).format(wrong)
            return [kind(message, hint=hint, id=f"deploy.{number}")] if wrong else []

        register(check, deploy=True)
        return is_wrong

    return decorate


def own_apps():
    """Return the apps that stand in this project's folder, not those of installed packages."""
    return [app for app in apps.get_app_configs() if "site-packages" not in app.path]


@deploy_check("W001", "Live: heroku config:unset DEBUG. To check it at home: python bootstrap.py")
def development():
    """This is the site as it runs at home, with DEBUG on."""
    return settings.DEBUG


@deploy_check(
    "E002",
    "heroku addons:create heroku-postgresql:essential-0 sets DATABASE_URL. "
    "On a server whose disk stays, silence this check.",
)
def lost_database():
    """The database is {}: with each restart of the server, all data is gone."""
    engine = settings.DATABASES.get("default", {}).get("ENGINE", "")
    return {"sqlite3": "SQLite", "dummy": "missing", "": "missing"}.get(engine.rpartition(".")[2])


@deploy_check("E003", "heroku config:set ALLOWED_HOSTS=.herokuapp.com")
def any_host():
    """ALLOWED_HOSTS lets anybody in by any name: {}"""
    return ", ".join({"*", "."} & set(settings.ALLOWED_HOSTS))


@deploy_check("E004", "heroku config:set ALLOWED_HOSTS=.herokuapp.com")
def only_local_hosts():
    """ALLOWED_HOSTS has this computer's own names only: every visitor would be refused."""
    return settings.ALLOWED_HOSTS and set(settings.ALLOWED_HOSTS) <= LOCAL_HOSTS


@deploy_check(
    "E005",
    'Put SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") back into the settings.',
)
def redirect_loop():
    """http is sent to https, but nothing tells them apart: visitors would go in a circle."""
    return settings.SECURE_SSL_REDIRECT and not settings.SECURE_PROXY_SSL_HEADER


@deploy_check("E006", f"In MIDDLEWARE, put {WHITENOISE} right below {CSP}.")
def whitenoise():
    """WhiteNoise is missing or too high up: no static files, or none with the security headers."""
    order = [name for name in settings.MIDDLEWARE if name in (SECURITY, CSP, WHITENOISE)]
    return WHITENOISE not in order or order[-1] != WHITENOISE


@deploy_check(
    "E007",
    'In STORAGES["staticfiles"], use whitenoise.storage.CompressedManifestStaticFilesStorage.',
)
def unhashed_static_files():
    """Static files have no hash in their names: browsers would keep the old ones after a deploy."""
    backend = import_string(settings.STORAGES["staticfiles"]["BACKEND"])
    return not hasattr(backend, "hashed_name")


@deploy_check("E008", f"Put {CSP} into MIDDLEWARE and SECURE_CSP into the settings.")
def no_csp():
    """There is no content security policy: a script that gets into a page may do what it likes."""
    return CSP not in settings.MIDDLEWARE or not settings.SECURE_CSP


@deploy_check("E009", "In LOGGING, give root a StreamHandler, and have django propagate to it.")
def silent_errors():
    """Nothing writes errors to the console, which is the platform's log."""
    record = logging.makeLogRecord({"name": "django.request", "levelno": logging.ERROR})
    logger = logging.getLogger("django.request")
    while logger:
        for handler in logger.handlers:
            is_stream = isinstance(handler, logging.StreamHandler)
            on_console = is_stream and not isinstance(handler, logging.FileHandler)
            if on_console and handler.level <= logging.ERROR and handler.filter(record):
                return False
        logger = logger.parent if logger.propagate else None
    return True


@deploy_check("E010", "Put it into templates/.")
def missing_error_pages():
    """There is no page for: {}"""
    missing = []
    for name in ERROR_PAGES:
        try:
            get_template(f"{name}.html")
        except TemplateDoesNotExist:
            missing.append(name)
    return ", ".join(missing)


@deploy_check("E011", 'Set "CONN_HEALTH_CHECKS": True beside CONN_MAX_AGE in DATABASES.')
def stale_connections():
    """Database connections are kept, but not tried before use: errors once it has restarted."""
    database = settings.DATABASES.get("default", {})
    return database.get("CONN_MAX_AGE", 0) != 0 and not database.get("CONN_HEALTH_CHECKS")


@deploy_check("W012", "heroku config:set CSRF_TRUSTED_ORIGINS=https://example.com")
def plain_http_origins():
    """CSRF_TRUSTED_ORIGINS trusts pages that anybody on the way can change: {}"""
    return ", ".join(o for o in settings.CSRF_TRUSTED_ORIGINS if o.startswith("http://"))


@deploy_check(
    "W013",
    "heroku config:set SECURE_HSTS_SECONDS=15552000, or silence this check if that is what you want.",
)
def preloadable():
    """With a year or more of HSTS and its preload flag, anybody may put the domain on the list
    that browsers are shipped with, from which it takes months to get off.
    """
    return settings.SECURE_HSTS_PRELOAD and settings.SECURE_HSTS_SECONDS >= ONE_YEAR


@deploy_check("E014", "python manage.py makemigrations NAME, and commit what it makes.")
def missing_migrations():
    """Models differ from the migrations that are here: {}"""
    try:
        loader = MigrationLoader(None)  # no database is asked
    except (LookupError, ValueError) as error:  # a migration needs one that is not here
        return error
    autodetector = MigrationAutodetector(loader.project_state(), ProjectState.from_apps(apps))
    changed = autodetector.changes(loader.graph).keys() | loader.detect_conflicts().keys()
    # What has tables and no migrations folder, which the autodetector passes over.
    tables = {m._meta.app_label for m in apps.get_models() if m._meta.can_migrate("default")}
    changed |= tables & loader.unmigrated_apps
    return ", ".join(sorted(changed & {app.label for app in own_apps()}))


@deploy_check(
    "E015",
    "Keep them elsewhere (README, “take uploads”). On a server whose disk stays, silence this check.",
)
def lost_uploads():
    """Uploads go to the server's own disk, which is emptied with each restart: {}"""
    return ", ".join(
        str(field)
        for app in own_apps()
        for model in app.get_models()
        for field in model._meta.local_fields
        if isinstance(field, FileField) and isinstance(field.storage, FileSystemStorage)
    )


@deploy_check(
    "E016",
    "Take SESSION_COOKIE_DOMAIN and CSRF_COOKIE_DOMAIN out of the settings, or __Host- out of the name.",
)
def refused_cookies():
    """Browsers refuse a cookie called __Host-… that has a domain: nobody could log in."""
    cookies = [
        (settings.SESSION_COOKIE_NAME, settings.SESSION_COOKIE_DOMAIN),
        (settings.CSRF_COOKIE_NAME, settings.CSRF_COOKIE_DOMAIN),
    ]
    return any(name.startswith("__Host-") and domain for name, domain in cookies)
