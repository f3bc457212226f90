"""Malformed requests, idle connections and slow clients, directly at a dyno's socket."""

import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
from support.client import HTTPS, Client, form, head, responds_within_a_second

pytestmark = pytest.mark.slow

FIELDS = b"&".join(b"field%d=1" % number for number in range(1100))
ABUSE = {
    "a host with a space": (head("GET /", host="Host: local host"), 400),
    "an unknown host": (head("GET /", host="Host: example.org"), 400),
    "two hosts": (head("GET /", "Host: example.org"), 400),
    "no host": (head("GET /", host=""), 400),
    "NUL in a header": (head("GET /", "X-Name: a\0b"), 400),
    "length and chunks": (
        head("POST /", "Content-Length: 5", "Transfer-Encoding: chunked") + b"0\r\n\r\n",
        400,
    ),
    "lines without CR": (head("GET /").replace(b"\r\n", b"\n"), 400),
    "a body of 3 MB": (head("POST /admin/login/", *form(3_000_000)) + b"a" * 3_000_000, 400),
    "1,100 fields": (head("POST /admin/login/", *form(len(FIELDS))) + FIELDS, 400),
    "a long path": (head("GET /" + "a" * 9000), 414),
    "a long header": (head("GET /", "X-Name: " + "a" * 9000), 431),
    "many headers": (head("GET /", *(f"X-Name-{n}: a" for n in range(200))), 431),
    "NUL in the path": (head("GET /%00"), 404),
    "NUL in a static path": (head("GET /static/%00.css"), 404),
    "path traversal": (head("GET /../../etc/passwd"), 404),
    "path traversal, static": (head("GET /static/../project/settings.py"), 404),
    "path traversal, encoded": (head("GET /static/..%2f..%2fproject%2fsettings.py"), 404),
    "path traversal, dots encoded": (head("GET /static/%2e%2e/%2e%2e/etc/passwd"), 404),
    "path traversal, backslashes": (head("GET /static/..%5c..%5cproject%5csettings.py"), 404),
    "an absolute path": (head("GET /static//etc/passwd"), 404),
    "two schemes": (head("GET /", proto="X-Forwarded-Proto: https,http"), 200),
}


@pytest.mark.parametrize("abuse", ABUSE)
def test_malformed_requests_get_a_response_and_do_not_affect_others(deployed, abuse):
    dyno = deployed.dynos[0]
    request, expected = ABUSE[abuse]
    with socket.create_connection(("127.0.0.1", dyno.port), 30) as connection:
        try:
            connection.sendall(request)
        except (BrokenPipeError, ConnectionResetError):
            pass  # the server responded before it had read all
        status = int(connection.makefile("rb").readline().split()[1])

    assert status == expected
    assert Client(dyno.port).get("/", **HTTPS)[0] == 200
    assert len(dyno.workers()) == 2


@pytest.mark.exotic
def test_fifty_idle_connections_delay_neither_requests_nor_shutdown(deployed):
    with deployed.alone() as dyno, ExitStack() as idle:
        for _ in range(50):
            idle.enter_context(socket.create_connection(("127.0.0.1", dyno.port), 30))
        answered = [responds_within_a_second(dyno) for _ in range(100)]
        code, seconds = dyno.stop()

    assert answered == [True] * 100
    assert code == 0 and seconds < 22


def send_slowly(port, at_once, slowly, enough):
    """Send part of a request at once, then the rest a byte at a time, until `enough` is set."""
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(at_once)
        for byte in slowly:
            connection.sendall(bytes([byte]))
            if enough.wait(0.1):
                break


@pytest.mark.exotic
@pytest.mark.parametrize("what", ["headers", "bodies"])
def test_requests_succeed_after_slow_clients(deployed, record_property, what):
    """Measure how many requests get a response while slow clients hold a thread each.

    docs/rehearsal.md says which slow clients Heroku's router stops. After they disconnect, all
    requests must succeed.
    """
    parts = {
        "headers": (b"GET / HTTP/1.1\r\n", b"X-Name: " + b"a" * 1000),
        "bodies": (head("POST /admin/login/", *form(1000)), b"a" * 1000),
    }
    enough = threading.Event()
    with deployed.alone() as dyno, ThreadPoolExecutor(20) as slow, ThreadPoolExecutor(8) as others:
        for _ in range(20):
            slow.submit(send_slowly, dyno.port, *parts[what], enough)
        time.sleep(0.5)
        answered = list(others.map(responds_within_a_second, [dyno] * 40))
        enough.set()
        slow.shutdown()
        afterwards = [responds_within_a_second(dyno) for _ in range(20)]

    record_property("fault", {
        "fault": f"20 slow clients, {what}", "sent": 40, "answered": answered.count(True),
        "failed": answered.count(False), "slowest": 1,
    })  # fmt: skip
    assert afterwards == [True] * 20
