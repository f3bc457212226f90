"""Faults while clients send requests: a killed worker, a database that stops, and others."""

import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from types import SimpleNamespace
from urllib.parse import urlsplit

import pytest
from support.client import HOST, Client, form, head
from support.generated import ROOT, wait_until

pytestmark = pytest.mark.slow

LOAD = ROOT / "tests" / "support" / "load.py"


@pytest.fixture
def load(deployed, record_property):
    """Return a context manager in which clients send requests, and which counts the responses.

    The counts are a row of the table that pytest_terminal_summary prints at the end of the run.
    """

    @contextmanager
    def under_load(name, path="/", status=200, at_least=200):
        command = [sys.executable, LOAD, deployed.router.url + path, deployed.router.certificate, HOST,
                   deployed.ada.cookie(), status, at_least]  # fmt: skip
        counts = SimpleNamespace()
        before = deployed.router.requests
        with subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        ) as process:  # fmt: skip
            wait_until(lambda: deployed.router.requests >= before + at_least // 4)
            yield counts
            vars(counts).update(json.loads(process.communicate(timeout=120)[0]))
        record_property("fault", {"fault": name} | vars(counts))

    return under_load


def test_killed_worker_drops_only_its_in_flight_requests(deployed, load):
    dyno, router = deployed.dynos[0], deployed.router
    before = len(router.errors)
    with load("a worker is killed", at_least=1000) as counts:
        with router.changed:  # no new request is sent until it has ended
            worker = dyno.workers()[0]
            in_flight = router.in_flight[dyno.port]
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: worker not in dyno.workers())
        wait_until(lambda: len(dyno.workers()) == 2)

    assert counts.sent >= 1000
    assert counts.failed <= in_flight, router.errors[before:]


def test_rolling_restart_drops_no_requests(deployed, load):
    """The router stops sending requests to a dyno and waits for its responses before SIGTERM."""
    before = len(deployed.router.errors)
    ends = []
    with load("rolling restart", at_least=2000) as counts:
        for number, dyno in enumerate(deployed.dynos):
            deployed.router.take_out(dyno.port)
            ends.append(dyno.stop())
            deployed.dynos[number] = deployed.start(f"web.{number + 1}", dyno.port)
            deployed.router.put_in(dyno.port)

    assert counts.sent >= 2000
    assert counts.failed == 0, deployed.router.errors[before:]
    assert [code for code, _ in ends] == [0, 0]
    assert max(seconds for _, seconds in ends) < 5, ends


def test_request_in_flight_at_sigterm_gets_a_response(deployed):
    body = b"username=ada&password=wrong"
    with (
        deployed.alone() as dyno,
        socket.create_connection(("127.0.0.1", dyno.port), 30) as connection,
    ):
        connection.sendall(head("POST /admin/login/", *form(len(body))) + body[:10])
        time.sleep(0.5)
        assert select.select([connection], [], [], 0)[0] == []  # the dyno waits for the rest
        os.killpg(dyno.process.pid, signal.SIGTERM)
        time.sleep(1)
        connection.sendall(body[10:])
        response = connection.recv(100)
        code = dyno.process.wait(5)

    assert response.startswith(b"HTTP/1.1 403 Forbidden\r\n")  # the form has no CSRF token
    assert code == 0


def test_pages_fail_fast_without_the_database_and_recover_with_it(deployed, load, postgres):
    database = {"path": "/admin/", "at_least": 200}
    postgres.stop()
    try:
        with load("the database is stopped", status=500, **database) as stopped:
            pass
        assert [
            Client(deployed.dynos[0].port).get(path)[0] for path in ("/healthz", "/readyz")
        ] == [
            200,
            503,
        ]
    finally:
        postgres.start()
    with load("the database is back", **database) as back:
        pass
    assert Client(deployed.dynos[0].port).get("/readyz")[0] == 200
    postgres.stop()
    postgres.start()
    with load("the database was restarted", **database) as restarted:
        pass

    assert stopped.failed == back.failed == restarted.failed == 0
    assert stopped.slowest < 3


def test_connections_to_a_silent_database_time_out(deployed, load):
    """Check that connecting fails after connect_timeout."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        address = f"postgres://ada@127.0.0.1:{silent.getsockname()[1]}/site?sslmode=disable"
        with (
            deployed.alone(DATABASE_URL=address) as dyno,
            load("the database is silent", "/admin/", status=500, at_least=16) as silence,
        ):
            began = time.monotonic()
            assert [Client(dyno.port).get(path)[0] for path in ("/healthz", "/readyz")] == [
                200,
                503,
            ]
            seconds = time.monotonic() - began

    assert silence.failed == 0
    assert max(seconds, silence.slowest) < 15


@pytest.mark.exotic
def test_requests_wait_for_a_database_that_only_acknowledges(deployed, postgres, record_property):
    """There is no timeout for this, as docs/decisions.md says."""
    with deployed.alone() as dyno, ThreadPoolExecutor(16) as clients:
        get = partial(Client(dyno.port).get, "/readyz", seconds=60)
        database = urlsplit(deployed.app.config["DATABASE_URL"]).path[1:]
        backends = f"SELECT pid FROM pg_stat_activity WHERE datname = '{database}'"
        idle = set(postgres.execute(backends).split())  # those of the other dynos
        stopped = []

        def all_threads_are_connected():
            assert {status for status, *_ in clients.map(lambda _: get(), range(32))} == {200}
            stopped[:] = map(int, set(postgres.execute(backends).split()) - idle)
            return len(stopped) == 8

        wait_until(all_threads_are_connected)
        began = time.monotonic()
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            waiting = [clients.submit(get) for _ in range(8)]
            time.sleep(12)
            assert not any(response.done() for response in waiting)
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)
        assert {response.result()[0] for response in waiting} == {200}
        slowest = time.monotonic() - began
    counts = {"sent": 8, "answered": 8, "failed": 0, "slowest": slowest}
    record_property("fault", {"fault": "the database acknowledges only"} | counts)


def test_hanging_tracker_delays_no_response(deployed, load):
    deployed.tracker.mode = "hanging"
    try:
        with load("the tracker hangs", at_least=500) as counts:
            for _ in range(10):
                began = time.monotonic()
                assert deployed.boom()[1] == 500
                assert time.monotonic() - began < 1
    finally:
        deployed.tracker.mode = "ok"

    assert counts.failed == 0
