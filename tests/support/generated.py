"""Generates a project and runs commands in it: for tests, benchmarks and pictures."""

import itertools
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
BIN = Path(sys.executable).parent
QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text())
COMBINATIONS = [*itertools.product(QUESTIONS["error_tracker"], QUESTIONS["hsts"])]
CHECK_DEPLOY = "manage.py check --deploy --fail-level WARNING".split()

# The files of a project: those that git tracks, those for error tracking, and those not in git.
FILES = """
    .env.example .github/dependabot.yml .github/workflows/ci.yml .gitignore .python-version
    Procfile README.md app.json application/__init__.py application/migrations/__init__.py
    application/templates/application/home.html application/tests.py application/urls.py
    application/views.py bootstrap.py gunicorn.conf.py identity/__init__.py identity/admin.py
    identity/forms.py identity/lockout.py identity/migrations/0001_initial.py
    identity/migrations/__init__.py identity/models.py manage.py project/__init__.py
    project/apps.py project/checks/__init__.py project/checks/data.py
    project/checks/pages.py project/checks/security.py project/context_processors.py
    project/environment.py project/logs.py project/mail.py project/middleware.py
    project/settings.py project/urls.py project/views.py project/wsgi.py pyproject.toml
    static/favicon.svg static/site.css templates/400.html templates/403.html
    templates/403_csrf.html templates/404.html templates/429.html templates/500.html
    templates/admin/login.html templates/base.html templates/registration/login.html
    tests/__init__.py tests/production.env tests/test_deploy.py
    tests/test_site.py
""".split()
ERROR_TRACKING = {"project/errors.py", "project/error_tracking.py"}
NOT_IN_GIT = {".env", "db.sqlite3"}

# Environment variables that a developer's shell may set, and that change the results of tests.
OTHERS = """
    COLUMNS COOKIECUTTER_SKIP_SETUP DJANGO_SETTINGS_MODULE FORCE_COLOR GIT_DIR GIT_INDEX_FILE
    GIT_WORK_TREE NO_COLOR PORT PYTHONDONTWRITEBYTECODE PYTHONPATH VIRTUAL_ENV WEB_CONCURRENCY
""".split()

# Settings that turn off slow work in tests that do not depend on it.
QUICK_STATIC_FILES = 'WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["", "css", "js", "svg", "txt"]'
QUICK_PASSWORDS = (
    'PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]\n'
    'SILENCED_SYSTEM_CHECKS.append("deploy.E029")'
)


def forget_other_sites():
    """Remove the variables of .env.example and OTHERS from this process's environment."""
    example = (TEMPLATE / ".env.example").read_text(encoding="utf-8")
    for name in [*re.findall(r"^(\w+)=", example, re.MULTILINE), *OTHERS]:
        os.environ.pop(name, None)
    os.environ["SHELL"] = "/bin/bash"


class Run(subprocess.CompletedProcess):
    """A finished command; `out` is its standard output, then its standard error."""

    @property
    def out(self):
        return self.stdout + self.stderr


def run(command, cwd, env=None, **kwargs):
    """Run `command` in `cwd`, within two minutes, and return it as a Run."""
    done = subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        **kwargs,
    )
    return Run(done.args, done.returncode, done.stdout, done.stderr)


def variables(path):
    """Return the variables of a file such as .env.example, as a dict."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def files_with(error_tracker):
    """Return the paths of all files that are generated for a tracker."""
    return {*FILES} if error_tracker == "none" else {*FILES, *ERROR_TRACKING}


def procfile(folder):
    """Return a project's Procfile as a dict of process types and commands."""
    return dict(line.split(": ", 1) for line in (folder / "Procfile").read_text().splitlines())


def release(site, environment):
    """Run the Procfile's release line as Heroku does."""
    path = f"{site.python.parent}:{os.environ['PATH']}"
    line = procfile(site.path)["release"]
    return site.run("bash", "-c", line, env=environment | {"PATH": path})


