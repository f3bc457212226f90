"""A deployed site for a browser, one in development, and a folder for pictures."""

import os
from pathlib import Path

import pytest
from support.browser import serve_in_production
from support.client import PASSWORD
from support.router import https


@pytest.fixture
def pictures(shared, request):
    """Return the folder for a test's pictures, to look at: in SCREENSHOTS, where that is set."""
    folder = Path(os.environ.get("SCREENSHOTS") or shared / "screenshots") / request.node.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def site_url(site, make_copy, collect, postgres, serve, free_port, tmp_path):
    """Return the URL of a site as in production: Postgres, gunicorn, https, and Ada's account."""
    own = make_copy(site())
    variables = {
        "DATABASE_URL": postgres.database("browser"),
        # Nobody listens there: the error that is made on purpose stays on this machine.
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
