"""Both ends of an error's way, on loopback: a site that fails, and a tracker that keeps the items."""

import gzip
import json
import os
import re
import secrets
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from generated import procfile

VIEWS = Path(__file__).with_name("failing.py")
HOST = "www.example.com"
PATHS = {"rollbar": "/api/1/item/", "sentry": "/api/1/envelope/"}
# What a tracker answers: status, type and text. Two more modes do not: "hanging" takes an item and
# stays silent, and where it is "refusing", nobody listens.
ANSWERS = {
    "ok": (200, "application/json", '{"err": 0, "result": {}}'),
    "429": (429, "application/json", '{"err": 1, "message": "over the limit"}'),
    "500": (500, "text/html", "<!doctype html>\n<title>500</title>\n<p>Out of\n<p>order.\n"),
}
# Sentry's client packs with brotli where that is installed, as it is in a site, but not here.
UNPACK_BROTLI = (
    "import brotli, sys; sys.stdout.buffer.write(brotli.decompress(sys.stdin.buffer.read()))"
)

Item = namedtuple("Item", ["headers", "body"])


class FakeTracker:
    """Plays Rollbar or Sentry at a port of its own, for as long as the `with` lasts."""

    def __init__(self, kind, mode="ok"):
        self.kind = kind
        self.mode = mode
        self.key = secrets.token_hex(16)
        self.items = []
        self.stopped = threading.Event()
        self.server = Server(("127.0.0.1", 0), Handler)
        self.server.tracker = self
        address = f"127.0.0.1:{self.server.server_port}"
        self.variables = {
            "rollbar": {
                "ROLLBAR_ACCESS_TOKEN": self.key,
                "ROLLBAR_ENDPOINT": f"http://{address}/api/1/",
            },
            "sentry": {"SENTRY_DSN": f"http://{self.key}@{address}/1"},
        }[kind]

    def __enter__(self):
        if self.mode == "refusing":
            self.server.server_close()
        else:
            threading.Thread(target=self.server.serve_forever, args=[0.05]).start()
        return self

    def __exit__(self, *error):
        self.stopped.set()
        if self.mode != "refusing":
            self.server.shutdown()
            self.server.server_close()

    def wait_for(self, count):
        """Wait until `count` items are here, ten seconds at most, and a second longer for others."""
        deadline = time.monotonic() + 10
        while len(self.items) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)

    def texts(self, python):
        """Return the bodies of the items as text; `python` is that of the site, which has brotli."""
        return [unpacked(item, python).decode() for item in self.items]

    def reports(self, python):
        """Return what each item has to say of an error, as a dict."""
        if self.kind == "rollbar":
            return [json.loads(text)["data"] for text in self.texts(python)]
        return [json.loads(text.splitlines()[2]) for text in self.texts(python)]


class Server(ThreadingHTTPServer):
    request_queue_size = 100  # a storm comes all at once


class Handler(BaseHTTPRequestHandler):
    timeout = 5

    def do_POST(self):
        tracker = self.server.tracker
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path != PATHS[tracker.kind]:
            self.send_error(404)
            return
        tracker.items.append(Item(self.headers, body))
        if tracker.mode == "hanging":
            tracker.stopped.wait(60)
            return
        status, content_type, text = ANSWERS[tracker.mode]
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, *args):
        """Say nothing."""


def unpacked(item, python):
    """Return the body of an item as it was before it was packed."""
    encoding = item.headers.get("Content-Encoding")
    if encoding == "br":
        command = [python, "-c", UNPACK_BROTLI]
        return subprocess.run(command, input=item.body, stdout=subprocess.PIPE, check=True).stdout
    return gzip.decompress(item.body) if encoding == "gzip" else item.body


class Secrets(dict):
    """Makes up a secret for each name that it is asked for."""

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
        in_views = {name: self.secrets[name] for name in re.findall(r'SECRETS\["(.+?)"\]', views)}
        (site.path / "secrets.json").write_text(json.dumps(in_views))
        (site.path / "application" / "failing.py").write_text(views, encoding="utf-8")
        (site.path / "staticfiles").mkdir()
        self.replace(
            "application/urls.py",
            "urlpatterns = [",
            "from application import failing\n\nurlpatterns = failing.urlpatterns + [",
        )
        self.replace(
            "project/settings.py",
            "env.refuse_problems()",
            'MIDDLEWARE.insert(0, "application.failing.First")\n'
            'MIDDLEWARE.append("application.failing.Last")\n'
            "env.refuse_problems()",
        )

    def replace(self, file, old, new):
        """Replace `old` in a file of the site by `new`."""
        path = self.site.path / file
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def manage(self, *arguments):
        """Run manage.py with the variables of the site."""
        done = self.site.manage(*arguments, env=self.variables)
        assert done.returncode == 0, done.out

    def start(self, serve):
        """Run what the Procfile has for the web."""
        web = procfile(self.site.path)["web"]
        self.server = serve(self.site, "bash", "-c", web, env=self.variables, port=self.port)

    def stop(self):
        """Send SIGTERM; return the exit code and the seconds that it took.

        WNOWAIT leaves the process for the fixture `serve` to end.
        """
        began = time.monotonic()
        os.kill(self.server.pid, signal.SIGTERM)
        how = os.WEXITED | os.WNOHANG | os.WNOWAIT
        while not (ended := os.waitid(os.P_PID, self.server.pid, how)):
            assert time.monotonic() - began < 40
            time.sleep(0.05)
        return ended.si_status, time.monotonic() - began

    def visit(self, path, data=None, **headers):
        """Return status, headers and text of an answer, whatever its status."""
        headers = {"Host": HOST, "X-Forwarded-Proto": "https"} | headers
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", data, headers)
        try:
            answer = urllib.request.urlopen(request, timeout=10)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            return answer.status, answer.headers, answer.read().decode()

    def log(self):
        """Return what the server has written to standard error."""
        return (self.site.path / f"server-{self.port}.log").read_text()
