"""The site's settings, for production; .env has what differs in development."""

import os
import sys
from datetime import timedelta
from pathlib import Path

from django.utils.csp import CSP

from project import {% if cookiecutter.error_tracker != "none" %}error_tracking, {% endif %}logs
from project.environment import Env
from project.mail import mailer

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
# If the platform sets the variables, a stray .env is not read.
if "SECRET_KEY" not in os.environ:
    env.read_env(BASE_DIR / ".env")

SITE_NAME = {{ cookiecutter.__python_name }}

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "project",
    "identity",
    "application",
    # Yours go here.
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "axes",
]

# WhiteNoise comes below what sets headers, so that static files carry them, too.
MIDDLEWARE = [
    "project.middleware.crashes",
    "project.middleware.health",
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "project.middleware.security_headers",
    "project.middleware.body_limit",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "project.urls"
WSGI_APPLICATION = "project.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.csp",
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "project.context_processors.site_name",
            ],
        },
    },
]

database = env.db("DATABASE_URL")
options = {}
if database["ENGINE"].endswith(("postgresql", "postgis")):
    # Connections are kept for a minute, and tested before use.
    database = {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True} | database
    # In seconds and milliseconds: connecting takes at most 3; no response within 5 is an error.
    options = {"connect_timeout": 3, "sslmode": "require", "tcp_user_timeout": 5000}
    options |= {"keepalives_idle": 3, "keepalives_interval": 1, "keepalives_count": 2}
elif database["ENGINE"].endswith(("sqlite3", "spatialite")):
    # For threads: writers wait for each other, instead of failing at once.
    options = {"transaction_mode": "IMMEDIATE", "timeout": 20}
    options["init_command"] = "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL"
# An option in DATABASE_URL, such as ?sslmode=disable, wins over the one here.
DATABASES = {"default": database | {"OPTIONS": options | database.get("OPTIONS", {})}}

AUTH_USER_MODEL = "identity.User"
LOGIN_REDIRECT_URL = "/"
AUTHENTICATION_BACKENDS = ["identity.lockout.Backend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

# Login rate limiting, by name and address, and by address. Off in tests, which send no request.
AXES_ENABLED = "pytest" not in sys.modules and sys.argv[1:2] != ["test"]
AXES_FAILURE_LIMIT = 10
ADDRESS_FAILURE_LIMIT = 50
AXES_COOLOFF_TIME = timedelta(minutes=15)
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_HANDLER = "identity.lockout.Handler"
AXES_USERNAME_CALLABLE = "identity.lockout.username"
AXES_CLIENT_IP_CALLABLE = "identity.lockout.client_address"
AXES_LOCKOUT_TEMPLATE = "429.html"
AXES_DISABLE_ACCESS_LOG = True  # the handler keeps less
AXES_VERBOSE = False  # it would log names

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"

# Static files: collected, compressed and hashed in production; unchanged in development.
STATIC_URL = "static/"
STATICFILES_DIRS = [BASE_DIR / "static"]
STATIC_ROOT = BASE_DIR / "staticfiles"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = DEBUG
WHITENOISE_ALLOW_ALL_ORIGINS = False

# Uploads are stored on this disk, for development; README, "After the first deploy", has the rest.
MEDIA_URL = "media/"
MEDIA_ROOT = BASE_DIR / "media"

# A larger request, such as an upload, is answered with 413.
MAX_BODY_SIZE = 10 * 1024 * 1024

# Without EMAIL_URL, sending mail fails with an error that says so.
MAILERS = {"default": env("EMAIL_URL", mailer, {"BACKEND": "project.mail.UnsetBackend"})}
DEFAULT_FROM_EMAIL = env("DEFAULT_FROM_EMAIL", default="webmaster@localhost")
SERVER_EMAIL = env("SERVER_EMAIL", default=DEFAULT_FROM_EMAIL)

# The number of proxies in front, with the platform's router. 0: not known; then failed logins are
# not counted by address alone, which may be a proxy's.
PROXY_COUNT = env.int("PROXY_COUNT", default={{ cookiecutter.__proxy_count }})
# The header in which the last of them sends the client's address.
ADDRESS_HEADER = "HTTP_X_FORWARDED_FOR"

# https only. Heroku's router terminates TLS, and sets X-Forwarded-Proto.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# Not in runserver: browsers remember a redirect to https://localhost.
SECURE_SSL_REDIRECT = not DEBUG and "runserver" not in sys.argv
SESSION_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_NAME = "sessionid" if DEBUG else "__Host-sessionid"
CSRF_COOKIE_SECURE = not DEBUG

# What pages may load: files of this site. Add another host to the line that needs it, such as
# "https://cdn.example.com". Inline scripts and styles need a nonce: README.md.
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF, CSP.NONCE],
    "img-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "frame-src": [CSP.SELF],
    "media-src": [CSP.SELF],
    "manifest-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}
