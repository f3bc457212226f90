"""The gate has teeth: each weakness, alone, makes the Procfile's own release line refuse.

The first part are Django's checks that the design relies on, the second our own.
"""

import os
import re
import shutil

import pytest
from generated import CHECKLIST, release, run

pytestmark = pytest.mark.slow

SETTINGS = "project/settings.py"
WHITENOISE = "whitenoise.middleware.WhiteNoiseMiddleware"


def append(line):
    return lambda site: edit(site, SETTINGS, "", f"{line}\n")


def without(name):
    """Return what takes a line of the settings out, such as a middleware."""
    return lambda site: edit(site, SETTINGS, f'    "{name}",\n', "", needed=True)


def edit(site, file, old, new, needed=False):
    path = site.path / file
    path.parent.mkdir(exist_ok=True)
    text = path.read_text() if path.exists() else ""
    assert not needed or old in text
    path.write_text(text.replace(old, new) if old else text + new)


def remove(file):
    return lambda site: (site.path / file).unlink()


def write(file, text):
    return lambda site: edit(site, file, "", text)


def model_without_migrations(site):
    """As where somebody's .gitignore has migrations/ in it."""
    write("application/models.py", UPLOAD.replace("File", "Text"))(site)
    shutil.rmtree(site.path / "application" / "migrations")


FORM = """
from django.contrib.auth import forms
from django.contrib.auth.forms import BaseUserCreationForm

class SignUpForm({}):
    pass
"""
DJANGOS_USER = """
from django.contrib.auth.forms import UserCreationForm

def sign_up(request):
    return render(request, "application/home.html", {"form": UserCreationForm()})
"""
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

# Django asks for DEBUG itself: ours adds what to type, so this weakness has two ids.
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

UPLOAD = """from django.db import models


class Upload(models.Model):
    file = models.FileField()
"""
UPLOAD_MIGRATION = """from django.db import migrations, models

ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True
    operations = [migrations.CreateModel("Upload", [("id", ID), ("file", models.FileField(upload_to=""))])]
"""


def ids(refused):
    return set(re.findall(r"\(([\w.]+\.[EW]\d+)\)", refused.stderr))


@pytest.mark.parametrize("check", DJANGO)
def test_django_refuses(deployed, check):
    site = deployed()
    DJANGO[check](site)

    refused = release(site, site.production(EMAIL_URL=""))

    assert refused.returncode == 1 and "Traceback" not in refused.out
    assert ids(refused) - {"deploy.W001"} == {check}


@pytest.mark.parametrize("check", OURS)
def test_ours_refuse_and_can_be_silenced(deployed, check):
    site = deployed()
    OURS[check](site)

    refused = release(site, site.production(EMAIL_URL=""))

    assert refused.returncode == 1 and "Traceback" not in refused.out
    assert ids(refused) - {"security.W018"} == {check}
    assert "HINT: " in refused.stderr.partition(check)[2]

    append(f'SILENCED_SYSTEM_CHECKS = ["{check}", "security.W018"]')(site)
    silenced = site.run(site.python, *CHECKLIST, env=site.production(EMAIL_URL=""))
    assert silenced.returncode == 0, silenced.out


@pytest.mark.parametrize(
    ("check", "weakness"),
    [
        ("deploy.E002", append("DATABASES = {}")),
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
        "no database", "WhiteNoise first", "empty policy", "django keeps errors", "no logging",
        "level of a logger", "level of a handler", "no handler", "filter of a logger", "password reset in a namespace",
        "cookie with a path", "example of a token",
        "migration deleted", "model added", "no migrations folder", "CSRF cookie", "static file in another case", "user of another name",
        "form without a model", "form of a module",
    ],
)  # fmt: skip
def test_ours_refuse_other_ways_to_the_same_end(deployed, check, weakness):
    site = deployed()
    weakness(site)

    assert check in ids(release(site, site.production(EMAIL_URL="")))


ABSTRACT = """from django.db import models
from django.utils.translation import gettext_lazy as _


class Note(models.Model):
    text = models.TextField(_("content"), help_text=_("Required."))
"""
NOTE_MIGRATION = """from django.db import migrations, models

ID = models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    initial = True
    operations = [
        migrations.CreateModel(
            "Note", [("id", ID), ("text", models.TextField(verbose_name="content", help_text="Required."))]
        )
    ]
"""
STATIC = """{% load static %}{% static "site.css" %}{% static "favicon.svg#mark" %}{% static name %}
{% static "no-"|add:name %}{# {% static "no-1" %} #}{% comment %}{% static "no-2" %}{% endcomment %}
{% static "admin/css/base.css" %}{% static 'blog/new.css' %}{% get_static_prefix %}
{% url "no-page" as page %}{% url name %}{% url "admin:index" %}{% url "admin:identity_user_changelist" %}
"""
SIGN_UP = """
from django.contrib.auth.forms import UserChangeForm, UserCreationForm
from django.contrib.auth import get_user_model

class SignUpForm(UserCreationForm):
    class Meta(UserCreationForm.Meta):
        model = get_user_model()

class ChangeForm(UserChangeForm):
    class Meta:
        model = get_user_model()
        fields = "__all__"
"""


