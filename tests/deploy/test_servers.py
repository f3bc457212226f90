"""The servers of docs/servers.md, except Apache, run with the lines of the page."""

import os
import re
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from support.client import Client, head
from support.failing_site import FailingSite
from support.fake_tracker import HOST, FakeTracker
from support.generated import BIN, ROOT, procfile

pytestmark = [pytest.mark.slow, pytest.mark.exotic]

PAGE = (ROOT / "docs" / "servers.md").read_text(encoding="utf-8")
# All warnings are errors, except the one that servers.md mentions.
WARNINGS = "error,ignore:StreamingHttpResponse must consume synchronous iterators"


def documented(server):
    """Return a server's installation command, its web line and its asgi.py in servers.md."""
    add, web = re.search(
        rf"## {server}\n+```\n(uv add .+)\n```\n+In the `Procfile`:\n+```\nweb: (.+)\n```", PAGE
    ).groups()
    return add, web, re.search("```python\n(.+?)```", PAGE, re.DOTALL)[1]


@pytest.fixture
def served(make_deployed, collect, environment, serve, postgres, free_port):
    """Return a function that starts a FailingSite on a server, with its own .venv and database."""

    def start(server, tracker):
        add, web, asgi = documented(server)
        site = make_deployed(tracker.kind)
        shared = (site.path / ".venv").resolve()
        (site.path / ".venv").unlink()
        shutil.copytree(shared, site.path / ".venv", symlinks=True)  # with compiled modules
        path = f"{BIN}:{os.environ['PATH']}"
        added = site.run("bash", "-c", add, env=environment | {"PATH": path})
        assert added.returncode == 0, added.out
        failing = FailingSite(site, tracker, free_port)
        failing.site.replace("Procfile", procfile(site.path)["web"], web)
        (site.path / "project" / "asgi.py").write_text(asgi, encoding="utf-8")
        url = postgres.database(f"site{free_port}")
        failing.variables |= {"DATABASE_URL": url, "PYTHONWARNINGS": WARNINGS}
        collect(site)
        failing.start(serve)
        return failing

    return start


def response_at_sigterm(failing):
    """Send SIGTERM in the middle of a form; return the response to the form, and the exit code."""
    body, response = b"username=ada", b""
    headers = [f"Content-Length: {len(body)}", f"Origin: https://{HOST}"]
    headers += ["Cookie: csrftoken=" + "a" * 32]  # without it, Django does not read the form
    with (
        ThreadPoolExecutor() as beside,
        socket.create_connection(("127.0.0.1", failing.port), 10) as connection,
    ):
        connection.sendall(head("POST /admin/login/", *headers, host=f"Host: {HOST}") + body[:5])
        time.sleep(0.5)
        stopped = beside.submit(failing.stop)
        time.sleep(1)
        with suppress(OSError):
            connection.sendall(body[5:])
            response = connection.recv(100)
    return response, stopped.result()[0]


@pytest.mark.parametrize(
    ("server", "kind", "responds_at_sigterm"),
    [
        ("Uvicorn", "rollbar", True),
        ("Uvicorn", "sentry", True),
        ("Daphne", "sentry", False),
        ("Hypercorn", "rollbar", True),
        ("uWSGI", "rollbar", False),
    ],
)
def test_server_serves_reports_and_stops(served, postgres, server, kind, responds_at_sigterm):
    with FakeTracker(kind) as tracker:
        failing = served(server, tracker)

        stylesheet = re.search(r'href="(/static/.+?\.css)"', failing.request("/")[2])[1]
        assert "immutable" in failing.request(stylesheet)[1]["Cache-Control"]
        assert Client(failing.port).get(Host=HOST)[0] == 301
        assert failing.request("/", Host="stranger.example.org")[0] == 400
        assert failing.request("/healthz", Host="10.0.0.1")[::2] == (200, "ok")
        with ThreadPoolExecutor(20) as clients:
            statuses = clients.map(lambda _: failing.request("/readyz")[0], range(100))
            assert set(statuses) == {200}
        count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = 'site{failing.port}'"
        assert int(postgres.execute(count)) <= 8

        status, _, page = failing.request("/crash/secret/", **{"X-Request-Id": "a-crash"})
        assert status == 500 and "Something went wrong" in page
        tracker.wait_for(1)
        log = failing.log()
        assert len(tracker.items) == 1, log
        assert log.count("Traceback") == log.count("[a-crash]") == 1, log

        response, code = response_at_sigterm(failing)
        assert response.startswith(b"HTTP/1.1 403 ") == responds_at_sigterm, response
        assert code == 0


def test_url_of_a_connection_pool_is_used_if_set(make_deployed):
    """Use the lines of “More requests” in servers.md."""
    old, new = re.search(r"in place of `(.+)`:\n\n```python\n(.+?)```", PAGE, re.DOTALL).groups()
    site = make_deployed()
    site.replace("project/settings.py", f"{old}\n", new)
    show = "from django.conf import settings; it = settings.DATABASES['default']; "
    show += "print(it['HOST'], it['DISABLE_SERVER_SIDE_CURSORS'], it['OPTIONS']['sslmode'])"
    pool = {"DATABASE_CONNECTION_POOL_URL": "postgres://user:password@pool:5432/name"}

    for variables, host in ({}, "localhost"), (pool, "pool"):
        printed = site.manage("shell", "-v0", "-c", show, env=site.production(**variables))
        assert printed.stdout.strip() == f"{host} True require", printed.out
