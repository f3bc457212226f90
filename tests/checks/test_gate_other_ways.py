"""More unsafe changes that the deployment checks detect, beyond those of test_gate.py."""

import shutil

import pytest
from support.changes import UPLOAD, append, ids, remove, write
from support.generated import CHECK_DEPLOY, release, run

pytestmark = pytest.mark.slow

WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"
FORM = """
from django.contrib.auth import forms
from django.contrib.auth.forms import BaseUserCreationForm

class SignUpForm({}):
    pass
"""


def model_without_migrations(site):
    """Add a model without its migrations folder, as if .gitignore listed that."""
    write("application/models.py", UPLOAD.replace("File", "Text"))(site)
    shutil.rmtree(site.path / "application" / "migrations")


def spatialite(site):
    """A backend of that name: the real one needs libraries that few machines have."""
    backend = "from django.db.backends.sqlite3.base import DatabaseWrapper"
    write("application/spatialite/base.py", f"{backend}\n")(site)
    append('DATABASES["default"] = {"ENGINE": "application.spatialite", "NAME": "db"}')(site)


def move_whitenoise_up(site):
    """Above the middleware that sets the site's own security headers, and below Django's."""
    append(
        f'MIDDLEWARE.remove("{WHITENOISE}")\n'
        f'MIDDLEWARE.insert(MIDDLEWARE.index("project.middleware.security_headers"), "{WHITENOISE}")'
    )(site)


@pytest.mark.parametrize(
    ("check", "change"),
    [
        ("deploy.E002", append("DATABASES = {}")),
        ("deploy.E002", spatialite),
        ("deploy.E006", move_whitenoise_up),
        ("deploy.E010", write("templates/404.html", "{% no_such_tag %}")),
        ("deploy.E006", append(f'MIDDLEWARE.remove("{WHITENOISE}"); MIDDLEWARE.insert(0, "{WHITENOISE}")')),
        ("deploy.E008", append("SECURE_CSP = {}")),
        ("deploy.E009", append('LOGGING["loggers"]["django"]["propagate"] = False')),
        ("deploy.E009", append("LOGGING = {'version': 1}")),
        ("deploy.E009", append('LOGGING["loggers"]["django.request"] = {"level": "CRITICAL"}')),
        ("deploy.E009", append('LOGGING["handlers"]["console"]["level"] = "CRITICAL"')),
        ("deploy.E009", append('LOGGING["root"]["handlers"] = ["console"] if DEBUG else []')),
        (
            "deploy.E009",
            append(
                'LOGGING["filters"] = {"debug": {"()": "django.utils.log.RequireDebugTrue"}}\n'
                'LOGGING["loggers"]["django.request"] = {"filters": ["debug"]}'
            ),
        ),
        (
            "deploy.E023",
            write(
                "project/urls.py",
                '\nmail = include(([path("r/", boom, name="password_reset")], "a"), namespace="b")'
                '\nurlpatterns.append(path("a/", mail))\n'.replace("boom", "views.boom"),
            ),
        ),
        ("deploy.E016", append('SESSION_COOKIE_PATH = "/app/"')),
        ("deploy.E017", append('ROLLBAR["access_token"] = "your-token"')),
        ("deploy.E014", remove("identity/migrations/0001_initial.py")),
        ("deploy.E014", write("application/models.py", UPLOAD.replace("File", "Text"))),
        ("deploy.E014", model_without_migrations),
        (
            "deploy.E016",
            append('CSRF_COOKIE_NAME, CSRF_COOKIE_DOMAIN = "__Host-csrf", "example.com"'),
        ),
        (
            "deploy.E019",
            write(
                "application/templates/application/home.html",
                "{% load static %}{% if x %}{% for y in z %}{% static \"Site.css\" as s %}{% endfor %}{% endif %}",
            ),
        ),
        (
            "deploy.E020",
            write("application/urls.py", "from django.contrib.auth.models import User as Person\n"),
        ),
        ("deploy.E020", write("application/views.py", FORM.format("BaseUserCreationForm"))),
        ("deploy.E020", write("application/views.py", FORM.format("forms.AdminUserCreationForm"))),
    ],
    ids=[
        "no database", "spatialite", "WhiteNoise above our headers",
        "syntax error in an error page", "WhiteNoise first", "empty policy", "django does not propagate",
        "no logging", "logger level", "handler level", "no handler", "logger filter",
        "password reset in a namespace",
        "cookie with a path", "example token",
        "migration deleted", "model added", "no migrations folder", "CSRF cookie",
        "static file in another case", "imported under another name",
        "form without a model", "form from a module",
    ],
)  # fmt: skip
def test_check_detects_other_unsafe_changes(make_deployed, check, change):
    site = make_deployed()
    change(site)

    assert check in ids(release(site, site.production(EMAIL_URL="")))


def test_check_detects_a_migration_that_is_not_committed(site, make_copy, tmp_path):
    """Heroku receives only committed files, so the migration is missing there."""
    site = make_copy(site())
    write("application/models.py", UPLOAD.replace("File", "Text"))(site)
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    assert site.run("git", "add", "--all").returncode == 0
    assert site.run(*git, "commit", "-qam", "A model").returncode == 0
    made = site.run(site.python, "manage.py", "makemigrations", env=site.production())
    assert "0001_initial.py" in made.stdout
    assert site.run(*git, "clone", "-q", ".", tmp_path / "clone").returncode == 0

    pushed = run([site.python, *CHECK_DEPLOY], tmp_path / "clone", site.production())

    assert ids(pushed) == {"deploy.E014"}
    assert site.run(site.python, *CHECK_DEPLOY, env=site.production()).returncode == 0
