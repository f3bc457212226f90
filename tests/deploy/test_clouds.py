"""The files of the cloud pages in docs/platforms: release, variables and client address.

The platforms' command-line tools are fakes that record their arguments. The X-Forwarded-For of each
platform is as in its documentation, or as its users report.
"""

import json
import re
import secrets
import shlex
import sqlite3
import tomllib
from contextlib import closing

import pytest
import yaml
from support.client import HTTPS, Client
from support.generated import BIN, QUICK_PASSWORDS, QUICK_STATIC_FILES, procfile
from support.platforms import (
    CLIENT,
    FORGED,
    NAMES,
    PROXY,
    block,
    builder,
    check_address,
    check_http_goes_to_https,
    check_own_tests,
    check_pages,
    check_release,
    clone,
    put,
)

pytestmark = [pytest.mark.slow, pytest.mark.exotic]

KEY = secrets.token_hex(32)


@pytest.fixture
def cloned(site, tmp_path):
    """Return a clone of a Site, with its .venv, to which a platform's files can be added."""
    source = clone(site(), tmp_path / "my-site")
    (source.path / ".venv").symlink_to(site().path / ".venv")
    source.python = source.path / ".venv" / "bin" / "python"
    return source


def chosen(database, host):
    """Return the variables that the reader of a page chooses, with the URL of a database."""
    return {
        "ALLOWED_HOSTS": host,
        "DATABASE_URL": database,
        "SECRET_KEY": KEY,
        "ROLLBAR_ACCESS_TOKEN": "my-own-token",
    }


def test_cloud_run_release_and_client_address(cloned, fakes, postgres):
    make, calls = fakes
    path = make("docker", "gcloud")
    put(cloned, "cloud-run", "deploy")
    done = cloned.run("bash", "deploy", env={"PATH": path})
    assert done.returncode == 0, done.out
    job, service = (it for it in calls() if it[:2] == ["gcloud", "run"])
    options = dict(word.split("=", 1) for word in job if word.startswith("--") and "=" in word)
    stored = dict(it.split("=") for it in options["--set-secrets"].split(","))
    once = block("cloud-run", "Untested, locally, once")
    for secret in stored.values():
        assert f"gcloud secrets create {secret.removesuffix(':latest')} " in once
    plain = dict([options["--set-env-vars"].split("=")])
    variables = chosen(postgres.database("cloud_run"), plain["ALLOWED_HOSTS"])
    assert {*stored, *plain} == NAMES
    flag, line = options["--args"].split(",", 1)
    check_release(cloned, [options["--command"], flag, line], variables)
    assert (
        options["--image"] in " ".join(service)
        and "--startup-probe=httpGet.path=/readyz" in service
    )
    check_address(cloned, variables, **{"X-Forwarded-For": CLIENT})
    # The URL of the database has the path of a Unix socket.
    url = (
        re.search('"(postgres://.+?)"', once)[1].replace("$PROJECT", "p").replace("$PASSWORD", "x")
    )
    socket = "print(settings.DATABASES['default']['HOST'])"
    path = make("docker", "gcloud", fails_at="jobs")
    assert cloned.run("bash", "deploy", env={"PATH": path}).returncode == 1
    assert [it[:3] for it in calls()][-1] == ["gcloud", "run", "jobs"]
    command = f"from django.conf import settings; {socket}"
    printed = cloned.manage("shell", "-v0", "-c", command, env=variables | {"DATABASE_URL": url})
    assert printed.stdout.strip() == "/cloudsql/p:europe-west1:my-site-db", printed.out


def test_fly_release_and_client_address(cloned, postgres):
    config = tomllib.loads(block("fly", "`fly.toml`"))
    line = re.search("fly secrets set --stage (.+)", block("fly", "Untested, locally, once"))[1]
    variables = chosen(postgres.database("fly"), config["env"]["ALLOWED_HOSTS"])
    assert {*re.findall(r"(\w+)=", line), "ALLOWED_HOSTS", "DATABASE_URL"} == NAMES
    variables |= config["env"]
    check_release(cloned, shlex.split(config["deploy"]["release_command"]), variables)
    service = config["http_service"]
    assert service["force_https"] and service["checks"][0]["path"] == "/healthz"
    assert f"PORT={service['internal_port']} " in block("container", "`Dockerfile`")
    check_address(cloned, variables, **{"X-Forwarded-For": f"{FORGED}, {CLIENT}, {PROXY}"})


