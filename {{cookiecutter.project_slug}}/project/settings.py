"""The site's settings. Production is the default; what differs at home stands in .env."""

import os
from pathlib import Path

from django.utils.csp import CSP

from project.environment import Env

BASE_DIR = Path(__file__).resolve().parent.parent

env = Env()
# The environment or .env, never a mixture: where the platform sets the variables, a stray .env
# adds nothing to them.
if "SECRET_KEY" not in os.environ:
    env.read_env(BASE_DIR / ".env")

SITE_NAME = {{ cookiecutter.__python_name }}

DEBUG = env.bool("DEBUG", default=False)
SECRET_KEY = env("SECRET_KEY")
ALLOWED_HOSTS = env.hosts("ALLOWED_HOSTS")
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

INSTALLED_APPS = [
    "project",
    "accounts",
    "application",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

# WhiteNoise comes third, so that static files carry the headers of the two above it.
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
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
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "project.context_processors.site_name",
            ],
        },
    },
]

DATABASES = {"default": env.db("DATABASE_URL")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # Connections are kept for a minute and tried before use: no error after the database restarts.
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}
    # A database that does not answer is given up after 3 seconds. ?sslmode=disable in
    # DATABASE_URL is for a Postgres without TLS, as in CI.
    DATABASES["default"]["OPTIONS"] = {
        "connect_timeout": 3,
        "sslmode": "require",
    } | DATABASES["default"].get("OPTIONS", {})

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator"},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]

LANGUAGE_CODE = "en-us"
TIME_ZONE = "UTC"
USE_I18N = True
USE_TZ = True

# Static files: collected, compressed and hashed in production; straight from the apps at home.
STATIC_URL = "static/"
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

# Uploads stay on this disk, which suits a laptop; README, "After the first day", has the rest.
MEDIA_URL = "media/"
MEDIA_ROOT = BASE_DIR / "media"

MAILERS = {"default": env.mailer("EMAIL_URL")}

# Security: https only, and cookies that travel by it alone. Heroku's router ends TLS and says so
# in X-Forwarded-Proto, which nobody else can set there.
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SECURE_SSL_REDIRECT = not DEBUG
SESSION_COOKIE_SECURE = not DEBUG
SESSION_COOKIE_NAME = "sessionid" if DEBUG else "__Host-sessionid"
CSRF_COOKIE_SECURE = not DEBUG
X_FRAME_OPTIONS = "DENY"
SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}

# HSTS: for so many seconds, browsers come by https only. When the site is known to be right, 180
# days: heroku config:set SECURE_HSTS_SECONDS=15552000
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default={{ cookiecutter.__hsts_seconds }})
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True

# A check that something else takes care of goes here, with its reason above it.
SILENCED_SYSTEM_CHECKS = [{% if cookiecutter.hsts == "proxy" %}
    # The proxy in front of this site sends Strict-Transport-Security.
    "security.W004",
{% endif %}]

# One place for everything: standard error, where the platform collects it.
LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "{levelname} {name}: {message}", "style": "{"}},
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": "INFO"},
    # Without Django's own handlers, one of which would mail each error, it reaches root just once.
    "loggers": {"django": {"handlers": [], "propagate": True}},
}
{%- if cookiecutter.error_tracker == "rollbar" %}

# Errors go to Rollbar: on in production. What a visitor sent and what variables held stays here.
MIDDLEWARE.append("rollbar.contrib.django.middleware.RollbarNotifierMiddleware")
ROLLBAR = {
    "enabled": env.bool("ROLLBAR_ENABLED", default=not DEBUG),
    "access_token": env("ROLLBAR_ACCESS_TOKEN", default=""),
    "environment": env("ROLLBAR_ENVIRONMENT", default="development" if DEBUG else "production"),
    "branch": "main",
    "root": str(BASE_DIR),
    "code_version": os.environ.get("HEROKU_BUILD_COMMIT") or os.environ.get("HEROKU_SLUG_COMMIT"),
    # Heroku's add-on sets the address of an item, which goes on after /api/1/.
    "endpoint": env("ROLLBAR_ENDPOINT", default="https://api.rollbar.com").partition("/api/1")[0]
    + "/api/1/",
    "timeout": 3,
    "locals": {"enabled": False},
    "capture_ip": "anonymize",
    "log_payload_on_error": False,
    "allow_logging_basic_config": False,
}
{%- elif cookiecutter.error_tracker == "sentry" %}

# Errors go to Sentry, where SENTRY_DSN is set. What a visitor sent and what variables held
# stays here.
SENTRY_DSN = env("SENTRY_DSN", default="")
SENTRY_ENVIRONMENT = env("SENTRY_ENVIRONMENT", default="development" if DEBUG else "production")
if SENTRY_DSN:
    import sentry_sdk

    sentry_sdk.init(
        dsn=SENTRY_DSN,
        environment=SENTRY_ENVIRONMENT,
        release=os.environ.get("HEROKU_BUILD_COMMIT") or os.environ.get("HEROKU_SLUG_COMMIT"),
        data_collection={
            "user_info": False,
            "cookies": {"mode": "off"},
            "http_bodies": [],
            "url_query_params": {"mode": "off"},
            "http_headers": {
                "request": {"mode": "allowlist", "terms": ["host", "user-agent", "x-request-id"]}
            },
            "stack_frame_variables": False,
            "database_query_data": False,
            "queues": False,
        },
    )
{%- endif %}

env.refuse_problems()
