"""Render, Railway and Dokku, simulated with the files and commands of docs/platforms.

Each simulation follows the platform's documentation or source: Dokku 0.38 with herokuish 0.11.14,
Render's blueprint specification, Railway with Railpack. test_own_server.py simulates a server of
your own.
"""

import base64
import json
import os
import re
import shlex

import pytest
import yaml
from support.client import HTTPS, Client
from support.generated import Site, unused_port, variables
from support.platforms import (
    BLOCK,
    NGINX,
    PAGES,
    block,
    builder,
    certificate,
    check_http_goes_to_https,
    check_limit,
    check_own_tests,
    check_pages,
    clone,
    nginx,
    page,
    put,
)

slow = pytest.mark.slow
exotic = pytest.mark.exotic
needs_nginx = pytest.mark.skipif(NGINX is None, reason="nginx is not installed")


@pytest.mark.parametrize("name", [path.stem for path in sorted(PAGES.glob("*.md"))])
def test_each_code_block_is_a_file_or_is_run_or_is_marked_as_untested(name):
    leads = [lead for lead, _ in BLOCK.findall(page(name))]

    assert len(leads) == page(name).count("\n```") / 2
    for lead in leads:
        assert re.match(r"(`[\w./-]+`|Untested|As (?:root|you)|Locally)[,:]", lead), lead


def bash(site, line, environment):
    """Run a line in bash in a Site, check that it succeeds, and return its output."""
    done = site.run("bash", "-c", line, env=environment)
    assert done.returncode == 0, done.out
    return done.out


# The keys of a web service that is built from a repository, and of a database, in the blueprint's
# JSON schema: render.com/schema/render.yaml.json
SERVICE = """autoDeployTrigger branch buildCommand buildFilter disk domains envVars healthCheckPath
    initialDeployHook maxShutdownDelaySeconds name numInstances plan preDeployCommand previews region
    repo rootDir runtime scaling startCommand type""".split()
DATABASE = """databaseName diskSizeGB highAvailability ipAllowList name plan postgresMajorVersion
    previewDiskSizeGB previewPlan readReplicas region user""".split()
PAID = ["starter", "standard", "pro", "pro plus", "pro max", "pro ultra"]


def render_variables(blueprint, typed, url):
    """Return the blueprint's variables: the user enters those in `typed`, Render sets `url`."""
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
def test_render_builds_releases_and_serves(site, postgres, serve, free_port, tmp_path):
    generated = site("sentry")
    app = clone(generated, tmp_path / "src")
    text = block("render", "`render.yaml`").replace("ROLLBAR_ACCESS_TOKEN", "SENTRY_DSN")
    blueprint = yaml.safe_load(text)
    (service,), (database,) = blueprint["services"], blueprint["databases"]
    assert blueprint.keys() == {"services", "databases"}
    assert set(service) <= set(SERVICE) and set(database) <= set(DATABASE)
    assert (service["type"], service["runtime"]) == ("web", "python")
    assert service["plan"] in PAID and re.fullmatch(r"(basic|pro)-\d+(mb|gb)", database["plan"])

    build = builder(generated)
    typed = variables(generated.path / "tests" / "production.env")
    typed["SECRET_KEY"] = bash(app, block("render", "Locally"), build).strip()
    config = render_variables(blueprint, typed, postgres.database("render"))
    bash(app, service["buildCommand"], build | config)
    bare = {"PATH": "/usr/bin:/bin"}
    # Render does not document whether it runs this line in a shell, so the line starts one.
    words = shlex.split(service["preDeployCommand"])
    assert words[:2] == ["bash", "-c"] and len(words) == 3
    generated_key = {"SECRET_KEY": base64.b64encode(os.urandom(32)).decode()}
    failed = app.run(*words, env=bare | config | generated_key)
    assert failed.returncode == 1 and "security.W009" in failed.out
    released = app.run(*words, env=bare | config)
    assert released.returncode == 0 and "Applying identity.0001_initial... OK" in released.out
    web = bare | config | {"PORT": str(free_port), "WEB_CONCURRENCY": "1"}
    serve(app, "bash", "-c", service["startCommand"], env=web, port=free_port)

    front = Client(free_port, "my-site.onrender.com")
    assert front.get(service["healthCheckPath"], Host="10.0.0.1")[0] == 200
    check_http_goes_to_https(front)
    check_pages(front, **HTTPS)


