"""The platforms of docs/platforms.md, played by the files and the lines that stand there.

What each does is what its documentation or source says: Dokku 0.38 with herokuish 0.11.14,
Render's blueprint specification, Railway with Railpack, Debian 12.
"""

import base64
import configparser
import json
import os
import re
import shlex
import shutil
from contextlib import ExitStack
from pathlib import Path

import pytest
import yaml
from generated import (
    BIN,
    QUICK_PASSWORDS,
    QUICK_STATIC_FILES,
    ROOT,
    Site,
    procfile,
    run,
    unused_port,
    variables,
)
from live import HTTPS
from platforms_server import (
    NGINX,
    Front,
    Server,
    certificate,
    check_http_goes_to_https,
    check_limit,
    check_pages,
    nginx,
)

PAGE = (ROOT / "docs" / "platforms.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^([^\n]+:)\n\n```\w*\n(.+?)^```", re.MULTILINE | re.DOTALL)

slow = pytest.mark.slow
exotic = pytest.mark.exotic
needs_nginx = pytest.mark.skipif(NGINX is None, reason="there is no nginx")


def blocks(platform):
    """Return what stands in code blocks below a heading, by the line that leads in to it."""
    section = PAGE.split(f"# {platform}\n")[1].split("\n##")[0]
    return dict(BLOCK.findall(section))


def block(platform, lead):
    """Return the one code block of a platform whose line before it begins like this."""
    (found,) = (text for line, text in blocks(platform).items() if line.startswith(lead))
    return found


def test_each_block_of_the_page_is_a_file_or_is_run_or_says_that_it_was_not():
    leads = [lead for lead, _ in BLOCK.findall(PAGE)]

    assert len(leads) == PAGE.count("\n```") / 2
    for lead in leads:
        assert re.match(r"(`[\w./-]+`|Not run|As root|At home)[,:]", lead), lead


@pytest.fixture
def builder():
    """Return the environment of who builds: uv, the Python that is there, no variable of a site."""

    def environment(site):
        known = variables(site.path / ".env.example")
        inherited = {name: os.environ[name] for name in os.environ if name not in known}
        cache = run([BIN / "uv", "cache", "dir"], site.path).stdout.strip()
        return inherited | {
            "PATH": f"{BIN}:/usr/bin:/bin",
            "UV_CACHE_DIR": cache,
            "UV_PYTHON": str(site.python.resolve()),
            "UV_PYTHON_DOWNLOADS": "never",
        }

    return environment


def clone(site, folder):
    """Clone what a Site has committed, with quick settings in a commit more, and return it."""
    done = run(["git", "clone", "--quiet", site.path, folder], site.path)
    assert done.returncode == 0, done.out
    cloned = Site(folder)
    cloned.add_settings(QUICK_STATIC_FILES, QUICK_PASSWORDS)
    cloned.commit("Quick")
    return cloned


def bash(site, line, environment):
    """Run a line in a Site as most platforms do; return what it printed."""
    done = site.run("bash", "-c", line, env=environment)
    assert done.returncode == 0, done.out
    return done.out


# Of the blueprint's JSON schema, at render.com/schema/render.yaml.json, what concerns a web service
# that is built from a repository, and a database.
SERVICE = """autoDeployTrigger branch buildCommand buildFilter disk domains envVars healthCheckPath
    initialDeployHook maxShutdownDelaySeconds name numInstances plan preDeployCommand previews region
    repo rootDir runtime scaling startCommand type""".split()
DATABASE = """databaseName diskSizeGB highAvailability ipAllowList name plan postgresMajorVersion
    previewDiskSizeGB previewPlan readReplicas region user""".split()
PAID = ["starter", "standard", "pro", "pro plus", "pro max", "pro ultra"]


