"""Strangers who want in, or the site down, or the log to lie: straight to a dyno, or by the router.

Each figure is a row of the table at the end of the run.
"""

import re
import socket
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from urllib.parse import urlencode

import pytest
from generated import wait_until
from live import HTTPS, by_http, form, head
from test_abuse import patience

pytestmark = pytest.mark.slow

MEGABYTE = 1_000_000
TOKEN = "a" * 32
LOGIN = "/accounts/login/"


def answer_to(dyno, *parts, seconds=30):
    """Send parts of a request; return the status of the answer, though it come before the end."""
    with socket.create_connection(("127.0.0.1", dyno.port), seconds) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            for part in parts:
                connection.sendall(part)
        return int(connection.makefile("rb").readline().split()[1])


def lines_of(dyno, sent):
    """Return the lines that a dyno writes to its log while `sent()` runs."""
    before = len(dyno.text())
    sent()
    time.sleep(0.5)
    return dyno.text()[before:].split("\n")


# --- Headers that a client may write

HEADERS = {
    "SCRIPT_NAME": ("/foo/admin/login/", "SCRIPT_NAME: /foo", 404),
    "SCRIPT_NAME that does not fit": ("/", "SCRIPT_NAME: /x", 200),
    "PATH_INFO": ("/", "PATH_INFO: /nothing/", 200),
    "X-Forwarded-Ssl": ("/", "X-Forwarded-Ssl: off", 200),
    "X-Forwarded-Protocol": ("/", "X-Forwarded-Protocol: http", 200),
    "X-Forwarded-Prefix": ("/", "X-Forwarded-Prefix: /x", 200),
    "X-Forwarded-For": ("/", "X-Forwarded-For: unknown", 200),
}


@pytest.mark.parametrize("name", HEADERS)
def test_headers_that_are_not_believed(live, name):
    path, header, status = HEADERS[name]

    assert answer_to(live.dynos[0], head(f"GET {path}", header)) == status


# --- Bodies that are too large


def post(size):
    return head(f"POST {LOGIN}", *form(size))


def chunks(size, count):
    """Return the head of a form in chunks, then the chunks, without the last."""
    chunked = head(f"POST {LOGIN}", "Transfer-Encoding: chunked", *form(0)[1:])
    return [chunked, *[b"%x\r\n%s\r\n" % (size, b"a" * size)] * count]


LARGE = {
    "length, nothing sent": [post(300 * MEGABYTE)],
    "length, all sent": [post(30 * MEGABYTE), *[b"a" * MEGABYTE] * 30],
    "chunks": chunks(MEGABYTE, 30),
}


@pytest.mark.parametrize("name", LARGE)
def test_bodies_that_are_too_large(live, name, tell):
    """They are answered before they end, and are not written to a file."""
    dyno = live.dynos[0]
    began = time.monotonic()
    status = answer_to(dyno, *LARGE[name])

    tell(f"a large body: {name}", f"{status} after {time.monotonic() - began:.2f} s")
    assert status == 413
    assert by_http(dyno, **HTTPS)[0] == 200


@pytest.mark.parametrize("size", [30 * MEGABYTE, 9 * MEGABYTE])
def test_large_bodies_through_the_router(live, size):
    """Which sends a request in whole before it listens."""
    live.ada.get(LOGIN)
    part = '--b\r\nContent-Disposition: form-data; name="{}"\r\n\r\n{}\r\n'
    token = part.format("csrfmiddlewaretoken", live.ada.cookies["csrftoken"])
    file = part.format('x"; filename="x', "a" * size)
    kind = {"Content-Type": "multipart/form-data; boundary=b"}
    status, headers, text = live.ada.ask("POST", LOGIN, f"{token}{file}--b--\r\n", **kind)

    assert status == (413 if size > 10 * MEGABYTE else 200)
    assert headers["X-Content-Type-Options"] == "nosniff"


def test_a_form_in_chunks_is_read(live):
    """Django alone takes it for an empty one."""
    fields = urlencode({"csrfmiddlewaretoken": TOKEN, "username": "nobody", "password": "wrong"})
    chunked = head(f"POST {LOGIN}", "Transfer-Encoding: chunked", *form(0)[1:])
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(fields), fields.encode())

    assert answer_to(live.dynos[0], chunked, body) == 200
    assert answer_to(live.dynos[0], chunked, b"0\r\n\r\n") == 403  # no token


# --- Lines that a client would write to the log

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


def test_no_line_of_a_strangers_own(live):
    """Neither in gunicorn's log nor in Django's; the access log has the path as it was sent."""
    dyno = live.dynos[0]
    lines = lines_of(dyno, lambda: [answer_to(dyno, head(*it)) for it in FORGED])

    assert len(lines) > len(FORGED)
    assert all(line.isprintable() and LINE.match(line) for line in lines), lines
    assert not [line for line in lines if line.startswith(("ERROR", "INFO"))], lines
    assert any(
        line.startswith("GET /%1b[2J%0d%0aERROR%20django.request%20forged 404 ") for line in lines
    )
    assert "secret" not in "".join(lines)
    ids = [line.partition("request_id=")[2] for line in lines if "ms request_id=" in line]
    assert ids and all(re.fullmatch(r"[0-9a-f]{32}|-", it) for it in ids), ids


def test_no_line_of_a_strangers_own_in_an_access_log_of_ones_own(live):
    """Such as one with the browser in it, which is a header's raw text."""
    arguments = "--access-logfile - --access-logformat '%(m)s %(a)s'"
    with live.alone(GUNICORN_CMD_ARGS=arguments) as dyno:
        agent = "User-Agent: x\x85ERROR forged\x9b2J"
        lines = lines_of(dyno, lambda: answer_to(dyno, head("GET /healthz", agent)))

    assert "GET x\\x85ERROR forged\\x9b2J" in lines, lines


