"""Fixtures: a site with failing views, and a database with a chosen password."""

import pytest
from support.failing_site import FailingSite


@pytest.fixture
def failing_site(site, make_copy, free_port):
    """Return a function that gives a FailingSite which reports to `tracker`."""

    def copied(tracker):
        return FailingSite(make_copy(site(tracker.kind)), tracker, free_port)

    return copied


@pytest.fixture
def database(postgres, free_port):
    """Return a function that creates a database and a user with a password, and returns its URL."""

    def with_password(password):
        name = f"site{free_port}"
        postgres.execute(f"CREATE ROLE {name} SUPERUSER LOGIN PASSWORD '{password}'")
        server = postgres.database(name).partition("@")[2]
        return f"postgres://{name}:{password}@{server}"

    return with_password