def render_variables(blueprint, typed, url):
    """Return the variables of the blueprint's service: `typed` are asked for, `url` is made."""
    values = {}
    for variable in blueprint["services"][0]["envVars"]:
        key, (source, value) = variable.pop("key"), *variable.items()
        if source == "fromDatabase":
            assert value == {
                "name": blueprint["databases"][0]["name"],
                "property": "connectionString",
            }
            values[key] = url
        else:
            assert (source, value) == ("sync", False) or (source, type(value)) == ("value", str)
            values[key] = value if source == "value" else typed[key]
    return values


@slow
@exotic
def test_render(site, builder, postgres, serve, free_port, tmp_path):
    generated = site("sentry")
    app = clone(generated, tmp_path / "src")
    text = block("Render", "`render.yaml`").replace("ROLLBAR_ACCESS_TOKEN", "SENTRY_DSN")
    blueprint = yaml.safe_load(text)
    (service,), (database,) = blueprint["services"], blueprint["databases"]
    assert blueprint.keys() == {"services", "databases"}
    assert set(service) <= set(SERVICE) and set(database) <= set(DATABASE)
    assert (service["type"], service["runtime"]) == ("web", "python")
    assert service["plan"] in PAID and re.fullmatch(r"(basic|pro)-\d+(mb|gb)", database["plan"])

    build = builder(generated)
    typed = variables(generated.path / "tests" / "production.env")
    typed["SECRET_KEY"] = bash(app, block("Render", "At home"), build).strip()
    config = render_variables(blueprint, typed, postgres.database("render"))
    bash(app, service["buildCommand"], build | config)
    bare = {"PATH": "/usr/bin:/bin"}
    # Whether a shell reads this line, Render does not say; the line brings its own.
    words = shlex.split(service["preDeployCommand"])
    assert words[:2] == ["bash", "-c"] and len(words) == 3
    generated_key = {"SECRET_KEY": base64.b64encode(os.urandom(32)).decode()}
    refused = app.run(*words, env=bare | config | generated_key)
    assert refused.returncode == 1 and "security.W009" in refused.out
    released = app.run(*words, env=bare | config)
    assert released.returncode == 0 and "Applying accounts.0001_initial... OK" in released.out
    web = bare | config | {"PORT": str(free_port), "WEB_CONCURRENCY": "1"}
    serve(app, "bash", "-c", service["startCommand"], env=web, port=free_port)

    front = Front("my-site.onrender.com", free_port)
    assert front.ask(service["healthCheckPath"], Host="10.0.0.1")[0] == 200
    check_http_goes_to_https(front)
    check_pages(front, **HTTPS)


