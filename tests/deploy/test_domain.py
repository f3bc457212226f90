"""The redirects to the site's own domain, with the setting of docs/platforms/domain.md."""

import re

import pytest
from support.client import HTTPS, Client
from support.platforms import page

pytestmark = pytest.mark.slow


def test_all_hosts_redirect_to_one_domain(make_deployed, collect, serve, free_port):
    text = page("domain")
    site = make_deployed()
    collect(site)
    (line,) = re.findall(r"```python\n\s+(.+)\n", text)
    site.add_settings(line)
    (hosts,) = re.findall("heroku config:set ALLOWED_HOSTS=(.+)", text)
    environment = site.production(ALLOWED_HOSTS=hosts, PORT=str(free_port))
    checked = site.manage("check", "--deploy", "--fail-level", "WARNING", env=environment)
    assert checked.returncode == 0, checked.out
    gunicorn = [site.python.parent / "gunicorn", "project.wsgi"]
    serve(site, *gunicorn, env=environment, port=free_port)

    def hops(host, **headers):
        """Yield the URLs of all redirects until the page."""
        front, scheme = Client(free_port, host), headers
        while True:
            status, received, _ = front.get("/?a=b", **scheme)
            if status == 200:
                return
            assert status == 301
            yield received["Location"]
            scheme = HTTPS
            front.host = re.fullmatch(r"https://([\w.]+)/\?a=b", received["Location"])[1]

    one = "https://www.example.com/?a=b"
    assert list(hops("www.example.com", **HTTPS)) == []
    assert list(hops("www.example.com")) == [one]
    assert list(hops("example.com", **HTTPS)) == [one]
    assert list(hops("example.com"))[-1] == one and len(list(hops("example.com"))) <= 2
    assert Client(free_port, "10.0.0.1").get("/healthz")[0] == 200
    assert Client(free_port, "my-site.herokuapp.com").get("/", **HTTPS)[0] == 400
