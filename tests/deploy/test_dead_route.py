"""A route to the database that silently drops packets. Requires root on Linux."""

import os
import shutil
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from http.client import HTTPConnection

import pytest
from support.generated import procfile, unused_port
from support.postgres import Postgres

pytestmark = [
    pytest.mark.slow,
    pytest.mark.exotic,
    pytest.mark.skipif(
        os.getuid() != 0 or not shutil.which("ip"), reason="requires root and the command ip"
    ),
]

# The site, in its own network namespace, connects to the database from .2, and listens at .130.
HERE, SITE, FRONT = "10.219.7.1", "10.219.7.2", "10.219.7.130"


def ip(arguments):
    subprocess.run(["ip", *arguments.split()], check=True)


@pytest.fixture
def network():
    """Create a network namespace, and yield its name."""
    name = f"site{os.getpid()}"
    try:
        ip(f"netns add {name}")
        ip(f"link add {name}a type veth peer name {name}b")
        ip(f"link set {name}b netns {name}")
        for address in (f"{HERE}/25", "10.219.7.129/25"):
            ip(f"addr add {address} dev {name}a")
        for address in (f"{SITE}/25", f"{FRONT}/25"):
            ip(f"-n {name} addr add {address} dev {name}b")
        ip(f"link set {name}a up")
        ip(f"-n {name} link set {name}b up")
        yield name
    finally:
        subprocess.run(["ip", "route", "delete", "blackhole", f"{SITE}/32"])  # after a failure
        subprocess.run(["ip", "link", "delete", f"{name}a"])
        subprocess.run(["ip", "netns", "delete", name])


@pytest.fixture
def database():
    """Yield the URL of a database that can be reached from the network namespace."""
    postgres = Postgres(unused_port())
    try:
        postgres.stop()
        (postgres.data / "pg_hba.conf").write_text("host all all 0.0.0.0/0 scram-sha-256\n")
        options = f"-h {HERE} -p {postgres.port} -k '' -c fsync=off"
        postgres.pg_ctl("-l", str(postgres.data / "log"), "-o", options, "start")
        yield postgres.url().replace("127.0.0.1", HERE)
    finally:
        postgres.remove()


def get(path):
    """Send a request; return the status of the response, and the seconds that it took."""
    began = time.monotonic()
    with closing(HTTPConnection(FRONT, 8000, timeout=120)) as connection:
        connection.request("GET", path, headers={"Host": "site", "X-Forwarded-Proto": "https"})
        with connection.getresponse() as response:
            return response.status, time.monotonic() - began


def wait_for(path):
    """Wait until the response has status 200."""
    until = time.monotonic() + 30
    while True:
        with suppress(OSError):
            if get(path)[0] == 200:
                return
        assert time.monotonic() < until
        time.sleep(0.1)


def test_requests_fail_within_seconds_when_the_route_dies(
    make_deployed, network, database, record_property
):
    site = make_deployed()
    (site.path / "staticfiles").mkdir()
    path = f"{site.python.parent}:{os.environ['PATH']}"
    bind = f"--bind {FRONT}:8000"
    variables = site.production(PATH=path, DATABASE_URL=database, GUNICORN_CMD_ARGS=bind)
    line = f"ip netns exec {network} {procfile(site.path)['web']}"
    with subprocess.Popen(["bash", "-c", f"exec {line}"], cwd=site.path, env=variables) as web:
        try:
            wait_for("/healthz")
            assert {get("/readyz")[0] for _ in range(16)} == {200}  # opens persistent connections
            ip(f"route add blackhole {SITE}/32")
            # One request for each thread of both workers.
            with ThreadPoolExecutor(8) as clients:
                responses = [*clients.map(get, ["/readyz"] * 8)]
            ip(f"route delete blackhole {SITE}/32")
            wait_for("/readyz")
            assert {get("/readyz")[0] for _ in range(8)} == {200}
        finally:
            web.terminate()

    times = sorted(seconds for _, seconds in responses)
    record_property("fault", {
        "fault": "the route to the database dies", "sent": 8, "answered": 8, "failed": 0,
        "slowest": times[-1],
    })  # fmt: skip
    assert {status for status, _ in responses} == {503}
    # The kernel chooses the worker. If a worker gets more than four requests, the others wait for
    # its threads, and then for one more attempt to connect, which takes 3 seconds.
    assert times[3] < 10 and times[-1] < 13
