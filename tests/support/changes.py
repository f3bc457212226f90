"""Changes that the owner of a site makes, correct or broken."""

import re

SETTINGS = "project/settings.py"


def append(line):
    """Return a function that appends a line to the settings."""
    return lambda site: edit(site, SETTINGS, "", f"{line}\n")


def without(name):
    """Return a function that removes an item from a list in the settings."""
    return lambda site: edit(site, SETTINGS, f'    "{name}",\n', "", needed=True)


def edit(site, file, old, new, needed=False):
    """Replace `old`, or append `new` if `old` is empty; if `needed`, `old` must be in the file."""
    path = site.path / file
    path.parent.mkdir(exist_ok=True)
    text = path.read_text() if path.exists() else ""
    assert not needed or old in text
    path.write_text(text.replace(old, new) if old else text + new)


def remove(file):
    return lambda site: (site.path / file).unlink()


def write(file, text):
    return lambda site: edit(site, file, "", text)


DJANGOS_USER = """
from django.contrib.auth.forms import UserCreationForm

def sign_up(request):
    return render(request, "application/home.html", {"form": UserCreationForm()})
"""
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


def ids(failed):
    """Return the ids of the checks that failed in a Run."""
    return set(re.findall(r"\(([\w.]+\.[EW]\d+)\)", failed.stderr))
