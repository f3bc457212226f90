"""An app moves in from a site of its own, by the very steps of the README: tests/blog, of 2022."""

import os
import re
import shutil
from glob import glob
from pathlib import Path

import pytest
from generated import BIN, QUICK_STATIC_FILES, ROOT, run
from heroku import build
from live import PASSWORD, Person
from router import https

pytestmark = pytest.mark.slow

BLOG = Path(__file__).with_name("blog")
COMMANDS = ("cp ", "python ", "pytest", "git ", "DATABASE_URL=")
PLACES = {
    "its templates": "blog/templates/**/*.html",
    "the other files of `blog/`": "blog/**/*.py",
}
# What the owner of the old site has changed in its settings.
OLD_SETTINGS = """
INSTALLED_APPS.append("blog")
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
LOGIN_REDIRECT_URL = "/blog/"
"""
OLD_URLS = """
from django.urls import include
urlpatterns += [path("blog/", include("blog.urls")), path("accounts/", include("django.contrib.auth.urls"))]
"""
OLD_BASE = "<title>{% block title %}{% endblock %}</title>\n{% block content %}{% endblock %}\n"
LOGIN = """{% extends "base.html" %}
{% block content %}<form method="post">{% csrf_token %}{{ form }}<button>Log in</button></form>{% endblock %}
"""
# Two who write, one who has left, so that numbers are missing; and what Grace may do.
WRITE = f"""
from django.contrib.auth.models import Group, Permission, User
from blog.models import Post
ada = User.objects.create_superuser("ada", password="{PASSWORD}")
leaver = User.objects.create_user("leaver")
grace = User.objects.create_user("grace", password="{PASSWORD}")
grace.user_permissions.add(Permission.objects.get(codename="change_post"))
editors = Group.objects.create(name="Editors")
editors.permissions.add(Permission.objects.get(codename="delete_post"))
grace.groups.add(editors)
for author, title in ((leaver, "Gone"), (ada, "Café"), (grace, 'An "auth.user"')):
    Post.objects.create(author=author, title=title, body="One two three.")
leaver.delete()
"""
# Fixtures have no microseconds.
TELL = """
from django.contrib.auth import get_user_model
from blog.models import Post
for user in get_user_model().objects.order_by("pk"):
    may = "all" if user.is_superuser else sorted(user.get_all_permissions())
    print(user.pk, user, user.password, f"{user.date_joined:%c}", may)
for post in Post.objects.order_by("pk"):
    print(post.pk, post, post.author, post.body, f"{post.published:%c}")
"""
SHELL = "python manage.py shell --no-imports -c".split()


