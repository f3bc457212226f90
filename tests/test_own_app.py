"""An old site moves into a generated one by the very steps of docs/bring-your-own-app.md."""

import os
import re
import shutil
import textwrap
from pathlib import Path

import pytest
from generated import BIN, QUICK_STATIC_FILES, ROOT, run
from heroku import build
from live import PASSWORD, Person
from router import https

pytestmark = pytest.mark.slow

PAGE = (ROOT / "docs" / "bring-your-own-app.md").read_text(encoding="utf-8")
OLD_SITE = Path(__file__).with_name("old_site")
APPS = ["accounts", "application", "blog"]
OLD_SETTINGS = """
INSTALLED_APPS += ["accounts", "application", "blog"]
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
STATICFILES_DIRS = [BASE_DIR / "static"]
MEDIA_ROOT = BASE_DIR / "media"
LANGUAGE_CODE = "de"
LOGIN_REDIRECT_URL = "/blog/"
del MAILERS  # which are new in Django 6.1
EMAIL_HOST = "mail.example.com"
"""
OLD_URLS = """
from django.urls import include
urlpatterns += [
    path("", include("application.urls")),
    path("blog/", include("blog.urls")),
    path("accounts/", include("accounts.urls")),
]
"""
# Two authors, one user who has left, so that ids are missing, and a user with a permission.
WRITE = f"""
from django.contrib.auth.models import Group, Permission, User
from django.core.files.base import ContentFile
from blog.models import Post
ada = User.objects.create_superuser("ada", password="{PASSWORD}")
leaver = User.objects.create_user("leaver")
grace = User.objects.create_user("grace", password="{PASSWORD}")
grace.user_permissions.add(
    Permission.objects.get(codename="change_post"), Permission.objects.get(codename="change_user")
)
editors = Group.objects.create(name="Editors")
editors.permissions.add(Permission.objects.get(codename="delete_user"))
grace.groups.add(editors)
for author, title in ((leaver, "Gone"), (ada, "Café"), (grace, '"model": "auth.user"')):
    Post.objects.create(author=author, title=title, body="One two three.")
leaver.delete()
ada.profile.photo.save("ada.png", ContentFile(b"png"))
ada.profile.friends.add(grace)
"""
# Fixtures have no microseconds, and permissions are those of another model.
TELL = """
from django.contrib.auth import get_user_model
from blog.models import Post
for user in get_user_model().objects.order_by("pk"):
    may = {name.partition(".")[2] for name in user.get_all_permissions()} if user.pk > 1 else "all"
    print(user.pk, user, user.password, f"{user.date_joined:%c}", sorted(may))
    print(user.profile.pk, user.profile.photo, list(user.profile.friends.values_list("username")))
for post in Post.objects.order_by("pk"):
    print(post.pk, post, post.author, post.body, f"{post.published:%c}")
"""
SHELL = "python manage.py shell --no-imports -c".split()
NO_OBJECT_STORAGE = """
SILENCED_SYSTEM_CHECKS = [
    # The disk of this server is persistent.
    "deploy.E015",
]"""


def steps(page=PAGE):
    """Return the numbered steps of the page."""
    found = re.findall(r"^\d+\. (.+?)(?=^\d+\. |^## )", page, re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(f"    {step}") for step in found]


def commands(step):
    """Return the commands in the code blocks of a step: the lines that a person types in bash."""
    blocks = re.findall(r"^```\n(.+?)^```", step, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if "runserver" not in line]