def test_the_request_id_of_the_router_is_kept(live):
    dyno = live.dynos[0]
    lines = lines_of(
        dyno, lambda: answer_to(dyno, head("GET /nothing/", "X-Request-Id: Root=1-a/b+c:d"))
    )

    assert sum("Root=1-a/b+c:d" in line for line in lines) == 2


# --- Clients that hold what others need


def others(dyno, count=20):
    """Return how many of so many visits are answered within a second."""
    return [patience(dyno) for _ in range(count)].count(True)


def test_clients_that_stay_on_closed_connections(live, tell):
    """A worker that waits for them to go does nothing else: with gunicorn's own 2 s, for each."""
    with live.alone() as dyno, ExitStack() as stay:
        for _ in range(30):
            connection = socket.create_connection(("127.0.0.1", dyno.port), 30)
            stay.enter_context(connection).sendall(head("GET /healthz", "Connection: close"))
        answered = others(dyno)

    tell("30 clients stay on a closed connection", f"others: {answered} of 20 answered")
    assert answered == 20


def heads(connection):
    connection.sendall(b"GET / HT")


def bodies(connection):
    connection.sendall(post(1000) + b"a")


def readers(connection):
    """Ask for a static file again and again, and read nothing."""
    connection.setblocking(False)
    with suppress(BlockingIOError):
        for _ in range(3000):
            connection.send(head("GET /static/admin/js/vendor/jquery/jquery.js"))


def is_closed(connection):
    """Return whether the server has closed a connection, or reset it; read what it sent before."""
    until = time.monotonic() + 5
    connection.settimeout(1)
    try:
        while connection.recv(65536):
            if time.monotonic() > until:
                return False
    except TimeoutError:
        return False
    except ConnectionError:
        pass
    return True


@pytest.mark.exotic
@pytest.mark.parametrize("what", [heads, bodies, readers])
def test_clients_that_fall_silent(live, tell, what):
    """The server closes their connections, four at a time in each worker, after 10 seconds."""
    with live.alone() as dyno, ExitStack() as silent:
        connections = [silent.enter_context(socket.socket()) for _ in range(16)]
        for connection in connections:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.connect(("127.0.0.1", dyno.port))
            what(connection)
        began = time.monotonic()
        time.sleep(0.5)
        while others(dyno, 8) < 8:
            assert time.monotonic() - began < 90
        lasted = time.monotonic() - began
        time.sleep(max(5, 45 - lasted))  # all sixteen in one worker: four times ten seconds
        closed = sum(map(is_closed, connections))
        text = dyno.text()

    tell(f"16 clients fall silent: {what.__name__}", f"others wait {lasted:.0f} s")
    assert "Traceback" not in text
    assert closed == 16
    if what is heads:  # the others are noticed by Django or by the kernel
        assert text.count("A client fell silent, and was disconnected") == 16


@pytest.mark.exotic
def test_idle_connections(live, tell):
    with live.alone() as dyno, ExitStack() as idle:
        for _ in range(3000):
            idle.enter_context(socket.create_connection(("127.0.0.1", dyno.port), 30))
        began = time.monotonic()
        while others(dyno, 3) < 3:
            assert time.monotonic() - began < 60
        lasted = time.monotonic() - began

    tell("3,000 idle connections", f"others wait {lasted:.0f} s")


# --- Guesses


def guess(dyno, name, address="198.51.100.7"):
    """Try to log in; return the status."""
    fields = urlencode({"csrfmiddlewaretoken": TOKEN, "username": name, "password": "wrong"})
    request = head(f"POST {LOGIN}", *form(len(fields)), f"X-Forwarded-For: {address}")
    return answer_to(dyno, request, fields.encode(), seconds=60)


def test_guesses_at_once(live, tell):
    """Those that are on their way together are not counted yet."""
    dyno = live.dynos[0]
    with ThreadPoolExecutor(50) as pool:
        answers = [*pool.map(lambda _: guess(dyno, "ada", "198.51.100.8"), range(50))]

    tell(
        "50 guesses at once for a name", f"{answers.count(200)} evaluated, {answers.count(429)} not"
    )
    assert 9 <= answers.count(200) <= 17
    assert answers.count(200) + answers.count(429) == 50


@pytest.mark.exotic
def test_guesses_for_a_new_name_each_time(live, tell):
    """By fifty connections from one address, while others come."""
    answers, enough = [], threading.Event()

    def attack(number):
        count = 0
        while not enough.is_set():
            count += 1
            answers.append(guess(dyno, f"name{number}-{count}"))

    def visit(_):
        began = time.monotonic()
        by_http(dyno, **HTTPS)
        return time.monotonic() - began

    with live.alone() as dyno, ThreadPoolExecutor(51) as pool:
        calm = statistics.median(map(visit, range(50)))
        attackers = [pool.submit(attack, number) for number in range(50)]
        try:
            wait_until(lambda: len(answers) >= 100, 60)  # the first fifty are evaluated
            seconds = statistics.median(map(visit, range(50)))
        finally:
            enough.set()
        for attacker in attackers:
            attacker.result()

    evaluated = answers.count(200)
    tell("new names by 50 connections", f"{evaluated} guesses of {len(answers)} evaluated")
    tell("others' median meanwhile", f"{1000 * seconds:.0f} ms; {1000 * calm:.0f} ms without")
    assert 49 <= evaluated <= 70
    assert seconds < 1