@slow
@exotic
def test_railway(site, builder, postgres, serve, free_port, tmp_path):
    generated = site()
    app = clone(generated, tmp_path / "app")
    config = json.loads(block("Railway", "`railway.json`"))
    assert config.pop("$schema") == "https://railway.com/railway.schema.json"
    assert config.keys() == {"build", "deploy"} and config["build"].pop("builder") == "RAILPACK"
    (release,) = config["deploy"].pop("preDeployCommand")
    health = config["deploy"].pop("healthcheckPath")
    build_line = config["build"].pop("buildCommand")
    assert config == {"build": {}, "deploy": {}}
    lockout = "accounts/lockout.py"
    (app.path / lockout).write_text(block("Railway", f"`{lockout}`"))

    line = re.search("^railway variable set (.+)$", block("Railway", "Not run"), re.MULTILINE)[1]
    words = bash(app, f"printf '%s\\n' {line}", builder(generated)).splitlines()[2:]
    chosen = dict(word.split("=", 1) for word in words)
    assert chosen["DATABASE_URL"] == "${{Postgres.DATABASE_URL}}"
    chosen["DATABASE_URL"] = postgres.database("railway")
    build = builder(generated) | chosen
    bash(app, "uv sync --locked --no-dev --no-install-project", build)  # Railpack's own
    image = {"PATH": f"{app.path}/.venv/bin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}
    bash(app, build_line, build | image)
    assert len(shlex.split(release)) == 3  # with or without a shell, it is the same
    assert "Applying accounts.0001_initial... OK" in bash(app, release, image | chosen)
    web = yaml.safe_load((app.path / "Procfile").read_text())["web"]  # as Railpack reads it
    start = image | chosen | {"PORT": str(free_port)}
    serve(app, "bash", "-c", web, env=start, port=free_port)

    front = Front("my-site.up.railway.app", free_port)
    assert front.ask(health, Host="healthcheck.railway.app")[0] == 200
    check_http_goes_to_https(front)
    check_pages(front, **HTTPS)
    check_limit(front, "X-Forwarded-For", **HTTPS | {"X-Real-IP": "203.0.113.1"})
    assert front.guess(**HTTPS | {"X-Real-IP": "203.0.113.2"}) == 200


# What Dokku's template comes to for an app with a certificate, at default settings.
DOKKU_SERVERS = """
server {{
    listen 127.0.0.1:{http};
    location / {{ return 301 https://$host:443$request_uri; }}
}}
server {{
    listen 127.0.0.1:{https} ssl http2;
    ssl_certificate {certificate};
    ssl_certificate_key {certificate};
    location / {{
        proxy_pass http://127.0.0.1:{port};
        proxy_http_version 1.1;
        proxy_set_header Connection $http_connection;
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-For $remote_addr;
        proxy_set_header X-Forwarded-Port $server_port;
        proxy_set_header X-Forwarded-Proto $scheme;
    }}
}}
"""


@slow
@exotic
@needs_nginx
def test_dokku(app, postgres, serve, tmp_path):
    built = app()
    once = block("Dokku", "Not run, on the server, once")
    line = re.search("^dokku config:set (.+)$", once, re.MULTILINE)[1]
    words = built.run(f"printf '%s\\n' {line}").stdout.splitlines()
    assert words[:2] == ["--no-restart", "my-site"]
    chosen = dict(word.split("=", 1) for word in words[2:])
    assert chosen.keys() | {"DATABASE_URL"} == built.config.keys()
    built.config = chosen | {"DATABASE_URL": postgres.database("dokku")}
    first, rest = (built.folder / "app.json").read_text().split("\n", 1)
    checks = json.loads("\n".join([first, block("Dokku", "`app.json`"), rest]))["healthchecks"]
    ((process, (check,)),) = checks.items()

    released = built.run(built.lines["release"])
    assert released.returncode == 0, released.out
    port, http_port, https_port = (unused_port() for _ in range(3))
    dyno = built.dyno(port, f"{process}.1")
    names = {"http": http_port, "https": https_port, "port": port}
    names["certificate"] = certificate(tmp_path / "dokku.pem")
    try:
        command = nginx(tmp_path, DOKKU_SERVERS.format(**names))
        serve(Site(tmp_path), *command, port=https_port)
        assert Front("172.17.0.2:5000", port).ask(check["path"])[0] == 200
        front = Front("www.example.com", https_port, tls=True)
        check_pages(front, **{"X-Forwarded-Proto": "http"})
    finally:
        dyno.stop()


HERE = "A server of your own"


@pytest.fixture
def server(site, builder, tmp_path):
    """Return a Server, which clones from the Site `server.repository`."""
    generated = site()
    repository = clone(generated, tmp_path / "repository")
    folder = tmp_path / "server"
    folder.mkdir()
    return Server(folder, repository, builder(generated))


def set_up(server):
    """Type what the page has root type once, with its files in their places, until it is live."""
    once = server.type(block(HERE, "As root, once"))
    assert once.returncode == 0, once.out
    for lead, text in blocks(HERE).items():
        if lead.startswith("`/"):
            server.put(lead.split("`")[1], text)
    live = server.type(block(HERE, "As root, to go live"))
    assert live.returncode == 0, live.out
    assert "test is successful" in live.out and "Applying accounts.0001_initial... OK" in live.out


def check_unit(server, web):
    """Return the command and the folder of the unit, which has the Procfile's web line."""
    path = server.root / "etc/systemd/system/my-site.service"
    if shutil.which("systemd-analyze"):
        verified = run(["systemd-analyze", "verify", path], server.root)
        assert path.name not in verified.out, verified.out
        # A unit that may do anything has 92; this one had 15 in systemd 252.
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
    """Twenty that are in the middle of a form hold none of gunicorn's eight threads."""
    lines = ["POST /admin/login/ HTTP/1.1", f"Host: {front.host}", f"Origin: https://{front.host}"]
    lines += ["Content-Type: application/x-www-form-urlencoded", "Content-Length: 1000"]
    lines += ["Cookie: csrftoken=" + "a" * 32, "", "username=a"]
    with ExitStack() as clients:
        for _ in range(20):
            clients.enter_context(front.connect()).sendall("\r\n".join(lines).encode())
        assert front.ask("/", seconds=5)[0] == 200


def check_releases(server):
    """One is refused and leaves no trace; the next has SQLite; then it goes back to the first."""
    environment = server.root / "etc/my-site.env"
    good, first = environment.read_text(), server.current()
    server.log.write_text("")
    environment.write_text(good.replace("HOSTS=www.example.com", "HOSTS=*"))
    refused = server.type("deploy-my-site")
    assert refused.returncode == 1 and "deploy.E003" in refused.out
    assert server.current() == first and server.log.read_text() == ""
    assert {path.name for path in first.parent.iterdir()} == {first.name, "current"}

    sqlite = "sqlite:///" + server.here("/var/lib/my-site/db.sqlite3")
    assert "`sqlite:////var/lib/my-site/db.sqlite3`" in PAGE
    assert server.type(block("SQLite instead of Postgres", "As root")).returncode == 0
    environment.write_text(re.sub("DATABASE_URL=.+", f"DATABASE_URL={sqlite}", good))
    settings = server.repository.path / "project" / "settings.py"
    silenced = block("SQLite instead of Postgres", "`project/settings.py`")
    settings.write_text(settings.read_text().replace("SILENCED_SYSTEM_CHECKS = []\n", silenced))
    server.repository.commit("SQLite")
    deployed = server.type("deploy-my-site")
    assert deployed.returncode == 0 and "no issues (1 silenced)" in deployed.out, deployed.out
    assert server.current() > first
    added = server.type(
        "export DJANGO_SUPERUSER_PASSWORD=a-long-and-boring-passphrase\n"
        + block(HERE, "As root, the first").strip()
        + " --noinput --username=ada --email=ada@example.com"
    )
    assert added.returncode == 0 and "Superuser created" in added.out

    back = server.type(block(HERE, "As root, back"))
    assert back.returncode == 0 and server.current() == first
    assert server.type(block(HERE, "As root, a backup")).returncode == 0
    restart = "systemctl restart my-site"
    assert server.log.read_text().splitlines() == [restart, restart, "pg_dump my-site"]


@slow
@exotic
@needs_nginx
def test_a_server_of_your_own(server, postgres, serve):
    socket_url = "postgres:////var/run/postgresql/my-site"
    server.changes = {socket_url: postgres.database("server")} | server.changes
    set_up(server)
    assert (server.root / "etc/my-site.env").stat().st_mode & 0o777 == 0o640

    command, folder = check_unit(server, procfile(server.repository.path)["web"])
    gunicorn, https_port = server.ports["gunicorn"], server.ports["https"]
    serve(Site(folder), *command, env={"LANG": "C.UTF-8", "PATH": "/usr/bin:/bin"}, port=gunicorn)
    serve(Site(server.root), *server.nginx, port=https_port)
    # Whatever a visitor says of scheme and address:
    check_http_goes_to_https(Front("www.example.com", server.ports["http"]), **HTTPS)
    front = Front("www.example.com", https_port, tls=True)
    check_pages(front, **{"X-Forwarded-Proto": "http"})
    check_limit(front, "X-Forwarded-For")
    check_slow_clients(front)

    check_releases(server)
