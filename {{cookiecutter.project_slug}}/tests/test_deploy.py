"""The deployment checks, and the Procfile's web line as in production."""

import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Thread
from unittest import skipIf
from urllib.parse import urlsplit

from django.conf import settings
from django.db import connection
from django.test import SimpleTestCase, TransactionTestCase
from django.urls import reverse

from bootstrap import clean_environment, run
from project.environment import read_file

HOST = "www.example.com"
NOWHERE = "127.0.0.1:9"  # where tests/production.env has the error tracker
PRODUCTION = read_file(settings.BASE_DIR / "tests" / "production.env")
# To be quick, static files are not compressed.
SETTINGS = """from project.settings import *
STATIC_ROOT = {!r}
WHITENOISE_SKIP_COMPRESS_EXTENSIONS = ["css", "js", "svg"]
"""
# Run before the web line. It prints the session cookie of a staff user.
PREPARE = """
from django.core.management import call_command
from django.test import Client
from tests import make_user
call_command("collectstatic", interactive=False, verbosity=0)
call_command("migrate", verbosity=0)
client = Client()
client.force_login(make_user(is_staff=True))
print(client.cookies.output(attrs=[], header="").strip(), end="")
"""


class ConfigurationTests(SimpleTestCase):
    def test_env_example_lists_each_variable_that_the_settings_read(self):
        source = (settings.BASE_DIR / "project" / "settings.py").read_text(encoding="utf-8")
        read = set(re.findall(r'\benv(?:\.\w+)?\(\s*"([A-Z0-9_]+)"', source))

        self.assertEqual(read, set(read_file(settings.BASE_DIR / ".env.example")))

    def test_deployment_checks_pass_with_production_variables(self):
        checks = [sys.executable, "-c", "import bootstrap; bootstrap.run_checks()"]
        checked = run(checks, clean_environment())
        self.assertEqual(checked.returncode, 0, checked.stderr)


class FakeTracker(BaseHTTPRequestHandler):
    def do_POST(self):
        self.server.items += 1
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response_only(200)  # send_response would log a line
        self.end_headers()


@skipIf(os.name == "nt", "gunicorn does not run on Windows; in WSL it does: https://aka.ms/wsl")
class WebLineTests(TransactionTestCase):
    def setUp(self):
        folder = Path(self.enterContext(TemporaryDirectory()))
        self.log = folder / "log"
        self.tracker = self.enterContext(HTTPServer(("127.0.0.1", 0), FakeTracker))
        self.tracker.items = 0
        Thread(target=self.tracker.serve_forever, args=[0.05], daemon=True).start()
        self.addCleanup(self.tracker.shutdown)
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        (folder / "rehearsal.py").write_text(SETTINGS.format(str(folder / "static")))
        here = f"127.0.0.1:{self.tracker.server_port}"
        database = f"sqlite:///{folder}/db.sqlite3"  # not the tests' database, which is in memory
        if connection.vendor != "sqlite":
            name = connection.settings_dict["NAME"]
            database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
        self.environment = {
            **clean_environment(),
            **{name: value.replace(NOWHERE, here) for name, value in PRODUCTION.items()},
            "ALLOWED_HOSTS": HOST,
            "DATABASE_URL": database,
            "DJANGO_SETTINGS_MODULE": "rehearsal",
            "GUNICORN_CMD_ARGS": f"--bind 127.0.0.1:{self.port}",
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(folder),
            "PYTHONWARNINGS": "error::RuntimeWarning",  # that of gunicorn.conf.py
        }

    def start(self):
        """Start the web line, and return when it listens."""
        line = re.search("^web: (.+)$", (settings.BASE_DIR / "Procfile").read_text(), re.M)[1]
        log = self.enterContext(self.log.open("w"))
        output = {"stdout": log, "stderr": log, "start_new_session": True}
        command = ["bash", "-c", line]
        self.web = subprocess.Popen(command, cwd=settings.BASE_DIR, env=self.environment, **output)
        self.addCleanup(self.stop)
        until = time.monotonic() + 30
        with socket.socket() as client:
            while client.connect_ex(("127.0.0.1", self.port)) != 0:
                assert self.web.poll() is None and time.monotonic() < until, self.log.read_text()
                time.sleep(0.05)

    def stop(self):
        """Send SIGTERM to all its processes, as Heroku does; return the exit code."""
        if self.web.poll() is None:
            os.killpg(self.web.pid, signal.SIGTERM)
        return self.web.wait(25)

    def get(self, path, cookie="", proto="https"):
        """Return status, headers and text of the response to a request through a router."""
        headers = {"Host": HOST, "X-Forwarded-Proto": proto, "Cookie": cookie}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=10)) as client:
            client.request("GET", path, headers=headers)
            response = client.getresponse()
            return response.status, response.headers, response.read().decode()

    def test_from_the_first_request_to_sigterm(self):
        command = [sys.executable, "manage.py", "shell", "--no-imports", "-c", PREPARE]
        prepared = run(command, self.environment)
        self.assertEqual(prepared.returncode, 0, prepared.stderr)
        self.start()

        self.assertEqual(self.get("/", proto="http")[1]["Location"], f"https://{HOST}/")
        self.assertLess(self.get("/")[0], 500, self.log.read_text())
        _, _, page = self.get(reverse("admin:login"))  # it has a style sheet
        _, headers, _ = self.get(re.search(r'href="(/static/.+?\.css)"', page)[1])
        self.assertIn("immutable", headers["Cache-Control"])
        self.assertEqual(self.get("/nothing/")[0], 404)
        status, _, page = self.get("/boom/", prepared.stdout)
        self.assertEqual(status, 500)
        self.assertRegex(page, "<h[1-6]")
        self.assertEqual(self.stop(), 0, self.log.read_text())
        self.assertEqual(self.log.read_text().count("Traceback"), 1)
        self.assertEqual(self.tracker.items, int(NOWHERE in str(PRODUCTION)))
