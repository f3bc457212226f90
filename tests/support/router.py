"""A simulated router: terminates TLS, sets X-Forwarded headers, and alternates between dynos.

It follows https://devcenter.heroku.com/articles/http-routing
"""

import http.client
import select
import ssl
import threading
import uuid
from collections import Counter
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.generated import run

SECONDS = 30  # then the router responds with 503


class Forward(BaseHTTPRequestHandler):
    """Forwards a client's requests to dynos, over kept-alive connections."""

    timeout = SECONDS
    protocol_version = "HTTP/1.1"  # keeps connections alive
    wbufsize = -1  # buffers a response and writes it at once

    def setup(self):
        super().setup()
        self.connections = {}

    def finish(self):
        with suppress(OSError):
            super().finish()
        for connection in self.connections.values():
            connection.close()

    def forward(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        before = self.headers.get("X-Forwarded-For")
        headers = dict(self.headers) | {
            "X-Forwarded-For": ", ".join(filter(None, [before, self.client_address[0]])),
            "X-Forwarded-Proto": "https",
            "X-Request-Id": self.headers.get("X-Request-Id", str(uuid.uuid4())),
        }
        with self.server.dyno() as port:
            try:
                self.respond(*self.request_dyno(port, body, headers))
            except (OSError, http.client.HTTPException) as error:
                self.server.errors.append(f"{self.command} {self.path} at {port}: {error!r}")
                self.respond(503, "Service Unavailable", [], b"Application error")

    do_GET = do_HEAD = do_OPTIONS = do_POST = forward

    def request_dyno(self, port, body, headers):
        """Send a request to a dyno; return status, reason, headers and content of the response."""
        connection = self.connections.pop(port, None)
        if connection and select.select([connection.sock], [], [], 0)[0]:
            connection.close()  # the dyno has closed it
            connection = None
        connection = connection or http.client.HTTPConnection("127.0.0.1", port, timeout=SECONDS)
        try:
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            content = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            raise
        if connection.sock:
            self.connections[port] = connection
        return response.status, response.reason, response.getheaders(), content

    def respond(self, status, reason, headers, content):
        self.send_response_only(status, reason)
        for name, value in headers:
            if name not in ("Connection", "Content-Length", "Transfer-Encoding"):
                self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *args):
        """Log nothing: the site logs its requests."""


class Router(ThreadingHTTPServer):
    """Forwards requests to the dynos that listen at `ports`, in turn."""

    request_queue_size = 100  # browsers open several connections at once

    def __init__(self, certificate, ports):
        super().__init__(("127.0.0.1", 0), Forward)
        self.certificate = certificate
        self.url = f"https://localhost:{self.server_port}"
        self.ports = list(ports)
        self.requests = 0
        self.in_flight = Counter()
        self.errors = []
        self.changed = threading.Condition()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        # The TLS handshake runs in each connection's own thread: browsers open idle connections.
        self.socket = context.wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    @contextmanager
    def dyno(self):
        """Choose a dyno for a request; yield its port."""
        with self.changed:
            self.requests += 1
            port = self.ports[self.requests % len(self.ports)]
            self.in_flight[port] += 1
        try:
            yield port
        finally:
            with self.changed:
                self.in_flight[port] -= 1
                self.changed.notify_all()

    def take_out(self, port):
        """Stop sending requests to a dyno, and wait for its in-flight requests."""
        with self.changed:
            self.ports.remove(port)
            assert self.changed.wait_for(lambda: not self.in_flight[port], SECONDS)

    def put_in(self, port):
        """Send requests to a dyno again."""
        with self.changed:
            self.ports.append(port)

    def handle_error(self, *args):
        """Log nothing: browsers close connections at any time, and tests check each response."""


@contextmanager
def https(folder, *ports):
    """Start a Router in front of these ports, with a certificate in `folder`; yield it."""
    certificate = folder / "localhost.pem"
    made = run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
         "-nodes", "-days", "2", "-keyout", certificate, "-out", certificate,
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-addext", "keyUsage=critical,digitalSignature,keyCertSign"],
        folder,
    )  # fmt: skip
    assert made.returncode == 0, made.out
    with Router(certificate, ports) as router:
        thread = threading.Thread(target=router.serve_forever, args=[0.05])
        thread.start()
        try:
            yield router
        finally:
            router.shutdown()
            thread.join()