ADMIN_FORM = """
from django.contrib.auth.forms import UserCreationForm

class Admin(UserAdmin):
    add_form = UserCreationForm
"""


def german(site):
    append('LANGUAGE_CODE = "de"')(site)
    write("application/models.py", ABSTRACT)(site)
    write("application/migrations/0001_initial.py", NOTE_MIGRATION)(site)


def static_tags(site):
    write("templates/page.html", STATIC)(site)
    write("templates/broken.html", "{% no_such_tag %}")(site)
    (site.path / "application" / "static" / "blog").mkdir(parents=True)
    write("application/static/blog/new.css", "p { color: teal }")(site)


def own_user_model(site):
    append('AUTH_USER_MODEL = "auth.User"')(site)
    append('INSTALLED_APPS.remove("identity")')(site)
    write("application/views.py", DJANGOS_USER)(site)


GENERATED = """from django.db import models


class Box(models.Model):
    width = models.IntegerField()
    area = models.GeneratedField(
        expression=models.F("width") * models.F("width"),
        output_field=models.IntegerField(),
        db_persist=True,
    )
"""


def generated_field(site):
    """Django 6.1 asks the database about it."""
    write("application/models.py", GENERATED)(site)
    environment = {"PATH": os.environ["PATH"]} | site.production(DATABASE_URL="sqlite:///x")
    made = site.run(site.python, "manage.py", "makemigrations", "application", env=environment)
    assert made.returncode == 0, made.out


@pytest.mark.parametrize(
    "change",
    [
        german,
        static_tags,
        own_user_model,
        write("application/views.py", SIGN_UP),
        generated_field,
        write("identity/admin.py", ADMIN_FORM),
    ],
    ids=[
        "German",
        "static tags",
        "Django's user model",
        "forms with a model",
        "GeneratedField",
        "a form of the admin",
    ],
)
def test_healthy_changes_pass(deployed, change):
    site = deployed()
    change(site)

    checked = site.run(site.python, "-c", "import bootstrap; bootstrap.run_checks()", env={})

    assert checked.returncode == 0, checked.out


def test_a_migration_that_was_made_but_not_committed(site, copy_of, tmp_path):
    """Heroku gets what is committed: there, the migration is missing."""
    site = copy_of(site())
    append_motto = OURS["deploy.E014"]
    append_motto(site)
    git = ["git", "-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
    assert site.run(*git, "commit", "-qam", "A motto").returncode == 0
    made = site.run(site.python, "manage.py", "makemigrations", env=site.production())
    assert "0002" in made.stdout
    assert site.run(*git, "clone", "-q", ".", tmp_path / "clone").returncode == 0

    pushed = run([site.python, *CHECKLIST], tmp_path / "clone", site.production())

    assert ids(pushed) == {"deploy.E014"}
    assert site.run(site.python, *CHECKLIST, env=site.production()).returncode == 0


def test_a_sentry_that_has_no_dsn_can_be_silenced(deployed):
    site = deployed("sentry")
    append('SILENCED_SYSTEM_CHECKS = ["deploy.E017"]')(site)

    checked = site.run(site.python, "manage.py", "check", "--deploy", "--fail-level", "WARNING",
                       env=site.production(SENTRY_DSN=""))  # fmt: skip

    assert checked.returncode == 0, checked.out


def test_ours_do_not_trouble_the_days_work(site):
    """`check` without --deploy, which runserver and migrate run too, has none of them."""
    assert site().manage("check").returncode == 0


def test_all_of_ours_are_tried(site):
    for error_tracker in ("rollbar", "sentry"):
        project = site(error_tracker).path
        sources = [*project.glob("project/err*.py"), *project.glob("project/checks/*.py")]
        text = "".join(source.read_text() for source in sources)
        ids = set(re.findall(r'id="(deploy\.[EW]\d{3})"', text))

        assert ids <= set(OURS)
        if error_tracker == "rollbar":
            assert ids == set(OURS)
