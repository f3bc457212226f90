"""app.json: its form, and its three uses, simulated: the Heroku Button, review apps, Heroku CI."""

import json
import os
import re
import secrets
from functools import reduce

import pytest
from jsonschema import Draft202012Validator
from support.client import Client
from support.generated import BIN, COMBINATIONS, ROOT, procfile, run, variables

FORM = Draft202012Validator(
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
    """Return what app.json says for an environment: its keys replace those of the same name."""
    app = json.loads((folder / "app.json").read_text())
    return app | app["environments"].get(environment, {})


def asked_for(app):
    """Return the variables that need a value from the user: without it, no app is created.

    The Button asks; a review app has it from the pipeline's settings, or is refused by Heroku,
    which calls app.json invalid. https://devcenter.heroku.com/changelog-items/513
    """
    return {
        name
        for name, variable in app["env"].items()
        if isinstance(variable, dict)
        and variable.get("required", True)
        and not {"value", "generator"} & set(variable)
    }


def config_vars(app, database, **given):
    """Return the config vars of an app that Heroku makes after a manifest."""
    assert asked_for(app) == set(given)
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
def test_form(render, error_tracker, hsts):
    """As Heroku describes it, and in agreement with the settings and the Procfile."""
    project = render(error_tracker=error_tracker, hsts=hsts).project_path
    app = manifest(project)
    known = set(variables(project / ".env.example"))

    assert [error.message for error in FORM.iter_errors(app)] == []
    assert asked_for(app) == {TOKEN[error_tracker]} - {None}
    assert asked_for(manifest(project, "test")) == set()  # nobody is there to answer
    assert all(variable["description"] for variable in app["env"].values())
    for environment in (None, *app["environments"]):
        assert set(manifest(project, environment)["env"]) <= known
    assert set(app["formation"]) == set(procfile(project)) - {"release"}


def test_mistakes_in_the_form(render):
    project = render().project_path

    for place, mistake in MISTAKES:
        app = manifest(project)
        *way, last = (int(key) if key.isdigit() else key for key in place.split("."))
        reduce(lambda part, key: part[key], way, app)[last] = mistake
        assert [*FORM.iter_errors(app)], place


@pytest.mark.exotic
@pytest.mark.slow
@pytest.mark.parametrize("error_tracker", ["rollbar", "sentry"])
def test_button_and_review_app(app, postgres, free_port, error_tracker):
    """The release passes with what app.json sets and asks for, and the site answers to its name."""
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
def test_heroku_ci(site, postgres, tmp_path):
    """The test script, on the committed files and the dev group, beside a Postgres without TLS.

    Built as by bin/test-compile of heroku-buildpack-python, under the variables that its
    spec/hatchet/ci_spec.rb has for uv, less PYTHONHOME, which a .venv is not; the database and its
    variables are as heroku-buildpack-ci-postgresql makes them.
    """
    generated, folder = site(), tmp_path / "app"
    cloned = generated.run("git", "clone", "-q", ".", folder)
    python = {"UV_PYTHON": str(generated.python.resolve()), "UV_PYTHON_DOWNLOADS": "never"}
    synced = run([BIN / "uv", "sync", "--locked"], folder, dict(os.environ) | python)
    assert cloned.returncode == synced.returncode == 0, cloned.out + synced.out
    app = manifest(folder, "test")
    assert app["addons"] == ["heroku-postgresql:in-dyno"]
    assert app["buildpacks"]  # no database in the dyno without them
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
