"""A site on each Python of bootstrap.py, with each tracker: the table of docs/updating.md.

A Python comes from pyenv or PATH, otherwise from Debian's unstable suite, if root has debootstrap.
"""

import os
import re
import shlex
import shutil
import signal
import subprocess
import uuid
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from filelock import FileLock
from support.client import PASSWORD, Client
from support.containers import CERTIFICATES, must
from support.fake_tracker import FakeTracker
from support.generated import (
    BIN,
    QUESTIONS,
    TEMPLATE,
    listens,
    procfile,
    run,
    unused_port,
    variables,
    wait_until,
)
from support.router import https

pytestmark = [pytest.mark.slow, pytest.mark.exotic]

LISTED = re.search(r"PYTHONS = \[(.+)\]", (TEMPLATE / "bootstrap.py").read_text())[1]
PYTHONS = re.findall(r"3\.\d+", LISTED)
SID = Path.home() / ".cache" / "django-site-pythons" / "sid"


class Machine:
    """The machine that has a Python: this one, or a chroot."""

    def __init__(self, python, root=None):
        self.python = python
        self.root = root

    def command(self, folder, line):
        """Return the command that runs a shell's `line` in a project's folder."""
        chroot = ["chroot", str(self.root)] if self.root else []
        return [*chroot, "bash", "-c", f"cd {shlex.quote(str(folder))} && {line}"]


def on_this_machine(version):
    """Return the path of a Python of pyenv or in PATH, or None."""
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    found = sorted(pyenv.glob(f"versions/{version}*/bin/python"))
    return found[0] if found else shutil.which(f"python{version}")


def debian_unstable(shared):
    """Return the chroot of a Debian with the newest Pythons, created once for all runs."""
    with FileLock(shared / "sid.lock"):
        if not SID.exists():
            partial = SID.with_name(f"partial-{os.getpid()}")
            partial.mkdir(parents=True)
            packages = ",".join(f"python{version}-venv" for version in PYTHONS[:2])
            include = f"--include=ca-certificates,{packages}"
            must(["debootstrap", "--variant=minbase", include, "sid", partial])
            partial.rename(SID)
        shutil.copy(CERTIFICATES, SID / CERTIFICATES.relative_to("/"))
        shutil.copy("/etc/resolv.conf", SID / "etc")
        shutil.copy(BIN / "uv", SID / "usr" / "local" / "bin")
    return SID


@pytest.fixture(params=PYTHONS)
def machine(request, shared):
    version = request.param
    python = on_this_machine(version)
    if python:
        return Machine(python)
    if os.getuid() != 0 or not shutil.which("debootstrap"):
        pytest.skip(f"Python {version} is not installed, and root has no debootstrap")
    machine = Machine(f"python{version}", debian_unstable(shared))
    if run(machine.command("/", f"python{version} --version"), "/").returncode != 0:
        pytest.skip(f"Debian's unstable suite no longer has Python {version}")
    return machine


@pytest.fixture
def folders(machine, tmp_path):
    """Yield the path of a new project folder on this machine, and its path in the chroot."""
    if machine.root:
        inside = Path("/srv", uuid.uuid4().hex)
        outside = machine.root / inside.relative_to("/")
        yield outside, inside
        shutil.rmtree(outside, ignore_errors=True)
    else:
        yield tmp_path / "site", tmp_path / "site"


@pytest.mark.parametrize("error_tracker", QUESTIONS["error_tracker"])
def test_site_is_verified_released_and_served_on_each_python(
    render, machine, folders, error_tracker, environment, postgres, tmp_path, tell
):
    """Run bootstrap.py, the site's own tests, its release and web lines, and request /boom/."""
    site, inside = folders
    shutil.copytree(render(error_tracker=error_tracker).project_path, site)
    path = f"{inside}/.venv/bin:{os.environ['PATH']}"
    uv = "/usr/local/bin/uv" if machine.root else str(BIN / "uv")
    basics = environment | {"PATH": path, "UV": uv}

    def typed(line, **changes):
        done = run(machine.command(inside, line), "/", basics | changes)
        assert done.returncode == 0, done.out
        return done.stdout

    version = typed(f"{machine.python} --version").removeprefix("Python ").strip()
    (site / ".python-version").write_text(".".join(version.split(".")[:2]) + "\n")
    assert "\nVerified" in typed(f"{machine.python} bootstrap.py")
    assert typed("python --version").removeprefix("Python ").strip() == version
    tests = re.search(r"\d+ passed", typed("pytest"))[0]

    kind = "rollbar" if error_tracker == "none" else error_tracker
    with FakeTracker(kind) as tracker, ExitStack() as servers:
        production = variables(site / "tests" / "production.env") | tracker.variables
        production["DATABASE_URL"] = postgres.database(f"python_{uuid.uuid4().hex}")
        production["FORWARDED_ALLOW_IPS"] = "*"
        production["PYTHONWARNINGS"] = "error,ignore::ResourceWarning"
        (site / ".env").unlink()
        lines = procfile(site)
        typed("python manage.py collectstatic --noinput", **production)
        typed(lines["release"], **production)
        production["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
        ada = "--noinput --username=ada --email=ada@example.com"
        typed(f"python manage.py createsuperuser {ada}", **production)

        port = servers.enter_context(
            web(machine.command(inside, lines["web"]), basics | production)
        )
        router = servers.enter_context(https(tmp_path, port))
        ada = Client(router.server_port, tls=True)
        assert ada.log_in("ada") == 302
        assert ada.get("/boom/")[0] == 500
        expected = 0 if error_tracker == "none" else 1
        tracker.wait_for(expected)

    assert len(tracker.items) == expected
    result = f"verified, {tests}, released, served, {expected} of 1 error reported"
    tell(f"Python {version}, {error_tracker}", result.replace("0 of 1 error", "no error"))


@contextmanager
def web(command, environment):
    """Run the web line at an unused port, and yield the port."""
    port = unused_port()
    process = subprocess.Popen(
        command,
        env=environment | {"PORT": str(port)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        wait_until(lambda: listens(port) or process.poll() is not None)
        yield port
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGTERM)
        print(process.communicate(timeout=40)[0].decode())
