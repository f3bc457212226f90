"""Clients that keep connections open: other clients must still get responses."""

import socket
import time
from contextlib import ExitStack, suppress

import pytest
from support.client import form, head, responds_within_a_second

pytestmark = pytest.mark.slow

LOGIN = "/accounts/login/"


def others(dyno, count=20):
    """Send `count` requests, and return how many get a response within a second."""
    return [responds_within_a_second(dyno) for _ in range(count)].count(True)


def test_clients_that_do_not_close_connections_delay_no_others(deployed, tell):
    """By default, a gunicorn worker waits up to 2 s for each, and does nothing else meanwhile."""
    with deployed.alone() as dyno, ExitStack() as stay:
        for _ in range(30):
            connection = socket.create_connection(("127.0.0.1", dyno.port), 30)
            stay.enter_context(connection).sendall(head("GET /healthz", "Connection: close"))
        answered = others(dyno)

    tell("30 clients do not close a connection", f"{answered} of 20 other requests answered")
    assert answered == 20


def heads(connection):
    connection.sendall(b"GET / HT")


def bodies(connection):
    connection.sendall(head(f"POST {LOGIN}", *form(1000)) + b"a")


def readers(connection):
    """Request a static file many times, and read no response."""
    connection.setblocking(False)
    with suppress(BlockingIOError):
        for _ in range(3000):
            connection.send(head("GET /static/admin/js/vendor/jquery/jquery.js"))


def is_closed(connection):
    """Return whether the server has closed or reset a connection, after reading what it sent."""
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
def test_clients_that_become_idle_are_disconnected(deployed, tell, what):
    """The server closes their connections, four at a time in each worker, after 10 seconds."""
    with deployed.alone() as dyno, ExitStack() as idle:
        connections = [idle.enter_context(socket.socket()) for _ in range(16)]
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

    tell(f"16 clients become idle: {what.__name__}", f"other clients wait {lasted:.0f} s")
    assert "Traceback" not in text
    assert closed == 16
    if what is heads:  # Django or the kernel detects the other clients
        assert text.count("A slow or idle client was disconnected") == 16


@pytest.mark.exotic
def test_requests_succeed_with_3000_idle_connections(deployed, tell):
    with deployed.alone() as dyno, ExitStack() as idle:
        for _ in range(3000):
            idle.enter_context(socket.create_connection(("127.0.0.1", dyno.port), 30))
        began = time.monotonic()
        while others(dyno, 3) < 3:
            assert time.monotonic() - began < 60
        lasted = time.monotonic() - began

    tell("3,000 idle connections", f"other clients wait {lasted:.0f} s")