def test_app_platform_release_and_client_address(cloned, postgres):
    put(cloned, "app-platform", "project/settings.py")
    check_own_tests(cloned, cloned)
    spec = yaml.safe_load(block("app-platform", "`.do/app.yaml`"))
    values = {it["key"]: it["value"] for it in spec["envs"]}
    assert values["DATABASE_URL"] == f"${{{spec['databases'][0]['name']}.DATABASE_URL}}"
    assert [it["key"] for it in spec["envs"] if it.get("type") == "SECRET"] == [
        "SECRET_KEY", "ROLLBAR_ACCESS_TOKEN",
    ]  # fmt: skip
    variables = chosen(postgres.database("app_platform"), values["ALLOWED_HOSTS"])
    (service,), (job,) = spec["services"], spec["jobs"]
    assert job["kind"] == "PRE_DEPLOY" and service["health_check"] == {"http_path": "/healthz"}
    check_release(cloned, shlex.split(job["run_command"]), variables)
    sent = {"X-Forwarded-For": FORGED, "DO-Connecting-IP": CLIENT}
    check_address(cloned, variables, **sent)
    # The command replaces each of the example's secrets.
    put(cloned, "app-platform", ".do/app.yaml")
    line = block("app-platform", "Untested, locally, once").splitlines()[0].split(" > ")[0]
    filled = yaml.safe_load(cloned.run("bash", "-c", line).stdout)
    filled = {it["key"]: it["value"] for it in filled["envs"]}
    assert len(filled["SECRET_KEY"]) == 64 and filled["ROLLBAR_ACCESS_TOKEN"] == "my-own-token"


def test_azure_release_and_client_address(cloned, fakes, postgres, tmp_path):
    make, calls = fakes
    once = block("azure", "Untested, locally, once")
    url = postgres.database("azure")
    file = "cat > ../production.env" + once.split("cat > ../production.env")[1]
    file = re.sub("(?m)^DATABASE_URL=.+$", f"DATABASE_URL={url}", file)
    assert cloned.run("bash", "-c", file).returncode == 0
    variables = dict(
        line.split("=", 1) for line in (tmp_path / "production.env").read_text().splitlines()
    )
    put(cloned, "azure", "deploy")
    done = cloned.run("bash", "deploy", env={"PATH": make("az", "docker")})
    assert done.returncode == 0, done.out
    (started,) = (it for it in calls() if it[:2] == ["docker", "run"])
    assert started[2:5] == ["--rm", "--env-file", "../production.env"]
    check_release(cloned, started[6:], variables)
    (settings,) = (it for it in calls() if "appsettings" in it)
    assert {it.split("=")[0] for it in settings if it.isupper() or "=" in it} >= NAMES
    check_address(cloned, variables, **{"X-Forwarded-For": f"{FORGED}, {CLIENT}:50123"})
    path = make("az", "docker", fails_at="run")
    assert cloned.run("bash", "deploy", env={"PATH": path}).returncode == 1
    assert calls()[-1][:2] == ["docker", "run"]


def test_kamal_release_and_client_address(cloned, fakes, tmp_path):
    make, calls = fakes
    config = yaml.safe_load(block("kamal", "`config/deploy.yml`"))
    assert config["proxy"]["healthcheck"]["path"] == "/healthz"
    assert f"PORT={config['proxy']['app_port']} " in block("container", "`Dockerfile`")
    secret = config["env"]["secret"]
    assert {*config["env"]["clear"], *secret} == NAMES
    kept = dict(line.split("=") for line in block("kamal", "`.kamal/secrets`").splitlines())
    assert {*secret, *config["registry"]["password"]} == {*kept}
    (volume,) = config["volumes"]
    here, there = volume.split(":")
    url = config["env"]["clear"]["DATABASE_URL"].replace(
        f"sqlite:///{there}", f"sqlite:///{tmp_path}"
    )
    variables = chosen(url, config["env"]["clear"]["ALLOWED_HOSTS"])
    put(cloned, "kamal", ".kamal/hooks/pre-deploy")
    environment = {"PATH": make("kamal"), "KAMAL_VERSION": "abc"}
    hook = cloned.run(".kamal/hooks/pre-deploy", env=environment)
    assert hook.returncode == 0, hook.out
    ((*_, command),) = calls()
    words = shlex.split(command)
    path = {"PATH": f"{cloned.python.parent}:/usr/bin:/bin"}
    failed = cloned.run(*words, env=variables | path)
    assert failed.returncode == 1 and "deploy.E002" in failed.out
    put(cloned, "kamal", "project/settings.py")
    cloned.add_settings(QUICK_PASSWORDS)
    check_release(cloned, words, variables)
    check_address(cloned, variables, **{"X-Forwarded-For": CLIENT})


