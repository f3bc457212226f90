"""An HTTP client for ports on loopback, and helpers that send raw requests."""

import http.client
import socket
import ssl
from contextlib import closing, suppress
from http.cookies import SimpleCookie
from urllib.parse import urlencode

HOST = "my-site.herokuapp.com"
HTTPS = {"X-Forwarded-Proto": "https"}  # as a router sets it
PASSWORD = "a-long-and-boring-passphrase"
FORM = "application/x-www-form-urlencoded"
TOKEN = "a" * 32  # a CSRF token: Django compares the cookie's with the form's


class Client:
    """A client that keeps cookies and follows no redirect.

    Each method returns the status, the headers and the text of a response.
    """

    def __init__(self, port, host=HOST, tls=False):
        self.port = port
        self.host = host
        self.tls = tls
        self.cookies = {}

    def connect(self, seconds=40):
        """Return a socket; the certificate is not verified, because it is for another name."""
        connection = socket.create_connection(("127.0.0.1", self.port), seconds)
        context = ssl._create_unverified_context()
        return context.wrap_socket(connection) if self.tls else connection

    def request(self, method, path, body=None, seconds=40, **headers):
        """Send a request over a new connection; `headers` replace those of the client."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.sock = self.connect(seconds)
        with closing(connection):
            own = {"Host": self.host, "Referer": f"https://{self.host}/"}
            own |= {"Cookie": self.cookie()} if self.cookies else {}
            connection.request(method, path, body, own | headers)
            response = connection.getresponse()
            text = response.read().decode(errors="replace")
        for header in response.headers.get_all("Set-Cookie") or []:
            self.cookies |= {name: it.value for name, it in SimpleCookie(header).items()}
        return response.status, response.headers, text

    def get(self, path="/", seconds=40, **headers):
        return self.request("GET", path, seconds=seconds, **headers)

    def post(self, path, fields, **headers):
        """Send a form with the CSRF token of an earlier response, or with a fake one."""
        token = self.cookies.setdefault("csrftoken", TOKEN)
        body = urlencode(fields | {"csrfmiddlewaretoken": token})
        return self.request("POST", path, body, **{"Content-Type": FORM} | headers)

    def cookie(self):
        """Return the value of the Cookie header."""
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def log_in(self, name, password=PASSWORD, **headers):
        """Log in to the admin; return the status: 302 if it succeeds, 200 if not."""
        fields = {"username": name, "password": password, "next": "/admin/"}
        return self.post("/admin/login/", fields, **headers)[0]


def responds_within_a_second(dyno):
    """Return whether a dyno serves the home page to a new connection within a second."""
    try:
        return Client(dyno.port).get(seconds=1, **HTTPS)[0] == 200
    except TimeoutError:
        return False


def head(request, *headers, host=f"Host: {HOST}", proto="X-Forwarded-Proto: https"):
    """Return the head of a request as bytes, and the empty line after it."""
    lines = [f"{request} HTTP/1.1", host, proto, f"Content-Type: {FORM}", *headers]
    return "\r\n".join([*filter(None, lines), "", ""]).encode("latin-1")


def form(size):
    """Return the headers that Django requires to read a form of `size` bytes."""
    return f"Content-Length: {size}", f"Cookie: csrftoken={TOKEN}", f"Origin: https://{HOST}"


def status_of(dyno, *parts, seconds=30):
    """Send the parts of a request; return the status, even of a response before the last part."""
    with socket.create_connection(("127.0.0.1", dyno.port), seconds) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
        return int(connection.makefile("rb").readline().split()[1])
