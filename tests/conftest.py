"""Generates projects for the tests: each combination of answers once per run, for all to share."""

import os
import shutil
import signal
import subprocess
import time

import pytest
from filelock import FileLock
from support.generated import (
    TEMPLATE,
    Site,
    cookiecutter,
    copy_template,
    environment_in,
    forget_other_sites,
    listens,
    unused_port,
)
from support.postgres import Postgres

pytest_plugins = ["support.deployed", "support.summary"]


def pytest_configure(config):
    forget_other_sites()


@pytest.fixture
def environment(tmp_path):
    """Return the environment of a user with uv, bash and a name in git, and no other settings."""
    return environment_in(tmp_path)


@pytest.fixture
def local_environment(environment):
    """Return the environment of an activated .venv, where nothing but .env is the site's."""
    del environment["UV"]
    return environment


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Return the folder that all of pytest's worker processes share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def site(shared, tmp_path_factory):
    """Return a function that gives the generated Site for a tracker and an hsts.

    All tests share it: to change it, work on a copy by `make_copy`.
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


@pytest.fixture
def make_copy(tmp_path):
    """Return a function that copies a Site, but for its .venv, to where it can be changed."""

    def copy(site):
        path = tmp_path / "copy"
        shutil.copytree(site.path, path, ignore=shutil.ignore_patterns(".venv"))
        (path / ".venv").symlink_to(site.path / ".venv")
        return Site(path)

    return copy


@pytest.fixture
def make_own_copy(site, make_copy, environment):
    """Return a function that copies the Site for a tracker, with a .venv of its own.

    It returns the copy, and the environment in which that .venv is active.
    """

    def make(error_tracker="rollbar"):
        python = site(error_tracker).python.resolve()
        changed = make_copy(site(error_tracker))
        (changed.path / ".venv").unlink()
        for command in (["venv", "--relocatable", "--python", python], ["sync"]):
            done = changed.run(environment["UV"], *command, env=environment)
            assert done.returncode == 0, done.out
        environment["VIRTUAL_ENV"] = str(changed.path / ".venv")
        environment["PATH"] = f"{changed.python.parent}{os.pathsep}{environment['PATH']}"
        del environment["UV"]
        return changed, environment

    return make


@pytest.fixture
def own_copy(make_own_copy):
    return make_own_copy()


@pytest.fixture
def make_deployed(site, make_copy):
    """Return a function that gives a site without .env for a tracker, as it would be deployed."""

    def deploy(error_tracker="rollbar"):
        deployed = make_copy(site(error_tracker))
        (deployed.path / ".env").unlink()
        shutil.rmtree(deployed.path / ".git")
        return deployed

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
def make_broken_template(tmp_path):
    """Return a function that gives a copy of the template with lines appended to its files."""

    def break_it(settings="", bootstrap=""):
        template = tmp_path / "template"
        copy_template(template)
        for file, lines in {"project/settings.py": settings, "bootstrap.py": bootstrap}.items():
            with (template / TEMPLATE.name / file).open("a", encoding="utf-8") as opened:
                opened.write(f"\n{lines}\n")
        return template

    return break_it


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
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


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