class Site:
    """A generated project."""

    def __init__(self, path, report=""):
        self.path = path
        self.report = report
        self.python = path / ".venv" / "bin" / "python"

    def run(self, *command, env=None):
        """Run a command in the project; without `env`, in this process's environment."""
        return run(command, self.path, env)

    def manage(self, *arguments, env=None):
        """Run manage.py with warnings as errors."""
        return self.run(self.python, "-W", "error", "manage.py", *arguments, env=env)

    def production(self, **changes):
        """Return an environment with only the production variables, some of them changed."""
        return variables(self.path / "tests" / "production.env") | changes

    def replace(self, file, old, new):
        """Replace `old`, which the file must contain, with `new`."""
        path = self.path / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def add_settings(self, *lines):
        """Append lines to the settings."""
        with (self.path / "project" / "settings.py").open("a", encoding="utf-8") as settings:
            settings.writelines(f"\n{line}\n" for line in lines)

    def commit(self, message):
        """Commit the changed files as Ada."""
        ada = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        done = self.run("git", *ada, "commit", "--quiet", "--all", "--message", message)
        assert done.returncode == 0, done.out

    def shell(self, code, **kwargs):
        """Run Python `code` with the project's settings."""
        return self.run(self.python, "manage.py", "shell", "--no-imports", "-c", code, **kwargs)

    def files(self):
        """Return the paths of all files that git tracks."""
        return set(self.run("git", "ls-files").stdout.splitlines())


def environment_in(folder):
    """Return an environment that keeps git's and cookiecutter's configuration in `folder`."""
    gitconfig = folder / "gitconfig"
    gitconfig.write_text("[user]\nname = Ada\nemail = ada@example.com\n")
    return os.environ | {
        "GIT_CONFIG_GLOBAL": str(gitconfig),
        "COOKIECUTTER_CONFIG": str(cookiecutter_config(folder)),
        "UV": str(BIN / "uv"),
        "PWD": str(folder),
    }


def cookiecutter_config(folder, **default_context):
    """Write a cookiecutter configuration into `folder` and return its path."""
    path = folder / "cookiecutter.yaml"
    settings = {
        "replay_dir": str(folder / "replay"),
        "cookiecutters_dir": str(folder / "templates"),
    }
    path.write_text(json.dumps(settings | {"default_context": default_context}))  # JSON is YAML
    return path


def cookiecutter(output, environment, *arguments, template=ROOT):
    """Run the command cookiecutter in the folder `output`, and return the Run."""
    output.mkdir(exist_ok=True)
    command = [BIN / "cookiecutter", template, "--no-input", *arguments]
    return run(command, output, environment | {"PWD": str(output)})


def copy_template(folder):
    """Copy this working tree to a folder, without .git, .venv and caches."""
    ignored = shutil.ignore_patterns(".git", ".venv", ".*_cache", ".hypothesis", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=ignored, dirs_exist_ok=True)


def only(tmp_path, *programs):
    """Create a folder that contains only links to these programs, and return it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in programs:
        (folder / program).symlink_to(shutil.which(program))
    return folder


def with_shared_venv(site):
    """Return lines for bootstrap.py with which it installs nothing and uses a Site's packages."""
    return f"""
VENV_PYTHON = Path({str(site.python)!r})
def make_venv(*arguments):
    (ROOT / ".venv").mkdir(exist_ok=True)
def install(*arguments):
    shutil.copy({str(site.path / "uv.lock")!r}, ROOT)
def without_dev(*arguments):
    return [VENV_PYTHON]
"""


def listens(port):
    """Return whether a server listens at `port` on loopback."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


def listeners(port):
    """Return the number of sockets that listen at `port`: with reuse_port, one for each worker."""
    return Path("/proc/net/tcp").read_text().count(f" 00000000:{port:04X} 00000000:0000 0A ")


def wait_until(condition, seconds=30):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)


def unused_port():
    """Return an unused port on loopback."""
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        return connection.getsockname()[1]
