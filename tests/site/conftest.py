"""Fixtures for browser tests: a site in production, and a folder for screenshots."""

import os
from pathlib import Path

import pytest
from support.browser import serve_in_production
from support.client import PASSWORD
from support.router import https


@pytest.fixture
def pictures(shared, request):
    """Return the folder for a test's screenshots, below SCREENSHOTS if that is set."""
    folder = Path(os.environ.get("SCREENSHOTS") or shared / "screenshots") / request.node.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def site_url(site, make_copy, collect, postgres, serve, free_port, tmp_path):
    """Return the URL of a site in production: Postgres, gunicorn, HTTPS, and Ada's account."""
    own = make_copy(site())
    variables = {
        "DATABASE_URL": postgres.database("browser"),
        # No server listens there, so the report of the test's error is not sent to Rollbar.
        "ROLLBAR_ENDPOINT": "http://127.0.0.1:9/api/1/",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    for command in (
        ["manage.py", "migrate", "--noinput"],
        ["manage.py", "createsuperuser", "--noinput", "--username=ada", "--email=ada@example.com"],
    ):
        done = own.run(own.python, *command, env=own.production(**variables))
        assert done.returncode == 0, done.out
    collect(own)
    serve_in_production(own, serve, free_port, **variables)
    with https(tmp_path, free_port) as router:
        yield router.url
