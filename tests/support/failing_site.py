"""A site with the failing views and middleware of failing.py, which reports to a tracker."""

import json
import os
import re
import secrets
import signal
import time
from pathlib import Path

from support.client import HTTPS, Client
from support.fake_tracker import HOST
from support.generated import procfile

COMMAND = """from django.core.management import BaseCommand


class Command(BaseCommand):
    def handle(self, **options):
        raise RuntimeError("crash in command")
"""
VIEWS = Path(__file__).with_name("failing.py")
QUOTING = Path(__file__).with_name("quoting.py")
# The functions of quoting.py, each with whether its secret may reach the tracker.
QUOTED = {
    name: rule == "may"
    for rule, name in re.findall(r"^@(may|never)\ndef (\w+)", QUOTING.read_text("utf-8"), re.M)
}


class Secrets(dict):
    """A dict that generates a secret for each missing name."""

    def __missing__(self, name):
        self[name] = secrets.token_hex(8)
        return self[name]


class FailingSite:
    """A copy of a Site, with the views and middleware of failing.py, that reports to `tracker`."""

    def __init__(self, site, tracker, port):
        self.site = site
        self.port = port
        self.secrets = Secrets()
        path = f"{site.python.parent}:{os.environ['PATH']}"
        self.variables = site.production(PATH=path, PORT=str(port), ALLOWED_HOSTS=HOST)
        self.variables |= tracker.variables
        views = VIEWS.read_text(encoding="utf-8")
        names = re.findall(r'SECRETS\["(.+?)"\]', views)
        in_views = {name: self.secrets[name] for name in names}
        self.quoted = {name: secrets.token_hex(8) for name in QUOTED}
        in_views |= self.quoted
        (site.path / "secrets.json").write_text(json.dumps(in_views))
        (site.path / "application" / "failing.py").write_text(views, encoding="utf-8")
        (site.path / "application" / "quoting.py").write_text(QUOTING.read_text("utf-8"), "utf-8")
        commands = site.path / "application" / "management" / "commands"
        commands.mkdir(parents=True)
        (commands / "fail.py").write_text(COMMAND)
        (site.path / "staticfiles").mkdir()
        site.replace(
            "application/urls.py",
            "urlpatterns = [",
            "from application import failing\n\nurlpatterns = failing.urlpatterns + [",
        )
        site.replace(
            "project/settings.py",
            "env.refuse_problems()",
            'MIDDLEWARE.insert(0, "application.failing.First")\n'
            'MIDDLEWARE.append("application.failing.Last")\n'
            "env.refuse_problems()",
        )

    def manage(self, *arguments):
        """Run manage.py with the site's environment variables, and check that it succeeds."""
        done = self.site.manage(*arguments, env=self.variables)
        assert done.returncode == 0, done.out

    def start(self, serve):
        """Start the Procfile's web line."""
        web = procfile(self.site.path)["web"]
        self.server = serve(self.site, "bash", "-c", web, env=self.variables, port=self.port)

    def stop(self):
        """Send SIGTERM; return the exit code and the seconds that it took.

        With WNOWAIT, the fixture `serve` can still collect the exit code.
        """
        began = time.monotonic()
        os.kill(self.server.pid, signal.SIGTERM)
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while not (ended := os.waitid(os.P_PID, self.server.pid, how)):
            assert time.monotonic() - began < 40
            time.sleep(0.05)
        return ended.si_status, time.monotonic() - began

    def request(self, path, data=None, **headers):
        """Send a request as a proxy does; return status, headers and text of the response."""
        method = "GET" if data is None else "POST"
        return Client(self.port, HOST).request(method, path, data, **HTTPS | headers)

    def log(self):
        """Return what the server has printed."""
        return (self.site.path / f"server-{self.port}.log").read_text()
