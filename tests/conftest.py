"""Fixtures for all tests: each combination of answers is generated once per run and shared."""

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
    """Return the environment of a user with uv, bash and a git user name, but no other settings."""
    return environment_in(tmp_path)


@pytest.fixture
def local_environment(environment):
    """Return the environment of a local shell, in which only .env configures the site."""
    del environment["UV"]
    return environment


@pytest.fixture(scope="session")
def shared(tmp_path_factory):
    """Return the temporary folder that all pytest workers share."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def site(shared, tmp_path_factory):
    """Return a function that returns the generated Site for an error tracker and an HSTS choice.

    All tests share this Site. To change it, use a copy from `make_copy`.
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
    """Return a function that makes a copy of a Site to change; both use the same .venv."""

    def copy(site):
        path = tmp_path / "copy"
        shutil.copytree(site.path, path, ignore=shutil.ignore_patterns(".venv"))
        (path / ".venv").symlink_to(site.path / ".venv")
        return Site(path)

    return copy


@pytest.fixture
def make_own_copy(site, make_copy, environment):
    """Return a function that copies the Site for an error tracker and gives it its own .venv.

    The function returns the copy and the environment in which that .venv is active.
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
    """Return a function that copies the Site for an error tracker without .env, as deployed."""

    def deploy(error_tracker="rollbar"):
        deployed = make_copy(site(error_tracker))
        (deployed.path / ".env").unlink()
        shutil.rmtree(deployed.path / ".git")
        return deployed

    return deploy


@pytest.fixture(scope="session")
def collect(shared):
    """Return a function that collects the static files of a Site.

    The files are the same for all sites, and compressing them is slow, so this runs once.
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
    """Return a function that copies the template and appends lines to its files."""

    def append(settings="", bootstrap=""):
        template = tmp_path / "template"
        copy_template(template)
        for file, lines in {"project/settings.py": settings, "bootstrap.py": bootstrap}.items():
            with (template / TEMPLATE.name / file).open("a", encoding="utf-8") as opened:
                opened.write(f"\n{lines}\n")
        return template

    return append


@pytest.fixture
def render(cookies, monkeypatch):
    """Return a function that renders the template without running bootstrap.py."""
    monkeypatch.setenv("COOKIECUTTER_SKIP_SETUP", "1")

    def bake(**answers):
        return cookies.bake(extra_context=answers)

    return bake


@pytest.fixture
def serve():
    """Return a function that starts a server and waits for its port; stop it after the test."""
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
        deadline = time.monotonic() + 60
        while not listens(port):
            assert server.poll() is None and time.monotonic() < deadline, log.read_text()
            time.sleep(0.1)
        return server

    yield start
    for server in servers:
        if server.poll() is None:
            os.killpg(server.pid, signal.SIGTERM)
            server.wait(30)


@pytest.fixture(scope="session")
def postgres():
    """Return a running Postgres server: one for each pytest worker that needs it."""
    server = Postgres(unused_port())
    yield server
    server.remove()


@pytest.fixture
def free_port():
    """Return an unused port of the loopback interface."""
    return unused_port()
