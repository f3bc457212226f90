"""Generates projects for the tests: each combination of answers once per run, for all to share."""

import itertools
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from filelock import FileLock
from postgres import Postgres

pytest_plugins = ["live", "summary"]

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ROOT / "{{cookiecutter.project_slug}}"
BIN = Path(sys.executable).parent
QUESTIONS = json.loads((ROOT / "cookiecutter.json").read_text())
COMBINATIONS = [*itertools.product(QUESTIONS["error_tracker"], QUESTIONS["hsts"])]
CHECKLIST = "manage.py check --deploy --fail-level WARNING".split()

# Where it is set, each command of a site would compile Django anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What takes longest, in settings, where it is nothing to a test.
QUICK_STATIC_FILES = 'WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["", "css", "js", "svg", "txt"]'
QUICK_PASSWORDS = 'PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]'


class Run(subprocess.CompletedProcess):
    """A finished command; `out` is all that it printed, on either stream."""

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


def procfile(folder):
    """Return the lines of a project's Procfile, as a dict."""
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
        """Return the variables of a live site and nothing else, with some of them changed."""
        return variables(self.path / "tests" / "production.env") | changes

    def replace(self, file, old, new):
        """Put `new` in the place of `old`, which the file has to have."""
        path = self.path / file
        text = path.read_text(encoding="utf-8")
        assert old in text, f"{file} has no {old}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    def add_settings(self, *lines):
        """Append lines to the settings."""
        with (self.path / "project" / "settings.py").open("a", encoding="utf-8") as settings:
            settings.writelines(f"\n{line}\n" for line in lines)

    def commit(self, message):
        """Commit, as Ada, what has changed."""
        ada = ["-c", "user.name=Ada", "-c", "user.email=ada@example.com"]
        done = self.run("git", *ada, "commit", "--quiet", "--all", "--message", message)
        assert done.returncode == 0, done.out

    def shell(self, code, **kwargs):
        """Run Python `code` with the project's settings."""
        return self.run(self.python, "manage.py", "shell", "--no-imports", "-c", code, **kwargs)

    def files(self):
        """Return the paths of all files that git tracks."""
        return set(self.run("git", "ls-files").stdout.splitlines())


@pytest.fixture
def environment(tmp_path):
    """Return the environment of somebody with uv, bash and a name in git, and no settings besides."""
    return environment_in(tmp_path)


