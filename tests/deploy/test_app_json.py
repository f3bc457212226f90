"""app.json: its schema, and its simulated uses: the Heroku Button, review apps, Heroku CI."""

import json
import os
import re
import secrets
from functools import reduce

import pytest
from jsonschema import Draft202012Validator
from support.client import Client
from support.generated import BIN, COMBINATIONS, ROOT, procfile, run, variables

SCHEMA = Draft202012Validator(
    json.loads((ROOT / "tests" / "support" / "app.schema.json").read_text())
)
TOKEN = {"rollbar": "ROLLBAR_ACCESS_TOKEN", "sentry": "SENTRY_DSN", "none": None}
MISTAKES = [
    ("buildpack", []),
    ("description", 1),
    ("addons", "heroku-postgresql:essential-0"),
    ("addons.0", "heroku-postgresql essential-0"),
    ("addons.0", {"name": "heroku-postgresql"}),
    ("buildpacks.0", "heroku/python"),
    ("buildpacks.0.url", "python"),
    ("env.secret_key", "a"),
    ("env.ALLOWED_HOSTS.value", [".herokuapp.com"]),
    ("env.ROLLBAR_ACCESS_TOKEN.required", "false"),
    ("env.SECRET_KEY.generater", "secret"),
    ("env.SECRET_KEY.generator", "hex"),
    ("environments.ci", {}),
    ("environments.test.environments", {}),
    ("environments.test.env.DEBUG", True),
    ("environments.test.scripts.tests", "pytest"),
    ("formation.web.quantity", "1"),
    ("formation.web.size", "hobby"),
    ("scripts", {"test": "pytest"}),
    ("stack", "heroku-18"),
]


def manifest(folder, environment=None):
    """Return the keys of app.json for an environment, which override the common ones."""
    app = json.loads((folder / "app.json").read_text())
    return app | app["environments"].get(environment, {})


def required(app):
    """Return the config vars that need a value from the user: without it, no app is created.

    The Button asks for it. A review app takes it from the pipeline's settings. If it is not there,
    Heroku rejects app.json as invalid: https://devcenter.heroku.com/changelog-items/513
    """
    return {
        name
        for name, variable in app["env"].items()
        if isinstance(variable, dict)
        and variable.get("required", True)
        and not {"value", "generator"} & set(variable)
    }


def config_vars(app, database, **given):
    """Return the config vars of an app that Heroku creates from a manifest."""
    assert required(app) == set(given)
    config = {}
    for name, variable in app["env"].items():
        if isinstance(variable, str):
            config[name] = variable
        elif variable.get("generator") == "secret":
            config[name] = secrets.token_hex(32)
        elif "value" in variable:
            config[name] = variable["value"]
    if any(addon.startswith("heroku-postgresql:") for addon in app["addons"]):
        config["DATABASE_URL"] = database
    return config | given


@pytest.mark.parametrize(("error_tracker", "hsts"), COMBINATIONS)
def test_app_json_matches_schema_settings_and_procfile(render, error_tracker, hsts):
    project = render(error_tracker=error_tracker, hsts=hsts).project_path
    app = manifest(project)
    known = set(variables(project / ".env.example"))

    assert [error.message for error in SCHEMA.iter_errors(app)] == []
    assert required(app) == {TOKEN[error_tracker]} - {None}
    assert required(manifest(project, "test")) == set()  # Heroku CI cannot ask for values
    assert all(variable["description"] for variable in app["env"].values())
    for environment in (None, *app["environments"]):
        assert set(manifest(project, environment)["env"]) <= known
    assert set(app["formation"]) == set(procfile(project)) - {"release"}


def test_schema_rejects_mistakes(render):
    project = render().project_path

    for place, mistake in MISTAKES:
        app = manifest(project)
        *way, last = (int(key) if key.isdigit() else key for key in place.split("."))
        reduce(lambda part, key: part[key], way, app)[last] = mistake
        assert [*SCHEMA.iter_errors(app)], place


@pytest.mark.exotic
@pytest.mark.slow
@pytest.mark.parametrize("error_tracker", ["rollbar", "sentry"])
def test_button_and_review_app_are_released_and_served(app, postgres, free_port, error_tracker):
    """Set only the config vars that app.json sets or asks for."""
    made = app(error_tracker)
    given = {TOKEN[error_tracker]: made.config[TOKEN[error_tracker]]}
    database = postgres.database(f"button_{error_tracker}")
    made.config = config_vars(manifest(made.folder, "review"), database, **given)

    released = made.run(made.lines["release"])
    assert released.returncode == 0, released.out
    dyno = made.dyno(free_port)
    try:
        for name in ("my-site-0123456789ab", "my-site-pr-7-0123456789ab"):
            host = {"Host": f"{name}.herokuapp.com", "X-Forwarded-Proto": "https"}
            assert Client(dyno.port).get(**host)[0] == 200, dyno.text()
    finally:
        dyno.stop()


@pytest.mark.exotic
@pytest.mark.slow
def test_heroku_ci_runs_the_tests(site, postgres, tmp_path):
    """Run the test script on the committed files, with the dev group and a Postgres without TLS.

    The build is that of bin/test-compile of heroku-buildpack-python. The environment is that of its
    spec/hatchet/ci_spec.rb for uv, without PYTHONHOME, which does not apply to a .venv. The
    database and its variables are those of heroku-buildpack-ci-postgresql.
    """
    generated, folder = site(), tmp_path / "app"
    cloned = generated.run("git", "clone", "-q", ".", folder)
    python = {"UV_PYTHON": str(generated.python.resolve()), "UV_PYTHON_DOWNLOADS": "never"}
    synced = run([BIN / "uv", "sync", "--locked"], folder, dict(os.environ) | python)
    assert cloned.returncode == synced.returncode == 0, cloned.out + synced.out
    app = manifest(folder, "test")
    assert app["addons"] == ["heroku-postgresql:in-dyno"]
    assert app["buildpacks"]  # without them, there is no database in the dyno
    environment = config_vars(app, postgres.database("ci").partition("?")[0]) | {
        "CI": "true",
        "FORWARDED_ALLOW_IPS": "*",
        "GUNICORN_CMD_ARGS": "--access-logfile -",
        "LANG": "en_US.UTF-8",
        "PATH": f"{folder}/.venv/bin:/usr/local/bin:/usr/bin:/bin",
        "PGHOST": "/tmp",
        "PYTHONPATH": str(folder),
        "PYTHONUNBUFFERED": "true",
        "WEB_CONCURRENCY": "5",
        "WEB_CONCURRENCY_SET_BY": "heroku/python",
    }

    tested = run(["bash", "-c", app["scripts"]["test"]], folder, environment)

    assert tested.returncode == 0, tested.out
    assert re.search(r"=== 1\d passed in ", tested.stdout), tested.out
