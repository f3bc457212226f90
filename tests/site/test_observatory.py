"""The generated site's grade by Mozilla's HTTP Observatory, from its npm package."""

import json
import os
import re

import pytest
from support.browser import serve_in_production
from support.generated import ROOT, run
from support.npm import installed, needs_npm
from support.router import https

pytestmark = [pytest.mark.slow, pytest.mark.exotic, needs_npm]


@pytest.fixture(scope="session")
def observatory():
    """Return the folder of the npm package, with an empty HSTS preload list."""
    folder = installed("@mdn/mdn-http-observatory", "1.4.8")
    (folder / "conf" / "hsts-preload.json").write_text("{}")
    (folder / "conf" / "tld-list.json").write_text('["localhost"]')
    return folder


@pytest.fixture
def scan(observatory, collect, serve, free_port, tmp_path):
    """Return a function that starts a Site in production, and returns the grades of two pages.

    The home page sets no cookie; the login page does, and has scripts.
    """

    def graded(site, **variables):
        collect(site)
        serve_in_production(site, serve, free_port, **variables)
        grades = []
        with https(tmp_path, free_port) as router:
            # HTTP requests bypass the router, which would mark them as HTTPS.
            ports = [free_port, router.server_port]
            trust = {"PATH": os.environ["PATH"], "NODE_EXTRA_CA_CERTS": str(router.certificate)}
            for path in ("/", "/admin/login/"):
                script = ["node", ROOT / "tests" / "support" / "observatory.mjs", observatory]
                done = run([*script, *ports, path], tmp_path, trust)
                assert done.returncode == 0, done.out
                grades.append(tuple(json.loads(done.stdout)))
        return grades

    return graded


def test_grade_with_the_default_settings(site, make_copy, scan):
    assert scan(make_copy(site())) == [(120, "A+"), (125, "A+")]


def test_grade_with_the_hsts_period_of_the_readme(site, make_copy, scan):
    readme = (site().path / "README.md").read_text()
    for_long = re.search(r"config:set SECURE_HSTS_SECONDS=(\d+)", readme)[1]

    assert scan(make_copy(site()), SECURE_HSTS_SECONDS=for_long) == [(130, "A+"), (135, "A+")]


def test_grade_falls_without_a_content_security_policy(site, make_copy, scan):
    broken = make_copy(site())
    broken.add_settings("SECURE_CSP = {}")

    assert [letter for _, letter in scan(broken)] == ["B-", "B-"]