if DEBUG:
    SECURE_CSP["report-uri"] = ["/csp-report/"]  # to the terminal: project/views.py

# HSTS: for so many seconds, browsers use https only. Once the site works, make it 180 days:
# heroku config:set SECURE_HSTS_SECONDS=15552000
SECURE_HSTS_SECONDS = max(0, env.int("SECURE_HSTS_SECONDS", default={{ cookiecutter.__hsts_seconds }}))
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True

# Add a check that does not apply, with the reason above it.
SILENCED_SYSTEM_CHECKS = [{% if cookiecutter.hsts == "proxy" %}
    # The proxy in front of this site sends Strict-Transport-Security. PROXY_COUNT is to be set, too.
    "security.W004",
{% endif %}]

# To standard error, which the platform collects.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {
        "line": {
            "class": "project.logs.Formatter",
            # In production, the platform adds the time.
            "format": ("{asctime} " if DEBUG else "") + "{levelname} {name} {request_id}{message}",
            "datefmt": "%H:%M:%S",
            "style": "{",
        }
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    "loggers": {
        # Without Django's own handlers, one of which mails errors.
        "django": {"handlers": [], "propagate": True},
        # From bots that request the IP address.
        "django.security.DisallowedHost": {"level": "CRITICAL"},
        "django.server": {"filters": [logs.without_csp_reports]},
        "axes": {"level": "WARNING"},
    },
}

{% if cookiecutter.error_tracker == "rollbar" %}# Errors go to Rollbar, in production.
ENVIRONMENT = "review" if "HEROKU_PR_NUMBER" in os.environ else "production"
ROLLBAR = {
    "enabled": env.bool("ROLLBAR_ENABLED", default=not DEBUG),
    "access_token": env("ROLLBAR_ACCESS_TOKEN", default=""),
    "environment": env("ROLLBAR_ENVIRONMENT", default="development" if DEBUG else ENVIRONMENT),
    "branch": "main",
    "root": str(BASE_DIR),
    "code_version": os.environ.get("HEROKU_BUILD_COMMIT") or os.environ.get("HEROKU_SLUG_COMMIT"),
    "endpoint": env("ROLLBAR_ENDPOINT", error_tracking.endpoint, error_tracking.ENDPOINT),
    "timeout": 3,
    "handler": "thread",
    "locals": {"enabled": False},
    "log_payload_on_error": False,
    "allow_logging_basic_config": False,
    "patch_debugview": False,
}
LOGGING["handlers"]["error_tracking"] = {"class": "project.error_tracking.Handler"}
LOGGING["root"]["handlers"].append("error_tracking")
LOGGING["loggers"]["rollbar"] = {"level": "WARNING", "filters": [error_tracking.in_one_line]}
ERROR_TRACKING = error_tracking.status(ROLLBAR)
ERROR_TRACKING_FULL_TEXT = False  # True: with what exceptions quote, such as rows of the database
{% elif cookiecutter.error_tracker == "sentry" %}# Errors go to Sentry, if SENTRY_DSN is set.
ENVIRONMENT = "review" if "HEROKU_PR_NUMBER" in os.environ else "production"
SENTRY_ENABLED = env.bool("SENTRY_ENABLED", default=True)
SENTRY_DSN = env("SENTRY_DSN", cast=error_tracking.dsn, default="")
SENTRY_ENVIRONMENT = env("SENTRY_ENVIRONMENT", default="development" if DEBUG else ENVIRONMENT)
LOGGING["handlers"]["error_tracking"] = {"class": "project.error_tracking.Handler"}
LOGGING["root"]["handlers"].append("error_tracking")
ERROR_TRACKING_FULL_TEXT = False  # True: with what exceptions quote, such as rows of the database
ERROR_TRACKING = error_tracking.status(SENTRY_ENABLED, SENTRY_DSN, SENTRY_ENVIRONMENT)
{% else %}ERROR_TRACKING = "off: errors are in this log only"
{% endif %}
# Add your settings here, those with env() above the next line.

env.refuse_problems()