def environment_in(folder):
    """Return an environment whose configuration of git and cookiecutter stands in `folder`."""
    gitconfig = folder / "gitconfig"
    gitconfig.write_text("[user]\nname = Ada\nemail = ada@example.com\n")
    hidden = {"COOKIECUTTER_SKIP_SETUP", "FORCE_COLOR", "NO_COLOR"}
    inherited = {name: os.environ[name] for name in os.environ.keys() - hidden}
    return inherited | {
        "GIT_CONFIG_GLOBAL": str(gitconfig),
        "COOKIECUTTER_CONFIG": str(cookiecutter_config(folder)),
        "UV": str(BIN / "uv"),
        "PWD": str(folder),
        "SHELL": "/bin/bash",
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
    """Run cookiecutter as on the command line, into `output`, and return the Run."""
    output.mkdir(exist_ok=True)
    command = [BIN / "cookiecutter", template, "--no-input", *arguments]
    return run(command, output, environment | {"PWD": str(output)})


def only(tmp_path, *programs):
    """Return a folder with links to these programs, and nothing else in it."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for program in programs:
        (folder / program).symlink_to(shutil.which(program))
    return folder


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Return the folder that all of pytest's worker processes share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def site(shared, tmp_path_factory):
    """Return a function that gives the generated Site for a tracker and an hsts.

    Others use it too: whoever changes it works on a `copy_of` it.
    """

    def generated(error_tracker="rollbar", hsts="django"):
        folder = shared / f"{error_tracker}-{hsts}"
        report = folder / "report.txt"
        with FileLock(f"{folder}.lock"):
            if not report.exists():
                environment = environment_in(tmp_path_factory.mktemp("environment"))
                answers = [f"error_tracker={error_tracker}", f"hsts={hsts}"]
                report.write_text(cookiecutter(folder, environment, *answers).out)
        assert "\nVerified" in report.read_text(), report.read_text()
        return Site(folder / "my-site", report.read_text())

    return generated


def borrowed(site):
    """Return what to append to bootstrap.py for it to install nothing, and use a Site's packages."""
    return f"""
VENV_PYTHON = Path({str(site.python)!r})
def install(uv, python, environment):
    (ROOT / ".venv").mkdir()
    (ROOT / "uv.lock").touch()
"""


@pytest.fixture
def copy_of(tmp_path):
    """Return a function that copies a Site, but for its .venv, to where it can be changed."""

    def copy(site):
        path = tmp_path / "copy"
        shutil.copytree(site.path, path, ignore=shutil.ignore_patterns(".venv"))
        (path / ".venv").symlink_to(site.path / ".venv")
        return Site(path)

    return copy


@pytest.fixture
def deployed(site, copy_of):
    """Return a function that gives a site without .env for a tracker, as it would be deployed."""

    def deploy(error_tracker="rollbar"):
        live = copy_of(site(error_tracker))
        (live.path / ".env").unlink()
        return live

    return deploy


@pytest.fixture(scope="session")
def collect(shared):
    """Return a function that collects the static files of a Site.

    They are the same for all, and compressing them takes longer than most tests: it is done once.
    """

    def copy_collected(site):
        folder = shared / "staticfiles"
        with FileLock(f"{folder}.lock"):
            if not folder.exists():
                done = site.manage("collectstatic", "--noinput", env=site.production())
                assert done.returncode == 0, done.out
                shutil.copytree(site.path / "staticfiles", folder)
        shutil.copytree(folder, site.path / "staticfiles", dirs_exist_ok=True)

    return copy_collected


@pytest.fixture
def spoilt_template(tmp_path):
    """Return a function that gives a copy of the template with lines appended to its files."""

    def spoil(settings="", bootstrap=""):
        template = tmp_path / "template"
        ignored = shutil.ignore_patterns(".git", ".venv", ".*_cache", "__pycache__")
        shutil.copytree(ROOT, template, ignore=ignored)
        for file, lines in {"project/settings.py": settings, "bootstrap.py": bootstrap}.items():
            with (template / TEMPLATE.name / file).open("a", encoding="utf-8") as opened:
                opened.write(f"\n{lines}\n")
        return template

    return spoil


@pytest.fixture
def render(cookies, monkeypatch):
    """Return a function that renders the template without setting anything up: a baked project."""
    monkeypatch.setenv("COOKIECUTTER_SKIP_SETUP", "1")

    def bake(**answers):
        return cookies.bake(extra_context=answers)

    return bake


@pytest.fixture
def serve():
    """Return a function that starts a server and waits for its port; the test's end ends it."""
    servers = []

    def start(site, *command, env=None, port):
        log = site.path / f"server-{port}.log"
        with log.open("w") as opened:
            server = subprocess.Popen(
                [str(word) for word in command],
                cwd=site.path,
                env=env,
                stdout=opened,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        servers.append(server)
        until = time.monotonic() + 60
        while not listens(port):
            assert server.poll() is None and time.monotonic() < until, log.read_text()
            time.sleep(0.1)
        return server

    yield start
    for server in servers:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def listens(port):
    """Return whether somebody listens at `port` of loopback."""
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture(scope="session")
def postgres():
    """Return a running Postgres: one for each of pytest's worker processes that needs it."""
    server = Postgres(unused_port())
    yield server
    server.remove()


@pytest.fixture
def free_port():
    """Return a port of loopback that nobody listens at."""
    return unused_port()


def unused_port():
    """Return a port of loopback that nobody listens at."""
    with socket.socket() as connection:
        connection.bind(("127.0.0.1", 0))
        return connection.getsockname()[1]
