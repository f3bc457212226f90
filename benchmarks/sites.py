"""The sites that are compared: plain startproject, and a generated one."""

import itertools
import os
import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.request import Request, urlopen

from support.generated import cookiecutter, environment_in, procfile, run, unused_port, variables

HERE = Path(__file__).resolve().parent
HOST = "www.example.com"
NUMBERS = itertools.count()
TICKS = os.sysconf("SC_CLK_TCK")  # the kernel's units of CPU time in a second
PAGE = "<!doctype html>\n<title>Page</title>\n<h1>{{ person.username }}</h1>\n"
PLAIN_LINE = "gunicorn project.wsgi --workers 2 --log-file -"
# The least that must be changed in the settings of startproject to deploy it.
PLAIN_SETTINGS = """
import environ
DEBUG = False
ALLOWED_HOSTS = ["*"]
TEMPLATES[0]["DIRS"] = [BASE_DIR / "templates"]
DATABASES = {"default": environ.Env().db("DATABASE_URL")}
"""
WHITENOISE = """
STATIC_ROOT = BASE_DIR / "staticfiles"
MIDDLEWARE.insert(1, "whitenoise.middleware.WhiteNoiseMiddleware")
STORAGES = {
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
"""


class Measured:
    """A site that can be started, with the views of views.py and a user called ada."""

    def __init__(self, folder, python, line, postgres, **environment):
        self.folder = folder
        self.database = f"site{next(NUMBERS)}"
        environment["DATABASE_URL"] = postgres.database(self.database)
        self.python = python
        self.line = line
        path = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        self.environment = {"PATH": path, "DJANGO_SUPERUSER_PASSWORD": "a-long-passphrase"}
        self.environment |= environment

    def prepare(self):
        """Migrate the database, and create the user ada."""
        self.manage("migrate", "--noinput")
        self.manage("createsuperuser", "--noinput", "--username=ada", "--email=ada@example.com")
        return self

    def manage(self, *arguments):
        done = run([self.python, "manage.py", *arguments], self.folder, self.environment)
        assert done.returncode == 0, done.out

    def start(self, workers=2, **changes):
        """Start the web line with `workers` workers; return the Server when it responds."""
        line = re.sub(r"--workers \d+", f"--workers {workers}", self.line)
        return Server(line, self.folder, self.environment | changes, workers)


def plain(folder, python, postgres, settings=""):
    """Create a Measured site with startproject."""
    folder.mkdir()
    done = run([python, "-m", "django", "startproject", "project", folder], folder)
    assert done.returncode == 0, done.out
    with (folder / "project" / "settings.py").open("a") as opened:
        opened.write(PLAIN_SETTINGS + settings)
    shutil.copy(HERE / "views.py", folder / "project" / "views.py")
    with (folder / "project" / "urls.py").open("a") as opened:
        opened.write("\nfrom project import views\n\nurlpatterns += views.urlpatterns\n")
    (folder / "templates").mkdir()
    (folder / "templates" / "benchmark.html").write_text(PAGE)
    site = Measured(folder, python, PLAIN_LINE, postgres)
    if settings == WHITENOISE:
        site.manage("collectstatic", "--noinput")
    return site.prepare()


def generated(folder, postgres, error_tracker):
    """Create a Measured site from the template, with the web line of its Procfile."""
    folder.mkdir()
    done = cookiecutter(folder, environment_in(folder), f"error_tracker={error_tracker}")
    assert done.returncode == 0, done.out
    site = folder / "my-site"
    (site / ".env").unlink()
    shutil.copy(HERE / "views.py", site / "application" / "benchmark.py")
    urls = (site / "application" / "urls.py").read_text()
    assert "urlpatterns = [" in urls
    ours = "from application import benchmark\n\nurlpatterns = benchmark.urlpatterns + ["
    (site / "application" / "urls.py").write_text(urls.replace("urlpatterns = [", ours))
    (site / "application" / "templates" / "benchmark.html").write_text(PAGE)
    environment = variables(site / "tests" / "production.env") | {"ALLOWED_HOSTS": HOST}
    python = site / ".venv" / "bin" / "python"
    made = Measured(site, python, procfile(site)["web"], postgres, **environment)
    made.manage("collectstatic", "--noinput")
    return made.prepare()


class Server:
    """A running site, with the CPU time and memory of its processes."""

    def __init__(self, line, folder, environment, workers):
        self.port = unused_port()
        began = time.monotonic()
        self.log = (folder / "server.log").open("w")
        self.process = subprocess.Popen(
            ["bash", "-c", line],
            cwd=folder,
            env=environment | {"PORT": str(self.port)},
            stdout=self.log,
            stderr=self.log,
            start_new_session=True,
        )
        while not self.responds():
            assert self.process.poll() is None, (folder / "server.log").read_text()
            time.sleep(0.01)
        self.boot = time.monotonic() - began
        while len(self.workers()) < workers:
            time.sleep(0.01)

    def __enter__(self):
        return self

    def __exit__(self, *error):
        os.killpg(self.process.pid, signal.SIGTERM)
        self.process.wait(40)
        self.log.close()

    def responds(self):
        request = Request(f"http://127.0.0.1:{self.port}/empty/", headers={
            "Host": HOST, "X-Forwarded-Proto": "https", "Connection": "close"})  # fmt: skip
        try:
            return urlopen(request, timeout=5).status == 200
        except OSError:
            return False

    def workers(self):
        """Return the process IDs of its workers."""
        master = self.process.pid
        return Path(f"/proc/{master}/task/{master}/children").read_text().split()

    def tree(self):
        return [str(self.process.pid), *self.workers()]

    def cpu(self, pid):
        """Return the CPU time of a process in seconds, in user mode and in the kernel."""
        stat = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS

    def all_cpu(self):
        return sum(self.cpu(pid) for pid in self.tree())

    def memory(self):
        """Return the PSS in MiB: shared memory is divided among the processes that share it."""
        texts = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in self.tree()]
        return sum(int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1]) for text in texts) / 1024
