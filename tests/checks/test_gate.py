"""Each deployment check: a single unsafe change makes the Procfile's release command fail.

DJANGO has Django's checks that the design relies on, OURS those of the project itself.
"""

import re

import pytest
from support.changes import (
    DJANGOS_USER,
    UPLOAD,
    UPLOAD_MIGRATION,
    append,
    ids,
    remove,
    without,
    write,
)
from support.generated import CHECK_DEPLOY, release

pytestmark = pytest.mark.slow

BUCKET = """from django.core.files.storage import Storage


class Bucket(Storage):
    bucket_name = None
"""


def bucket_without_name(site):
    write("application/storage.py", BUCKET)(site)
    append('STORAGES["default"] = {"BACKEND": "application.storage.Bucket"}')(site)


DJANGO = {
    "security.W001": without("django.middleware.security.SecurityMiddleware"),
    "security.W002": without("django.middleware.clickjacking.XFrameOptionsMiddleware"),
    "security.W003": without("django.middleware.csrf.CsrfViewMiddleware"),
    "security.W004": append("SECURE_HSTS_SECONDS = 0"),
    "security.W005": append("SECURE_HSTS_INCLUDE_SUBDOMAINS = False"),
    "security.W006": append("SECURE_CONTENT_TYPE_NOSNIFF = False"),
    "security.W008": append("SECURE_SSL_REDIRECT = False"),
    "security.W009": append('SECRET_KEY = "short"'),
    "security.W012": append("SESSION_COOKIE_SECURE = False"),
    "security.W015": append("SESSION_COOKIE_HTTPONLY = False"),
    "security.W016": append("CSRF_COOKIE_SECURE = False"),
    "security.W018": append("DEBUG = True"),
    "security.W019": append('X_FRAME_OPTIONS = "SAMEORIGIN"'),
    "security.W020": append("ALLOWED_HOSTS = []"),
    "security.W021": append("SECURE_HSTS_PRELOAD = False"),
    "security.W022": append("SECURE_REFERRER_POLICY = None"),
    "mail.E001": append(
        'MAILERS["default"] = {"BACKEND": "django.core.mail.backends.dummy.EmailBackend"}'
    ),
}

