"""A fake Rollbar or Sentry on loopback, which keeps the items that it receives."""

import gzip
import json
import secrets
import subprocess
import threading
import time
from collections import namedtuple
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "www.example.com"
PATHS = {"rollbar": "/api/1/item/", "sentry": "/api/1/envelope/"}
# The response in each mode: status, content type and text. Two more modes send no response:
# "hanging" receives an item and keeps the connection open; "refusing" refuses connections.
ANSWERS = {
    "ok": (200, "application/json", '{"err": 0, "result": {}}'),
    "413": (413, "application/json", '{"err": 1, "message": "too large"}'),
    "429": (429, "application/json", '{"err": 1, "message": "over the limit"}'),
    "503": (503, "text/html", "<p>Down\n<p>for now.\n"),
    "500": (500, "text/html", "<!doctype html>\n<title>500</title>\n<p>Out of\n<p>order.\n"),
}
# Sentry's client compresses with brotli if it is installed. A site has it; the tests do not.
UNPACK_BROTLI = (
    "import brotli, sys; sys.stdout.buffer.write(brotli.decompress(sys.stdin.buffer.read()))"
)

Item = namedtuple("Item", ["headers", "body"])


class FakeTracker:
    """A fake Rollbar or Sentry at a port of its own; a context manager."""

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
        """Wait at most ten seconds for `count` items, and one second more for unexpected items."""
        deadline = time.monotonic() + 10
        while len(self.items) < count and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(1)

    def texts(self, python):
        """Return the bodies of the items as text; `python` is the site's, which has brotli."""
        return [unpacked(item, python).decode() for item in self.items]

    def reports(self, python):
        """Return the payload of each item as a dict."""
        if self.kind == "rollbar":
            return [json.loads(text)["data"] for text in self.texts(python)]
        return [json.loads(text.splitlines()[2]) for text in self.texts(python)]


class Server(ThreadingHTTPServer):
    request_queue_size = 100  # a burst opens many connections at once


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
        """Log nothing."""


def unpacked(item, python):
    """Return the decompressed body of an item."""
    encoding = item.headers.get("Content-Encoding")
    if encoding == "br":
        command = [python, "-c", UNPACK_BROTLI]
        return subprocess.run(command, input=item.body, stdout=subprocess.PIPE, check=True).stdout
    return gzip.decompress(item.body) if encoding == "gzip" else item.body


def texts_of(kind, report):
    """Return the texts of a report's exceptions, its message, and its extra data."""
    if kind == "rollbar":
        body = report["body"]
        traces = body.get("trace_chain") or [it for it in [body.get("trace")] if it]
        exceptions = [it["exception"]["message"] for it in traces]
        return exceptions, body.get("message", {}).get("body"), report.get("custom", {})
    exceptions = [it["value"] for it in report.get("exception", {}).get("values", [])]
    return exceptions[::-1], report.get("message"), report.get("extra", {})