@slow
@exotic
def test_railway_builds_releases_and_serves(site, postgres, serve, free_port, tmp_path):
    generated = site()
    app = clone(generated, tmp_path / "app")
    config = json.loads(block("railway", "`railway.json`"))
    assert config.pop("$schema") == "https://railway.com/railway.schema.json"
    assert config.keys() == {"build", "deploy"} and config["build"].pop("builder") == "RAILPACK"
    (release,) = config["deploy"].pop("preDeployCommand")
    health = config["deploy"].pop("healthcheckPath")
    build_line = config["build"].pop("buildCommand")
    assert config == {"build": {}, "deploy": {}}
    put(app, "railway", "project/settings.py")
    check_own_tests(app, generated)

    line = re.search(
        "^railway variable set (.+)$", block("railway", "Untested, locally"), re.MULTILINE
    )[1]
    words = bash(app, f"printf '%s\\n' {line}", builder(generated)).splitlines()[2:]
    chosen = dict(word.split("=", 1) for word in words)
    assert chosen["DATABASE_URL"] == "${{Postgres.DATABASE_URL}}"
    chosen["DATABASE_URL"] = postgres.database("railway")
    build = builder(generated) | chosen
    bash(app, "uv sync --locked --no-dev --no-install-project", build)  # as Railpack does
    image = {"PATH": f"{app.path}/.venv/bin:/usr/bin:/bin", "PYTHONUNBUFFERED": "1"}
    bash(app, build_line, build | image)
    assert len(shlex.split(release)) == 3  # works with and without a shell
    assert "Applying identity.0001_initial... OK" in bash(app, release, image | chosen)
    web = yaml.safe_load((app.path / "Procfile").read_text())["web"]  # as Railpack reads it
    start = image | chosen | {"PORT": str(free_port)}
    serve(app, "bash", "-c", web, env=start, port=free_port)

    front = Client(free_port, "my-site.up.railway.app")
    assert front.get(health, Host="healthcheck.railway.app")[0] == 200
    check_http_goes_to_https(front)
    check_pages(front, **HTTPS)
    check_limit(front, "X-Forwarded-For", **HTTPS | {"X-Real-IP": "203.0.113.1"})
    assert front.log_in("ada", "wrong", **HTTPS | {"X-Real-IP": "203.0.113.2"}) == 200


# The output of Dokku's template for an app with a certificate and default settings.
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
def test_dokku_releases_and_serves(app, postgres, serve, tmp_path):
    built = app()
    once = block("dokku", "Untested, on the server, once")
    line = re.search("^dokku config:set (.+)$", once, re.MULTILINE)[1]
    words = built.run(f"printf '%s\\n' {line}").stdout.splitlines()
    assert words[:2] == ["--no-restart", "my-site"]
    chosen = dict(word.split("=", 1) for word in words[2:])
    assert chosen.keys() | {"DATABASE_URL"} == built.config.keys()
    built.config = chosen | {"DATABASE_URL": postgres.database("dokku")}
    first, rest = (built.folder / "app.json").read_text().split("\n", 1)
    checks = json.loads("\n".join([first, block("dokku", "`app.json`"), rest]))["healthchecks"]
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
        assert Client(port, "172.17.0.2:5000").get(check["path"])[0] == 200
        front = Client(https_port, "www.example.com", tls=True)
        check_pages(front, **{"X-Forwarded-Proto": "http"})
    finally:
        dyno.stop()