# Django checks DEBUG, too. Our check adds the command that fixes it: two checks fail.
OURS = {
    "deploy.W001": append("DEBUG = True"),
    "deploy.E002": append('DATABASES["default"] = {"ENGINE": "django.db.backends.sqlite3", "NAME": "db"}'),
    "deploy.E003": append('ALLOWED_HOSTS = ["*"]'),
    "deploy.E004": append('ALLOWED_HOSTS = ["localhost"]'),
    "deploy.E005": append("SECURE_PROXY_SSL_HEADER = None"),
    "deploy.E006": without("whitenoise.middleware.WhiteNoiseMiddleware"),
    "deploy.E007": append(
        'STORAGES["staticfiles"] = {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"}'
    ),
    "deploy.E008": without("django.middleware.csp.ContentSecurityPolicyMiddleware"),
    "deploy.E009": append('LOGGING["root"]["handlers"].remove("console")'),
    "deploy.E010": remove("templates/403_csrf.html"),
    "deploy.E011": append('DATABASES["default"]["CONN_HEALTH_CHECKS"] = False'),
    "deploy.W012": append('CSRF_TRUSTED_ORIGINS = ["http://example.com"]'),
    "deploy.W013": append("SECURE_HSTS_SECONDS = 31536000"),
    "deploy.E014": write("identity/models.py", "\n    motto = __import__('django.db.models').db.models.TextField(default='')\n"),
    "deploy.E015": lambda site: (
        write("application/models.py", UPLOAD)(site),
        write("application/migrations/0001_initial.py", UPLOAD_MIGRATION)(site),
    ),
    "deploy.E016": append('SESSION_COOKIE_DOMAIN = "example.com"'),
    "deploy.E017": append('ROLLBAR["access_token"] = ""'),
    "deploy.E018": append('LOGGING["root"]["handlers"].remove("error_tracking")'),
    "deploy.E019": write("templates/404.html", "{% load static %}{% static 'blog/logo.png' %}"),
    "deploy.E020": write("application/views.py", DJANGOS_USER),
    "deploy.E021": bucket_without_name,
    "deploy.E022": append('os.environ["DYNO"] = "release.1"'),
    "deploy.E023": write(
        "project/urls.py",
        '\nurlpatterns.append(path("a/", include("django.contrib.auth.urls")))\n',
    ),
    "deploy.E025": write("templates/404.html", "{% url 'no-page' %}"),
    "deploy.E026": append('SECRET_KEY = "abcdefghij0123456789" * 3'),
    "deploy.E027": append('SECRET_KEY = "Zt5Qx8Lw2Nn7Rk3Hs9Vb4Jm6Gd1Fy0PcUeXaToIiWqKzEhMvBg"'),
    "deploy.E028": append("AXES_ENABLED = False"),
    "deploy.E029": append('PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]'),
    "deploy.E030": append("AUTH_PASSWORD_VALIDATORS = []"),
    "deploy.E031": append('SECURE_CSP["script-src"].append("https:")'),
    "deploy.E032": append("WHITENOISE_ROOT = BASE_DIR"),
    "deploy.E033": append('SESSION_COOKIE_SAMESITE = "None"'),
    "deploy.E034": lambda site: (
        write("debug_toolbar/__init__.py", "")(site),
        append('INSTALLED_APPS.append("debug_toolbar")')(site),
    ),
    "deploy.E035": append("CORS_ALLOW_ALL_ORIGINS = CORS_ALLOW_CREDENTIALS = True"),
    "deploy.E036": append('ROLLBAR["locals"]["enabled"] = True'),
    "deploy.E037": append('TEMPLATES[0]["OPTIONS"]["autoescape"] = False'),
    "deploy.E038": append("DATA_UPLOAD_MAX_MEMORY_SIZE = None"),
    "deploy.E039": append('MAILERS["default"] = {"BACKEND": "project.mail.ConsoleBackend"}'),
    "deploy.W024": append(
        'MAILERS["default"] = {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", '
        '"OPTIONS": {"host": "mail.example.com"}}'
    ),
}  # fmt: skip


@pytest.mark.parametrize("check", DJANGO)
def test_release_fails_on_django_check(make_deployed, check):
    site = make_deployed()
    DJANGO[check](site)

    failed = release(site, site.production(EMAIL_URL=""))

    assert failed.returncode == 1 and "Traceback" not in failed.out
    assert ids(failed) - {"deploy.W001"} == {check}


@pytest.mark.parametrize("check", OURS)
def test_release_fails_on_project_check_unless_silenced(make_deployed, check):
    site = make_deployed()
    OURS[check](site)

    failed = release(site, site.production(EMAIL_URL=""))

    assert failed.returncode == 1 and "Traceback" not in failed.out
    assert ids(failed) - {"security.W018"} == {check}
    assert "HINT: " in failed.stderr.partition(check)[2]

    append(f'SILENCED_SYSTEM_CHECKS = ["{check}", "security.W018"]')(site)
    silenced = site.run(site.python, *CHECK_DEPLOY, env=site.production(EMAIL_URL=""))
    assert silenced.returncode == 0, silenced.out


def test_check_for_a_missing_sentry_dsn_can_be_silenced(make_deployed):
    site = make_deployed("sentry")
    append('SILENCED_SYSTEM_CHECKS = ["deploy.E017"]')(site)

    checked = site.run(site.python, "manage.py", "check", "--deploy", "--fail-level", "WARNING",
                       env=site.production(SENTRY_DSN=""))  # fmt: skip

    assert checked.returncode == 0, checked.out


def test_project_checks_do_not_run_without_deploy(site):
    """runserver and migrate run `check` without --deploy."""
    assert site().manage("check").returncode == 0


def test_each_project_check_has_a_failing_change(site):
    for error_tracker in ("rollbar", "sentry"):
        project = site(error_tracker).path
        sources = [*project.glob("project/err*.py"), *project.glob("project/checks/*.py")]
        text = "".join(source.read_text() for source in sources)
        ids = set(re.findall(r'id="(deploy\.[EW]\d{3})"', text))

        assert ids <= set(OURS)
        if error_tracker == "rollbar":
            assert ids == set(OURS)