def test_elastic_beanstalk_release_and_client_address(cloned, site, postgres, tmp_path):
    once = block("aws", "Locally, once")
    done = cloned.run("bash", "-ec", once, env=builder(site()))
    assert done.returncode == 0, done.out
    assert procfile(cloned.path).keys() == {"web"}
    packages = (cloned.path / "requirements.txt").read_text()
    assert "gunicorn==" in packages and "pytest==" not in packages
    options = yaml.safe_load(block("aws", "`.ebextensions/site.config`"))["option_settings"]
    plain = options["aws:elasticbeanstalk:application:environment"]
    assert options["aws:elasticbeanstalk:environment:process:default"] == {
        "HealthCheckPath": "/healthz"
    }
    line = re.search("eb setenv (.+)", block("aws", "Untested, locally, once"))[1]
    assert {*re.findall(r"\b([A-Z_]+)=", line), *plain} == NAMES | {"PROXY_COUNT"}
    variables = chosen(postgres.database("beanstalk"), plain["ALLOWED_HOSTS"]) | plain

    hook = ".platform/hooks/predeploy/01_release.sh"
    put(cloned, "aws", hook)
    text = (cloned.path / hook).read_text()
    (tmp_path / "venv").mkdir()
    (tmp_path / "venv" / "staging").symlink_to(cloned.path / ".venv")
    config = tmp_path / "get-config"
    places = {"/var/app/staging": cloned.path, "/var/app/venv": tmp_path / "venv"}
    places["/opt/elasticbeanstalk/bin/get-config"] = config
    for old, new in places.items():
        text = text.replace(old, str(new))
    (cloned.path / hook).write_text(text)

    def release(**changes):
        values = json.dumps(variables | {"ODD": "it's $HOME"} | changes)
        config.write_text(f"#!/bin/bash\necho {shlex.quote(values)}\n")
        config.chmod(0o755)
        return cloned.run(cloned.path / hook, env={"PATH": "/usr/bin:/bin"})

    unsafe = release(SECRET_KEY="short")
    assert unsafe.returncode == 1 and "Applying" not in unsafe.out
    released = release()
    assert "Applying identity.0001_initial... OK" in released.out, released.out
    assert (cloned.path / "staticfiles").exists()
    check_address(cloned, variables, **{"X-Forwarded-For": f"{FORGED}, {CLIENT}, {PROXY}"})


def test_pythonanywhere_deploys_and_serves(site, serve, free_port, tmp_path):
    home = tmp_path / "home" / "you"
    home.mkdir(parents=True)
    source = clone(site(), tmp_path / "source")
    put(source, "pythonanywhere", "project/settings.py")
    check_own_tests(source, site())
    source.add_settings(QUICK_STATIC_FILES, QUICK_PASSWORDS)
    source.commit("PythonAnywhere")
    build = builder(site())
    tools = home / ".local" / "bin"
    tools.mkdir(parents=True)
    (tools / "uv").symlink_to(BIN / "uv")
    environment = build | {
        "HOME": str(home),
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{source.path}.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/you/my-site.git",
    }

    def run_block(lead):
        lines = block("pythonanywhere", lead).replace("/home/you", str(home))
        lines = lines.replace("pip install --user uv\n", "")
        done = source.run("bash", "-ec", lines, env=environment)
        assert done.returncode == 0, done.out
        return done.out

    run_block("As you, once")
    assert "Applying identity.0001_initial... OK" in run_block("As you, for each deploy")
    with closing(sqlite3.connect(home / "my-site.sqlite3")) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    app = home / "my-site"
    wsgi = tmp_path / "you_pythonanywhere_com_wsgi.py"
    lead = "`/var/www/you_pythonanywhere_com_wsgi.py`"
    wsgi.write_text(block("pythonanywhere", lead).replace("/home/you", str(home)))
    # In another folder, so without gunicorn.conf.py: this simulates PythonAnywhere's own server.
    gunicorn = [app / ".venv/bin/gunicorn", "--bind", f"127.0.0.1:{free_port}"]
    bare = {"PATH": "/usr/bin:/bin", "HOME": str(home)}
    server = type(source)(tmp_path)
    serve(server, *gunicorn, "you_pythonanywhere_com_wsgi", env=bare, port=free_port)
    front = Client(free_port, "you.pythonanywhere.com")
    check_http_goes_to_https(front)
    check_pages(front, **HTTPS)
    cloned = type(source)(app)
    sent = {"X-Forwarded-For": FORGED, "X-Real-IP": CLIENT}
    check_address(cloned, bare, **sent)
