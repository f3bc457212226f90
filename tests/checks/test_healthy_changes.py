"""Safe changes of a site, which pass the deployment checks."""

import os

import pytest
from support.changes import DJANGOS_USER, append, write

pytestmark = pytest.mark.slow

NOTE = """from django.db import models
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
{% static "admin/css/base.css" %}{% static 'blog/new.css' %}{% static "blog/" %}{% get_static_prefix %}
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
    write("application/models.py", NOTE)(site)
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
    """Add a GeneratedField, which Django 6.1 checks with a database query."""
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
        "form of the admin",
    ],
)
def test_safe_changes_pass(make_deployed, change):
    site = make_deployed()
    change(site)

    checked = site.run(site.python, "-c", "import bootstrap; bootstrap.run_checks()", env={})

    assert checked.returncode == 0, checked.out
