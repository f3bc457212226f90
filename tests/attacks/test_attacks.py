"""Forged headers, large bodies and log injection, directly at a dyno or through the router.

Each figure is a row of the table at the end of the run.
"""

import re
import time
from urllib.parse import urlencode

import pytest
from support.client import HTTPS, Client, form, head, status_of

pytestmark = pytest.mark.slow

MEGABYTE = 1_000_000
TOKEN = "a" * 32
LOGIN = "/accounts/login/"


def lines_of(dyno, send):
    """Return the lines that a dyno writes to its log while `send()` runs."""
    before = len(dyno.text())
    send()
    time.sleep(0.5)
    return dyno.text()[before:].split("\n")


# --- Forged headers

HEADERS = {
    "SCRIPT_NAME": ("/foo/admin/login/", "SCRIPT_NAME: /foo", 404),
    "SCRIPT_NAME that does not match the path": ("/", "SCRIPT_NAME: /x", 200),
    "PATH_INFO": ("/", "PATH_INFO: /nothing/", 200),
    "X-Forwarded-Ssl": ("/", "X-Forwarded-Ssl: off", 200),
    "X-Forwarded-Protocol": ("/", "X-Forwarded-Protocol: http", 200),
    "X-Forwarded-Prefix": ("/", "X-Forwarded-Prefix: /x", 200),
    "X-Forwarded-For": ("/", "X-Forwarded-For: unknown", 200),
}


@pytest.mark.parametrize("name", HEADERS)
def test_forged_headers_are_ignored(deployed, name):
    path, header, status = HEADERS[name]

    assert status_of(deployed.dynos[0], head(f"GET {path}", header)) == status


# --- Bodies that are too large


def post(size):
    return head(f"POST {LOGIN}", *form(size))


def chunks(size, count):
    """Return the head of a chunked form, then the chunks, without the final one."""
    chunked = head(f"POST {LOGIN}", "Transfer-Encoding: chunked", *form(0)[1:])
    return [chunked, *[b"%x\r\n%s\r\n" % (size, b"a" * size)] * count]


LARGE = {
    "length, nothing sent": [post(300 * MEGABYTE)],
    "length, all sent": [post(30 * MEGABYTE), *[b"a" * MEGABYTE] * 30],
    "chunks": chunks(MEGABYTE, 30),
}


@pytest.mark.parametrize("name", LARGE)
def test_large_bodies_are_rejected(deployed, name, tell):
    """Check that the response is sent before the body is complete."""
    dyno = deployed.dynos[0]
    began = time.monotonic()
    status = status_of(dyno, *LARGE[name])

    tell(f"a large body: {name}", f"{status} after {time.monotonic() - began:.2f} s")
    assert status == 413
    assert Client(dyno.port).get(**HTTPS)[0] == 200


@pytest.mark.parametrize("size", [30 * MEGABYTE, 9 * MEGABYTE])
def test_large_bodies_are_rejected_through_the_router(deployed, size):
    """The router sends a complete request before it reads the response."""
    deployed.ada.get(LOGIN)
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    token = part.format("csrfmiddlewaretoken", deployed.ada.cookies["csrftoken"])
    file = part.format('x"; filename="x', "a" * size)
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    status, headers, text = deployed.ada.request("POST", LOGIN, f"{token}{file}--b--\r\n", **kind)

    assert status == (413 if size > 10 * MEGABYTE else 200)
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_chunked_form_is_read(deployed):
    """Django alone treats a chunked form as an empty one."""
    fields = urlencode({"csrfmiddlewaretoken": TOKEN, "username": "nobody", "password": "wrong"})
    chunked = head(f"POST {LOGIN}", "Transfer-Encoding: chunked", *form(0)[1:])
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(fields), fields.encode())

    assert status_of(deployed.dynos[0], chunked, body) == 200
    assert status_of(deployed.dynos[0], chunked, b"0\r\n\r\n") == 403  # no token


# --- Log injection

FORGED = [
    ("GET /%1b[2J%0d%0aERROR%20django.request%20forged", ""),
    ("GET /%0aINFO%20project%20forged?token=secret", ""),
    ("GET /%c2%85ERROR%20forged%e2%80%a8ERROR%20forged%c2%9b2J", ""),
    ("GET /nothing/", "X-Request-Id: a\x9b2J"),
    ("GET /nothing/", "X-Request-Id: a b request_id=forged"),
    ("GET /nothing/", "X-Request-Id: " + "a" * 201),
    ("GET /nothing/", "X-Request-Id: \xe9"),
    ("GET /\x1b[2J", ""),
    ("GET /", "X-Name: \x1b[2J"),
    ("G\x9bT /", ""),
    ("GET /", "Expect: \x9b"),
    ("GET /", "Transfer-Encoding: \x9b"),
    ("GET /", "Cookie: csrftoken=\x9b\x85"),
    ("POST /accounts/login/", "Referer: https://\x9b[2J/"),
    ("POST /accounts/login/", "Origin: https://\x85ERROR forged"),
]
LINE = re.compile(r"[A-Z]{3,8} |\[\d{4}-|  |$")


def test_clients_cannot_inject_log_lines(deployed):
    """Check the lines of gunicorn and Django; the access log has the path as it was sent."""
    dyno = deployed.dynos[0]
    lines = lines_of(dyno, lambda: [status_of(dyno, head(*it)) for it in FORGED])

    assert len(lines) > len(FORGED)
    assert all(line.isprintable() and LINE.match(line) for line in lines), lines
    assert not [line for line in lines if line.startswith(("ERROR", "INFO"))], lines
    assert any(
        line.startswith("GET /%1b[2J%0d%0aERROR%20django.request%20forged 404 ") for line in lines
    )
    assert "secret" not in "".join(lines)
    ids = [line.partition("request_id=")[2] for line in lines if "ms request_id=" in line]
    assert ids and all(re.fullmatch(r"[0-9a-f]{32}|-", it) for it in ids), ids


def test_clients_cannot_inject_lines_into_a_custom_access_log(deployed):
    """Log the User-Agent header, which is the client's raw text."""
    arguments = "--access-logfile - --access-logformat '%(m)s %(a)s'"
    with deployed.alone(GUNICORN_CMD_ARGS=arguments) as dyno:
        agent = "User-Agent: x\x85ERROR forged\x9b2J"
        lines = lines_of(dyno, lambda: status_of(dyno, head("GET /healthz", agent)))

    assert "GET x\\x85ERROR forged\\x9b2J" in lines, lines


def test_request_id_of_the_router_is_kept(deployed):
    dyno = deployed.dynos[0]
    lines = lines_of(
        dyno, lambda: status_of(dyno, head("GET /nothing/", "X-Request-Id: Root=1-a/b+c:d"))
    )

    assert sum("Root=1-a/b+c:d" in line for line in lines) == 2