def steps():
    """Return the numbered steps of the README's section."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search("^## Bring your own app\n(.+?)^## ", text, re.MULTILINE | re.DOTALL)[1]
    return re.findall(r"^\d+\. (.+)$", section, re.MULTILINE)


class Mover:
    """Somebody who moves the app from `old-site` into the Site beside it, with .venv activated."""

    def __init__(self, site, environment):
        self.site = site
        self.old = site.path.parent / "old-site"
        self.environment = environment
        self.environment["PATH"] = f"{site.python.parent}{os.pathsep}{environment['PATH']}"
        # .gitignore has the folder of that name, not a link.
        (site.path / ".git" / "info" / "exclude").write_text(".venv\n")

    def type(self, *command, folder=None):
        """Run a command which has to succeed, and return what it prints."""
        done = run(command, folder or self.site.path, self.environment)
        assert done.returncode == 0, f"{command}\n{done.out}"
        return done.out

    def make_old_site(self):
        """Make the site that the app is at home in, but for its data."""
        self.old.mkdir()
        self.type("django-admin", "startproject", "project", ".", folder=self.old)
        shutil.copytree(BLOG, self.old / "blog", ignore=shutil.ignore_patterns("__pycache__"))
        for name, text in (("settings", OLD_SETTINGS), ("urls", OLD_URLS)):
            with (self.old / "project" / f"{name}.py").open("a") as file:
                file.write(text)
        templates = self.old / "templates"
        (templates / "registration").mkdir(parents=True)
        (templates / "base.html").write_text(OLD_BASE)
        (templates / "registration" / "login.html").write_text(LOGIN)

    def follow(self, step):
        """Do what a step of the README says; return what its commands print."""
        code = re.findall("`([^`]+)`", step)
        place = re.match("In (.+?), (add|write) ", step)
        if not place:
            folder = self.old if step.startswith("In the old site") else None
            typed = [words for words in code if words.startswith(COMMANDS)]
            assert typed, step
            return "".join(self.type("bash", "-c", words, folder=folder) for words in typed)
        if place[2] == "add":
            file, line, anchor, *others = code
            also = [other for other in others if other.startswith("path(")]
            lines = "".join(f"    {line}\n" for line in (line, *also))
            replace([self.site.path / file], f"{anchor}\n", f"{anchor}\n{lines}")
            return ""
        pattern = PLACES.get(place[1], place[1].strip("`"))
        # A pattern may begin with ../, which Path.glob does not know.
        files = [Path(name) for name in glob(f"{self.site.path}/{pattern}", recursive=True)]
        for new, old in re.findall("`([^`]+)` for `([^`]+)`", step):
            replace(files, old, new)
        return ""


def replace(files, old, new):
    """Replace the word or words `old` in files, of which one has it at least."""
    texts = {file: file.read_text(encoding="utf-8") for file in files}
    word = re.compile(rf"(?<!\w){re.escape(old)}(?!\w)")
    assert any(word.search(text) for text in texts.values()), f"{old} is nowhere in {files}"
    for file, text in texts.items():
        file.write_text(word.sub(lambda _: new, text), encoding="utf-8")


@pytest.fixture
def mover(site, copy_of, at_home):
    return Mover(copy_of(site()), at_home)


def test_an_app_moves_in_by_the_steps_of_the_readme(mover, postgres, free_port, tmp_path):
    mover.site.add_settings(QUICK_STATIC_FILES)
    mover.make_old_site()
    mover.type("python", "manage.py", "migrate", folder=mover.old)
    there = mover.type(*SHELL, WRITE + TELL, folder=mover.old)
    assert there.count("\n") == 4
    *at_home, live = steps()

    said = [mover.follow(step) for step in at_home]

    assert any("0002" in text for text in said)
    assert any(re.search(r"^blog/tests.py \.\.\. ", text, re.MULTILINE) for text in said)
    assert "check --deploy: no issues (0 silenced)" in "".join(said)
    assert mover.site.run("git", "status", "--porcelain").stdout == ""
    assert mover.type(*SHELL, TELL) == there

    # On the internet.
    folder = tmp_path / "heroku"
    folder.mkdir()
    app = build(mover.site.path, folder / "app", mover.site.python.resolve(), BIN / "uv")
    app.config |= mover.site.production(DATABASE_URL=postgres.database(f"own{free_port}"))
    released = app.run(app.lines["release"])
    assert released.returncode == 0, released.out
    (folder / "heroku").write_text(
        '#!/bin/sh\n[ "$*" = "config:get DATABASE_URL" ] && echo "$LIVE"\n'
    )
    (folder / "heroku").chmod(0o755)
    mover.environment["PATH"] += f"{os.pathsep}{folder}"
    mover.environment["LIVE"] = app.config["DATABASE_URL"]
    mover.follow(live)
    dyno = app.dyno(free_port)
    try:
        with https(tmp_path, free_port) as router:
            look_around(Person(router), Person(router))
    finally:
        dyno.stop()
    assert "Traceback" not in dyno.text()


def look_around(visitor, ada):
    """Look at the blog as a visitor does, and write a post as Ada does."""
    status, headers, page = visitor.get("/blog/")
    assert status == 200 and "An &quot;auth.user&quot;" in page and "<title>Blog" in page
    nonce = re.search("style-src [^;]*'nonce-(.+?)'", headers["Content-Security-Policy"])[1]
    assert f'<style nonce="{nonce}">' in page
    style = re.search(r'href="(/static/blog/blog\..+?\.css)"', page)[1]
    assert visitor.get(style)[1]["Cache-Control"].endswith("immutable")
    status, headers, page = visitor.get("/blog/2/")
    assert status == 200 and "by ada" in page and "<h1>Café</h1>" in page
    nonce = re.search("script-src [^;]*'nonce-(.+?)'", headers["Content-Security-Policy"])[1]
    assert f'<script nonce="{nonce}">' in page
    assert "Café" not in visitor.get("/blog/by/grace/")[2]
    login = visitor.get("/blog/new/")[1]["Location"]
    assert login == "/accounts/login/?next=/blog/new/" and visitor.get(login)[0] == 200

    assert ada.log_in("ada") == 302
    token = ada.cookies["csrftoken"]
    form = f"title=Fourth&body=Hello&csrfmiddlewaretoken={token}"
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert ada.ask("POST", "/blog/new/", form, **kind)[1]["Location"] == "/blog/4/"
    assert "by ada" in visitor.get("/blog/4/")[2]


@pytest.mark.parametrize(
    ("left_out", "gate", "words"),
    [
        ("_(USER_MODEL|user_model)", ["bootstrap.py"], ["fields.E301", "'settings.AUTH_USER_MODEL'"]),
        ("get_user_model", ["-m", "pytest", "blog"], ["swapped for 'accounts.User'"]),
        ("makemigrations", ["bootstrap.py"], ["deploy.E014", "blog", "manage.py makemigrations"]),
    ],
)  # fmt: skip
def test_a_step_that_is_left_out_is_missed(mover, left_out, gate, words):
    mover.make_old_site()
    migrations = next(n for n, step in enumerate(steps()) if "makemigrations" in step)
    for step in steps()[:migrations]:
        if not re.search(left_out, step):
            mover.follow(step)

    refused = run(["python", *gate], mover.site.path, mover.environment)

    assert refused.returncode == 1
    for word in words:
        assert word in refused.out
