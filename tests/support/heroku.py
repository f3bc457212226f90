"""Simulates Heroku: the build, the release phase, and dynos that start and stop.

The build follows heroku-buildpack-python v351: lib/package_manager.sh, lib/python_version.sh and
lib/checks.sh reject a repository, lib/uv.sh installs, bin/steps/collectstatic collects, bin/compile
and vendor/*.sh set the environment variables of a dyno. Dynos start and stop as in
https://devcenter.heroku.com/articles/dynos.
"""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

from support.generated import listens, procfile, run, variables

LOCKS = ["Pipfile.lock", "requirements.txt", "poetry.lock", "uv.lock"]
VERSION = r"(0|[1-9]\d*)\.(0|[1-9]\d*)(\.(0|[1-9]\d*))?"
# Makes the build read-only. As root, this needs a mount, because root ignores file permissions. If
# a write succeeds all the same, the dyno exits.
READ_ONLY = """
[ $UID != 0 ] || { mount --bind "$HOME" "$HOME" && mount -o remount,ro,bind "$HOME"; } || exit 98
cd "$HOME"
if touch written 2>/dev/null; then echo "The build is writable."; exit 97; fi
exec bash -c "$LINE"
"""


def build_errors(app):
    """Yield each reason why the buildpack would reject the files in `app`, as a sentence."""
    found = [name for name in LOCKS if (app / name).is_file()]
    if found != ["uv.lock"]:
        yield f"There must be exactly one lock file, uv.lock, and there are {found}."
    if (app / "runtime.txt").exists():
        yield "runtime.txt is deprecated, and overrides .python-version."
    if not (app / ".python-version").is_file():
        yield "With uv, .python-version is required."
    else:
        lines = (app / ".python-version").read_text().splitlines()
        versions = [line.strip() for line in lines if line.strip() and line.strip()[0] != "#"]
        if len(versions) != 1 or not re.fullmatch(VERSION, versions[0]):
            yield f".python-version must have one version such as 3.13, and has {versions}."
    for folder in (".venv", "venv"):
        if (app / folder / "pyvenv.cfg").exists():
            yield f"{folder} is a virtual environment, which works on one machine only."
    if (app / ".heroku" / "python").exists():
        yield ".heroku/python is where the buildpack installs Python."


def config_vars(app):
    """Return fake values for the config vars that README.md sets, and for DATABASE_URL."""
    line = re.search("^heroku config:set (.+)$", (app / "README.md").read_text(), re.MULTILINE)[1]
    fake = variables(app / "tests" / "production.env")
    return {name: fake[name] for name in [*re.findall(r"(\w+)=", line), "DATABASE_URL"]}


class App:
    """An app: the build of a repository in a folder, its config vars, and its Procfile."""

    def __init__(self, folder, **config):
        self.folder = folder
        self.config = config_vars(folder) | config
        self.path = f"{folder}/.venv/bin:/usr/bin:/bin"
        self.lines = procfile(folder)

    def run(self, command, **changes):
        """Run `command` in bash with only the config vars, some of them changed."""
        environment = {"PATH": self.path} | self.config | changes
        return run(["bash", "-c", command], self.folder, environment)

    def dyno(self, port, name="web.1", **changes):
        """Start a web dyno, and return it when it listens at the port."""
        return Dyno(self, port, name, changes)


def build(repository, folder, python, uv):
    """Clone a repository into `folder`, build it there, and return the App.

    `python` replaces the interpreter that the buildpack downloads for .python-version.
    """
    done = run(["git", "clone", "--quiet", repository, folder], repository)
    assert done.returncode == 0, done.out
    assert list(build_errors(folder)) == []
    wanted = (folder / ".python-version").read_text().strip()
    assert run([python, "--version"], folder).out.startswith(f"Python {wanted}")

    environment = os.environ | {"UV_PYTHON": str(python), "UV_PYTHON_DOWNLOADS": "never"}
    sync = [uv, "sync", "--locked", "--no-default-groups", "--compile-bytecode"]
    done = run(sync, folder, environment)
    assert done.returncode == 0, done.out

    app = App(folder)
    done = app.run("python manage.py collectstatic --noinput --traceback")
    assert done.returncode == 0, done.out
    if os.getuid() != 0:  # as root, each dyno mounts it read-only
        done = run(["chmod", "-R", "a-w", folder], folder)
        assert done.returncode == 0, done.out
    return app


class Dyno:
    """A web dyno: runs the Procfile's web line on a read-only build."""

    def __init__(self, app, port, name, changes):
        self.port = port
        self.log = app.folder.parent / f"{name}-{port}.log"
        command = ["bash", "-c", READ_ONLY]
        # As root, in a mount namespace of its own; otherwise build() has made the folder read-only.
        command = ["unshare", "--mount", *command] if os.getuid() == 0 else command
        with self.log.open("w") as opened:
            self.process = subprocess.Popen(
                command,
                env=self.variables(app, name) | app.config | changes,
                stdin=subprocess.DEVNULL,
                stdout=opened,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        until = time.monotonic() + 60
        try:
            while not listens(port):
                assert self.process.poll() is None and time.monotonic() < until, self.text()
                time.sleep(0.05)
        except BaseException:  # also after an interrupt, no process is left
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def variables(self, app, name):
        """Return the environment of the platform and its buildpack, with warnings as errors.

        The exception is psycopg's ResourceWarning: a worker exits with persistent connections open.
        """
        return {
            "HOME": str(app.folder),
            "PATH": app.path,
            "PORT": str(self.port),
            "DYNO": name,
            "DYNO_RAM": "512",
            "FORWARDED_ALLOW_IPS": "*",
            "GUNICORN_CMD_ARGS": "--access-logfile -",
            "LANG": "en_US.UTF-8",
            "LINE": app.lines["web"],
            "PYTHONPATH": str(app.folder),
            "PYTHONUNBUFFERED": "true",
            "PYTHONWARNINGS": "error,ignore::ResourceWarning",
            "WEB_CONCURRENCY": "2",
            "WEB_CONCURRENCY_SET_BY": "heroku/python",
        }

    def workers(self):
        """Return the process IDs of gunicorn's workers."""
        master = self.process.pid
        return [
            int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()
        ]

    def text(self):
        """Return the text of the log."""
        return self.log.read_text()

    def stop(self):
        """Send SIGTERM to all its processes; return the exit code and the seconds that it took."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(40), time.monotonic() - began
