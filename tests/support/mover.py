"""Moves an old site into a new one by the steps of docs/bring-your-own-app.md."""

import os
import re
import shutil
import textwrap

from support.client import PASSWORD
from support.generated import ROOT, run

PAGE = (ROOT / "docs" / "bring-your-own-app.md").read_text(encoding="utf-8")
OLD_SITE = ROOT / "tests" / "support" / "old_site"
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
# Ada and Grace have posts, and Grace has permissions. A user is deleted, so that IDs are missing.
WRITE_DATA = f"""
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
# Without microseconds, which fixtures do not have. Without the app of a permission, because the
# user model moves to another app.
PRINT_DATA = """
from django.contrib.auth import get_user_model
from blog.models import Post
for user in get_user_model().objects.order_by("pk"):
    may = {name.partition(".")[2] for name in user.get_all_permissions()} if user.pk > 1 else "all"
    print(user.pk, user, user.password, f"{user.date_joined:%c}", sorted(may))
    print(user.profile.pk, user.profile.photo, list(user.profile.friends.values_list("username")))
for post in Post.objects.order_by("pk"):
    print(post.pk, post, post.author, post.readers(), post.body, f"{post.published:%c}")
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
    """Return the bash commands in the code blocks of a step, except runserver."""
    blocks = re.findall(r"^```\n(.+?)^```", step, re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    return [line for line in lines if "runserver" not in line]


class Mover:
    """Moves apps from `old-site` into the Site beside it, with .venv activated."""

    def __init__(self, site, environment):
        self.site = site
        self.old = site.path.parent / "old-site"
        self.environment = environment
        self.environment["PATH"] = f"{site.python.parent}{os.pathsep}{environment['PATH']}"
        # .gitignore matches a folder of that name, not a link.
        (site.path / ".git" / "info" / "exclude").write_text(".venv\n")

    def type(self, *command, folder=None):
        """Run a command, check that it succeeds, and return its output."""
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
        """Create users and posts in the old site; return what PRINT_DATA prints."""
        self.type("python", "manage.py", "migrate", folder=self.old)
        return self.type(*SHELL, WRITE_DATA + PRINT_DATA, folder=self.old)

    def follow(self, step):
        """Run the commands of a step for each app; return their output."""
        folder = self.old if "dumpdata" in step else None
        output = ""
        for command in commands(step):
            apps = [["blog"]]
            if "../old-site/blog" in command or "makemigrations" in command:
                apps = [[app] for app in APPS]
            elif "dumpdata" in command:
                apps = [["blog", "accounts"]]
            for names in apps:
                words = re.sub(r"\bblog\b(?! in)", " ".join(names), command)
                output += self.type("bash", "-c", words, folder=folder)
        return output

    def edit(self, step, *files):
        """Replace `old` with `new` in files, for each such pair that a step names."""
        pairs = re.findall("`([^`]+)` with `([^`]+)`", step)
        assert pairs, step
        for old, new in pairs:
            self.replace(files, old, new)

    def replace(self, files, old, new):
        """Replace the words `old`, which at least one of the files must contain."""
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

    def move(self, skipped=None):
        """Follow the page up to the move of the data, except the steps that match `skipped`."""
        for step in steps()[:11]:
            if not skipped or not re.search(skipped, step):
                self.do(step)

    def do(self, step):
        """Run the commands of a step, and make the edits that it describes."""
        site = self.site
        if "The folder `application/` is yours" in step:
            self.type("bash", "-c", re.search("`(rm -r .+?)`", step)[1])
        if "pillow" in step:
            return ""
        output = self.follow(step)
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
            models = self.files("models.py", without="")
            self.edit(step, *models)
            (line,) = re.findall("add `(from .+?)` at the top", step)
            for file in models:
                if "get_user_model()" in file.read_text():
                    file.write_text(f"{line}\n{file.read_text()}")
        elif "get_user_model()" in step:
            self.edit(step, *self.files("*.py"))
            old, new = "django.contrib.auth.forms import User", "identity.forms import User"
            self.replace(self.files("*.py"), f"from {old}CreationForm", f"from {new}CreationForm")
        elif "csp_nonce_attr" in step:
            self.edit(step, *self.files("*.html"))
        return output
