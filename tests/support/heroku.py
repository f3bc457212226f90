"""What Heroku does with a repository: the build, the release phase, dynos that come and go.

As in heroku-buildpack-python v351: lib/package_manager.sh, lib/python_version.sh and lib/checks.sh
refuse, lib/uv.sh installs, bin/steps/collectstatic collects, bin/compile and vendor/*.sh say which
variables a dyno has. Dynos start and stop as in https://devcenter.heroku.com/articles/dynos.
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
# A dyno may not write to what was built: for root only a mount can see to that. A write that
# succeeds ends it.
READ_ONLY = """
[ $UID != 0 ] || { mount --bind "$HOME" "$HOME" && mount -o remount,ro,bind "$HOME"; } || exit 98
cd "$HOME"
if touch written 2>/dev/null; then echo "The build can be written to."; exit 97; fi
exec bash -c "$LINE"
"""


def refusals(app):
    """Return why the buildpack would not build the files in `app`: a sentence each."""
    found = [name for name in LOCKS if (app / name).is_file()]
    if found != ["uv.lock"]:
        yield f"Exactly one lock file, uv.lock, is wanted, and there are {found}."
    if (app / "runtime.txt").exists():
        yield "runtime.txt is deprecated, and .python-version has no say where it is."
    if not (app / ".python-version").is_file():
        yield "With uv, .python-version is wanted."
    else:
        lines = (app / ".python-version").read_text().splitlines()
        versions = [line.strip() for line in lines if line.strip() and line.strip()[0] != "#"]
        if len(versions) != 1 or not re.fullmatch(VERSION, versions[0]):
            yield f".python-version wants one version such as 3.13, and has {versions}."
    for folder in (".venv", "venv"):
        if (app / folder / "pyvenv.cfg").exists():
            yield f"{folder} is a virtual environment, and works on one machine only."
    if (app / ".heroku" / "python").exists():
        yield ".heroku/python is where the buildpack puts its own."


def config_vars(app):
    """Return the variables that README.md has its reader set, and the add-on's, made up."""
    line = re.search("^heroku config:set (.+)$", (app / "README.md").read_text(), re.MULTILINE)[1]
    made_up = variables(app / "tests" / "production.env")
    return {name: made_up[name] for name in [*re.findall(r"(\w+)=", line), "DATABASE_URL"]}


class App:
    """An app: what is committed in a repository, in the folder that dynos get a copy of."""

    def __init__(self, folder, **config):
        self.folder = folder
        self.config = config_vars(folder) | config
        self.path = f"{folder}/.venv/bin:/usr/bin:/bin"
        self.lines = procfile(folder)

    def run(self, command, **changes):
        """Run `command` through bash with the config vars, some of them changed, and no more."""
        environment = {"PATH": self.path} | self.config | changes
        return run(["bash", "-c", command], self.folder, environment)

    def dyno(self, port, name="web.1", **changes):
        """Start a web dyno at a port, and return it when it listens."""
        return Dyno(self, port, name, changes)


def build(repository, folder, python, uv):
    """Clone a repository into `folder`, build it there, and return the App.

    `python` stands in for the interpreter that the buildpack fetches by .python-version.
    """
    done = run(["git", "clone", "--quiet", repository, folder], repository)
    assert done.returncode == 0, done.out
    assert list(refusals(folder)) == []
    wanted = (folder / ".python-version").read_text().strip()
    assert run([python, "--version"], folder).out.startswith(f"Python {wanted}")

    environment = os.environ | {"UV_PYTHON": str(python), "UV_PYTHON_DOWNLOADS": "never"}
    sync = [uv, "sync", "--locked", "--no-default-groups", "--compile-bytecode"]
    done = run(sync, folder, environment)
    assert done.returncode == 0, done.out

    app = App(folder)
    done = app.run("python manage.py collectstatic --noinput --traceback")
    assert done.returncode == 0, done.out
    if os.getuid() != 0:  # for root, each dyno sees to it
        done = run(["chmod", "-R", "a-w", folder], folder)
        assert done.returncode == 0, done.out
    return app


class Dyno:
    """A web dyno: the Procfile's web line, on a build that cannot be written to."""

    def __init__(self, app, port, name, changes):
        self.port = port
        self.log = app.folder.parent / f"{name}-{port}.log"
        command = ["bash", "-c", READ_ONLY]
        # A mount of its own; for others than root, chmod has seen to it.
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
        except BaseException:  # an interrupt, too, leaves none behind
            os.killpg(self.process.pid, signal.SIGKILL)
            raise

    def variables(self, app, name):
        """Return what the platform and its buildpack set, and that warnings are errors.

        But for psycopg's, that connections which are kept were not closed when a worker ends.
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
        """Return the ids of the processes that gunicorn's master has started."""
        master = self.process.pid
        return [
            int(pid) for pid in Path(f"/proc/{master}/task/{master}/children").read_text().split()
        ]

    def text(self):
        """Return what it has written to its log."""
        return self.log.read_text()

    def stop(self):
        """Send SIGTERM to all its processes; return the exit code and the seconds that it took."""
        began = time.monotonic()
        os.killpg(self.process.pid, signal.SIGTERM)
        return self.process.wait(40), time.monotonic() - began
