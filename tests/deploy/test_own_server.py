"""The Debian 12 server of docs/platforms/server.md, set up with the page's files and commands."""

import configparser
import re
import shlex
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
from support.client import HTTPS, Client
from support.generated import Site, procfile, run
from support.own_server import Server
from support.platforms import (
    NGINX,
    block,
    blocks,
    builder,
    check_http_goes_to_https,
    check_limit,
    check_pages,
    clone,
    page,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.exotic,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]


@pytest.fixture
def server(site, tmp_path):
    """Return a Server, which clones from the Site `server.repository`."""
    generated = site()
    repository = clone(generated, tmp_path / "repository")
    folder = tmp_path / "server"
    folder.mkdir()
    return Server(folder, repository, builder(generated))


def set_up(server):
    """Run the page's commands that set up the server, write its files, and run the first deploy."""
    once = server.type(block("server", "As root, once"))
    assert once.returncode == 0, once.out
    for lead, text in blocks("server").items():
        if lead.startswith("`/"):
            server.put(lead.split("`")[1], text)
    first = server.type(block("server", "As root, the first deploy"))
    assert first.returncode == 0, first.out
    assert "test is successful" in first.out and "Applying identity.0001_initial... OK" in first.out


def check_unit(server, web):
    """Check that the systemd unit runs the Procfile's web line; return its command and folder."""
    path = server.root / "etc/systemd/system/my-site.service"
    if shutil.which("systemd-analyze"):
        verified = run(["systemd-analyze", "verify", path], server.root)
        assert path.name not in verified.out, verified.out
        # The exposure of an unrestricted unit is 92; in systemd 252, that of this unit is 15.
        security = ["systemd-analyze", "security", "--offline=yes", "--threshold=20"]
        exposed = run([*security, path], server.root)
        assert exposed.returncode == 0, exposed.out
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str
    unit.read(path)
    program, *words = shlex.split(unit["Service"]["ExecStart"])
    at = words.index("--bind")
    assert words[at + 1] == f"127.0.0.1:{server.ports['gunicorn']}"
    assert [Path(program).name, *words[:at], *words[at + 2 :]] == shlex.split(web)
    return [program, *words], Path(unit["Service"]["WorkingDirectory"])


def check_slow_clients(front):
    """Check that twenty clients in the middle of a form hold none of gunicorn's eight threads."""
    lines = ["POST /admin/login/ HTTP/1.1", f"Host: {front.host}", f"Origin: https://{front.host}"]
    lines += ["Content-Type: application/x-www-form-urlencoded", "Content-Length: 1000"]
    lines += ["Cookie: csrftoken=" + "a" * 32, "", "username=a"]
    with ExitStack() as clients:
        for _ in range(20):
            clients.enter_context(front.connect()).sendall("\r\n".join(lines).encode())
        assert front.get("/", seconds=5)[0] == 200


def check_releases(server):
    """Check a release that fails and changes nothing, one with SQLite, and a rollback."""
    environment = server.root / "etc/my-site.env"
    good, first = environment.read_text(), server.current()
    server.log.write_text("")
    environment.write_text(good.replace("HOSTS=www.example.com", "HOSTS=*"))
    failed = server.type("deploy-my-site")
    assert failed.returncode == 1 and "deploy.E003" in failed.out
    assert server.current() == first and server.log.read_text() == ""
    assert {path.name for path in first.parent.iterdir()} == {first.name, "current"}

    sqlite = "sqlite:///" + server.here("/var/lib/my-site/db.sqlite3")
    assert "`sqlite:////var/lib/my-site/db.sqlite3`" in page("server")
    assert server.type(block("server", "As root, the folder")).returncode == 0
    environment.write_text(re.sub("DATABASE_URL=.+", f"DATABASE_URL={sqlite}", good))
    settings = "project/settings.py"
    silenced = block("server", f"`{settings}`")
    server.repository.replace(settings, "SILENCED_SYSTEM_CHECKS = []\n", silenced)
    server.repository.commit("SQLite")
    deployed = server.type("deploy-my-site")
    assert deployed.returncode == 0 and "no issues (2 silenced)" in deployed.out, deployed.out
    assert server.current() > first
    added = server.type(
        "export DJANGO_SUPERUSER_PASSWORD=a-long-and-boring-passphrase\n"
        + block("server", "As root, the first staff").strip()
        + " --noinput --username=ada --email=ada@example.com"
    )
    assert added.returncode == 0 and "Superuser created" in added.out

    back = server.type(block("server", "As root, a rollback"))
    assert back.returncode == 0 and server.current() == first
    restart = "systemctl restart my-site"
    assert server.log.read_text().splitlines() == [restart, restart]


def test_own_server_is_set_up_serves_and_rolls_back(server, postgres, serve):
    socket_url = "postgres:////var/run/postgresql/my-site"
    server.changes = {socket_url: postgres.database("server")} | server.changes
    set_up(server)
    assert (server.root / "etc/my-site.env").stat().st_mode & 0o777 == 0o640

    command, folder = check_unit(server, procfile(server.repository.path)["web"])
    gunicorn, https_port = server.ports["gunicorn"], server.ports["https"]
    serve(Site(folder), *command, env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}, port=gunicorn)
    serve(Site(server.root), *server.nginx, port=https_port)
    # Forged headers for the scheme and the address are ignored:
    check_http_goes_to_https(Client(server.ports["http"], "www.example.com"), **HTTPS)
    front = Client(https_port, "www.example.com", tls=True)
    check_pages(front, **{"X-Forwarded-Proto": "http"})
    check_limit(front, "X-Forwarded-For")
    check_slow_clients(front)

    check_releases(server)
