"""app.json: its form, which the Heroku Button, review apps and Heroku CI share."""

import json
from functools import reduce

import pytest
from conftest import COMBINATIONS, ROOT, procfile, variables
from jsonschema import Draft202012Validator

FORM = Draft202012Validator(json.loads((ROOT / "tests" / "app.schema.json").read_text()))
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
    """Return the variables that somebody has to give a value: without it, no app is made.

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