class Mover:
    """Somebody who moves apps from `old-site` into the Site beside it, with .venv activated."""

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
        """Make the old site, without data."""
        (self.old / "media").mkdir(parents=True)
        self.type("django-admin", "startproject", "project", ".", folder=self.old)
        shutil.copytree(
            OLD_SITE, self.old, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
        )
        for name, text in (("settings", OLD_SETTINGS), ("urls", OLD_URLS)):
            with (self.old / "project" / f"{name}.py").open("a") as file:
                file.write(text)

    def write_data(self):
        """Have users and posts in the old site; return what TELL prints of them."""
        self.type("python", "manage.py", "migrate", folder=self.old)
        return self.type(*SHELL, WRITE + TELL, folder=self.old)

    def follow(self, step):
        """Type the commands of a step, for each app; return what they print."""
        folder = self.old if "dumpdata" in step else None
        said = ""
        for command in commands(step):
            apps = [["blog"]]
            if "../old-site/blog" in command or "makemigrations" in command:
                apps = [[app] for app in APPS]
            elif "dumpdata" in command:
                apps = [["blog", "accounts"]]
            for names in apps:
                words = re.sub(r"\bblog\b(?! in)", " ".join(names), command)
                said += self.type("bash", "-c", words, folder=folder)
        return said

    def edit(self, step, *files):
        """Write `new` for `old` in files, for each such pair that a step names."""
        pairs = re.findall("`([^`]+)` for `([^`]+)`(?: and for `([^`]+)`)?", step)
        assert pairs, step
        for new, *olds in pairs:
            for old in filter(None, olds):
                self.replace(files, old, new)

    def replace(self, files, old, new):
        """Replace the word or words `old`, which one of the files has at least."""
        texts = {file: file.read_text(encoding="utf-8") for file in files}
        word = re.compile(rf"(?<![\w.]){re.escape(old)}(?![\w])")
        assert any(word.search(text) for text in texts.values()), f"{old} is nowhere in {files}"
        for file, text in texts.items():
            file.write_text(word.sub(lambda _: new, text), encoding="utf-8")

    def files(self, pattern, without="models.py"):
        """Return the files of the apps that match a pattern, without migrations."""
        return [
            file
            for app in APPS
            for file in (self.site.path / app).rglob(pattern)
            if file.name != without and file.parent.name != "migrations"
        ]

    def move(self, left_out=None):
        """Follow the page up to the move of the data, without the steps that match `left_out`."""
        for step in steps()[:11]:
            if not left_out or not re.search(left_out, step):
                self.do(step)

    def do(self, step):
        """Do what a step says that is not a command, then type its commands."""
        site = self.site
        if "The folder `application/` is yours" in step:
            self.type("bash", "-c", re.search("`(rm -r .+?)`", step)[1])
        if "pillow" in step:
            return ""
        said = self.follow(step)
        if "move it to `templates/`" in step:
            (site.path / "accounts/templates/registration/login.html").rename(
                site.path / "templates/registration/login.html"
            )
        elif "{% block main %}" in step:
            self.edit(step, site.path / "templates" / "base.html")
        elif "# Yours go here." in step:
            mark = "    # Yours go here.\n"
            site.replace("project/settings.py", mark, f'{mark}    "accounts",\n    "blog",\n')
            site.replace("project/settings.py", 'LANGUAGE_CODE = "en-us"', 'LANGUAGE_CODE = "de"')
            site.replace("project/settings.py", 'REDIRECT_URL = "/"', 'REDIRECT_URL = "/blog/"')
        elif "urlpatterns" in step:
            for line in re.findall(r'`(path\("(?:blog|accounts)/.+?\)),?`', step):
                site.replace(
                    "project/urls.py", "urlpatterns = [\n", f"urlpatterns = [\n    {line},\n"
                )
        elif "models.py" in step:
            self.edit(
                step.replace("'auth.User'", "'auth.User'"), *self.files("models.py", without="")
            )
        elif "get_user_model()" in step:
            self.edit(step, *self.files("*.py"))
            old, new = "django.contrib.auth.forms import User", "identity.forms import User"
            self.replace(self.files("*.py"), f"from {old}CreationForm", f"from {new}CreationForm")
        elif "csp_nonce_attr" in step:
            self.edit(step, *self.files("*.html"))
        return said


@pytest.fixture
def mover(site, copy_of, at_home):
    return Mover(copy_of(site()), at_home)


def test_an_old_site_moves_in_by_the_steps_of_the_page(mover, postgres, free_port, tmp_path):
    mover.site.add_settings(QUICK_STATIC_FILES)
    mover.make_old_site()
    there = mover.write_data()
    assert there.count("\n") == 6
    mover.move()
    export, convert, load = steps()[11:14]
    for step in (export, convert):
        mover.follow(step)
    refused = run(["bash", "-c", *commands(load)], mover.site.path, mover.environment)
    assert "UNIQUE constraint failed" in refused.out  # the step says so, and what to do
    (lines,) = re.findall("```python\n(.+?)```", load, re.DOTALL)
    receiver = "created, **kwargs):\n"
    mover.site.replace(
        "accounts/models.py", receiver, f"{receiver}{textwrap.indent(lines, '    ')}"
    )

    said = mover.follow(load)
    mover.site.add_settings(NO_OBJECT_STORAGE)
    mover.replace([mover.site.path / "project/settings.py"], "\nenv.refuse_problems()", "")
    mover.site.add_settings("env.refuse_problems()")
    said += "".join(mover.follow(step) for step in steps()[14:17])

    assert re.search(r"^blog/tests.py \.\.\. ", said, re.MULTILINE), said
    assert "check --deploy: no issues (1 silenced)" in said
    assert mover.site.run("git", "status", "--porcelain").stdout == ""
    assert mover.type(*SHELL, TELL) == there

    # In production.
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
    mover.type("bash", "-c", commands(steps()[17])[0])
    dyno = app.dyno(free_port)
    try:
        with https(tmp_path, free_port) as router:
            look_around(Person(router), Person(router))
    finally:
        dyno.stop()
    assert "Traceback" not in dyno.text()


def look_around(visitor, ada):
    """Look at the site as a visitor does, and write a post as Ada does."""
    assert "Guten Tag" in visitor.get("/")[2]
    status, headers, page = visitor.get("/blog/")
    assert status == 200 and "&quot;auth.user&quot;" in page and "<title>Blog" in page
    nonce = re.search("style-src [^;]*'nonce-(.+?)'", headers["Content-Security-Policy"])[1]
    assert f'<style nonce="{nonce}">' in page
    for name in ("blog/blog", "css/style"):
        style = re.search(rf'href="(/static/{name}\..+?\.css)"', page)[1]
        assert visitor.get(style)[1]["Cache-Control"].endswith("immutable")
    status, headers, page = visitor.get("/blog/2/")
    assert status == 200 and "by ada" in page and "<h1>Café</h1>" in page
    nonce = re.search("script-src [^;]*'nonce-(.+?)'", headers["Content-Security-Policy"])[1]
    assert f'<script nonce="{nonce}">' in page
    assert "Café" not in visitor.get("/blog/by/grace/")[2]
    assert "Page not found" in visitor.get("/nothing/")[2]
    login = visitor.get("/blog/new/")[1]["Location"]
    assert login == "/accounts/login/?next=/blog/new/"
    assert "Willkommen zurück" in visitor.get(login)[2]
    assert visitor.get("/boom/")[1]["Location"] == "/admin/login/?next=/boom/"

    visitor.get("/accounts/sign-up/")
    form = f"username=new&email=n@example.com&password1={PASSWORD}&password2={PASSWORD}"
    assert visitor.post("/accounts/sign-up/", form)[1]["Location"] == "/accounts/profile/"
    assert "Profil von new" in visitor.get("/accounts/profile/")[2]

    ada.get(login)
    form = f"username=ada&password={PASSWORD}"
    assert ada.post("/accounts/login/", form)[1]["Location"] == "/blog/"
    assert ada.post("/blog/new/", "title=Fourth&body=Hello")[1]["Location"] == "/blog/4/"
    assert "by ada" in visitor.get("/blog/4/")[2]


@pytest.mark.exotic
@pytest.mark.parametrize(
    ("left_out", "missed"),
    [
        ("settings.AUTH_USER|makemigr", {"bootstrap.py": ["E301", "'settings.AUTH_USER_MODEL'"]}),
        (
            "get_user_model|block main",
            {
                "bootstrap.py": ["E020", "blog.views uses User", "accounts.forms uses"],
                "-m pytest blog tests/test_site.py": ["swapped for", "a block called content"],
            },
        ),
        ("makemigrations", {"bootstrap.py": ["E014", "blog", "manage.py makemigrations"]}),
        ("static files", {"bootstrap.py": ["E019", "templates/base.html", "css/style.css"]}),
    ],
)
def test_a_step_that_is_left_out_is_missed(mover, left_out, missed):
    mover.make_old_site()
    if left_out == "static files":
        (mover.old / "static" / "css" / "style.css").unlink()
        left_out = None
    mover.move(left_out)

    for command, words in missed.items():
        refused = run(["python", *command.split()], mover.site.path, mover.environment)
        assert refused.returncode == 1
        for word in words:
            assert word in refused.out


def test_email_settings_that_come_along_are_named(site, copy_of, at_home):
    own = copy_of(site())
    own.add_settings('EMAIL_HOST = "mail.example.com"')

    refused = own.manage("check", env=at_home)

    assert "`EMAIL_…`, in whose place production sets the variable `EMAIL_URL`" in steps()[3]
    assert refused.returncode != 0 and refused.stderr.rstrip().endswith(": EMAIL_HOST.")
