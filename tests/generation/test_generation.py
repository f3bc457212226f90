"""The hook and bootstrap.py: a verified project is created, and an unsafe one is not."""

import os
import re
import stat
import tomllib

import pytest
from support.generated import (
    BIN,
    CHECK_DEPLOY,
    COMBINATIONS,
    NOT_IN_GIT,
    QUESTIONS,
    Site,
    cookiecutter,
    files_with,
    run,
    variables,
    with_shared_venv,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("error_tracker", "hsts"), COMBINATIONS)
def test_each_combination_is_verified(site, tmp_path, error_tracker, hsts):
    """The committed files pass the checks again, with only the variables of production."""
    generated = site(error_tracker, hsts)
    silenced = {"django": 0, "proxy": 1}[hsts]

    assert f"check --deploy: no issues ({silenced} silenced)" in generated.report
    assert generated.files() == files_with(error_tracker) | {"uv.lock"}
    assert generated.run("git", "status", "--porcelain").stdout == ""
    assert generated.run("git", "log", "--format=%s|%D").stdout == "Start my-site|HEAD -> main\n"
    clone = tmp_path / "clone"
    run(["git", "clone", "-q", generated.path, clone], tmp_path)
    checked = run([generated.python, *CHECK_DEPLOY], clone, generated.production())
    assert checked.stdout == f"System check identified no issues ({silenced} silenced).\n"


def test_silenced_check_fails_if_it_is_not_silenced(site, make_copy):
    changed = make_copy(site("none", "proxy"))
    changed.add_settings("SILENCED_SYSTEM_CHECKS = []")

    checked = changed.run(changed.python, *CHECK_DEPLOY, env=changed.production())

    assert checked.returncode == 1
    assert re.findall(r"\((.+\.[EW]\d+)\)", checked.stderr) == ["security.W004"]


def test_python_that_ran_the_checks_is_pinned_for_heroku(site):
    generated = site()
    pinned = (generated.path / ".python-version").read_text()
    used = generated.run(
        generated.python, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"
    )

    assert pinned == used.stdout
    assert ("3.14" not in pinned) == ("version" in generated.report.split())


def test_env_file_has_a_new_key_and_is_private(site):
    keys = set()
    for generated in (site("rollbar"), site("sentry")):
        env = variables(generated.path / ".env")
        example = variables(generated.path / ".env.example")
        keys.add(env["SECRET_KEY"])
        assert env | {"SECRET_KEY": None} == example | {"SECRET_KEY": None}
        assert stat.S_IMODE((generated.path / ".env").stat().st_mode) == 0o600
        assert len(env["SECRET_KEY"]) >= 50
    assert len(keys) == 2


def test_name_of_each_dependency_is_an_invalid_slug(site):
    taken = set(QUESTIONS["_dependencies"])
    for tracker in ("rollbar", "sentry", "none"):
        lock = tomllib.loads((site(tracker).path / "uv.lock").read_text())
        assert {package["name"] for package in lock["package"]} - {"my-site"} <= taken


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("DEBUG = True", "security.W018"),
        ("SECURE_SSL_REDIRECT = False", "security.W008"),
        ("SESSION_COOKIE_SECURE = False", "security.W012"),
        ("SECURE_HSTS_SECONDS = 0", "security.W004"),
        ("ALLOWED_HOSTS = []", "security.W020"),
        ('SECRET_KEY = "short"', "security.W009"),
    ],
)
def test_generation_fails_if_a_deployment_check_fails(
    site, make_broken_template, environment, tmp_path, line, words
):
    template = make_broken_template(settings=line, bootstrap=with_shared_venv(site()))

    generated = cookiecutter(tmp_path / "out", environment, template=template)

    assert generated.returncode == 1
    assert words in generated.stdout and "UNSAFE" in generated.stdout
    assert list((tmp_path / "out").iterdir()) == []


def test_deployment_checks_do_not_read_the_env_file(site, make_copy, environment):
    """A variable in .env cannot make a check pass."""
    changed = make_copy(site())
    with (changed.path / ".env").open("a") as env:
        env.write("SECURE_HSTS_SECONDS=31536000\n")
    changed.replace("project/settings.py", "default=3600", "default=0")

    again = changed.run(BIN / "python", "bootstrap.py", env=environment)

    assert again.returncode == 1, again.out
    assert "security.W004" in again.stdout and "UNSAFE" in again.stdout
    assert changed.path.exists()


def test_uv_is_downloaded_with_pip_if_it_is_not_installed(site, make_copy, environment):
    changed = make_copy(site())
    (changed.path / ".venv").unlink()
    path = [folder for folder in environment["PATH"].split(os.pathsep)
            if not os.path.exists(f"{folder}/uv")]  # fmt: skip
    environment |= {"UV": "", "PATH": os.pathsep.join(path)}

    done = changed.run(BIN / "python", "bootstrap.py", env=environment)

    assert done.returncode == 0, done.out
    assert re.search("uv +fetched with pip", done.stdout)


def test_existing_folder_is_not_changed(tmp_path, environment):
    existing = tmp_path / "out" / "my-site" / "settings.py"
    existing.parent.mkdir(parents=True)
    existing.write_text("mine")

    generated = cookiecutter(tmp_path / "out", environment)

    assert generated.returncode == 1 and "already exists" in generated.out
    assert [path.name for path in existing.parent.iterdir()] == ["settings.py"]


def test_other_projects_do_not_affect_generation(tmp_path, environment):
    """Their uv workspace, in the parent folder, and their environment variables have no effect."""
    out = tmp_path / "out"
    out.mkdir()
    (out / "pyproject.toml").write_text('[tool.uv.workspace]\nmembers = ["*"]\n')
    elsewhere = tmp_path / "elsewhere.sqlite3"
    environment |= {
        "DJANGO_SETTINGS_MODULE": "other.settings",
        "VIRTUAL_ENV": str(tmp_path / "venv"),
        "UV_PROJECT_ENVIRONMENT": str(tmp_path / "venv"),
        "PYTHONPATH": str(tmp_path),
        "DATABASE_URL": f"sqlite:///{elsewhere}",
        "DEBUG": "True",
        "SECRET_KEY": "short",
        "GIT_DIR": str(tmp_path / "other.git"),
    }

    generated = cookiecutter(out, environment)

    assert generated.returncode == 0 and "\nVerified" in generated.stdout, generated.out
    assert {path.name for path in out.iterdir()} == {"pyproject.toml", "my-site"}
    made = {path.name for path in (out / "my-site").iterdir()}
    assert made >= {".venv", "uv.lock", ".git"} | NOT_IN_GIT
    for name in ("elsewhere.sqlite3", "venv", "other.git"):
        assert not (tmp_path / name).exists()


def test_bootstrap_sets_up_a_clone_and_can_run_again(site, tmp_path, environment):
    clone = Site(tmp_path / "clone")
    run(["git", "clone", "-q", site().path, clone.path], tmp_path)

    first = clone.run(BIN / "python", "bootstrap.py", env=environment)
    env = (clone.path / ".env").read_text()
    second = run([BIN / "python", "clone/bootstrap.py"], tmp_path, environment)

    assert first.returncode == 0 and "\nVerified" in first.stdout, first.out
    assert second.returncode == 0 and "  cd clone\n" in second.stdout, second.out
    assert (clone.path / ".env").read_text() == env
    assert clone.run("git", "status", "--porcelain").stdout == ""
    assert clone.manage("migrate", "--check").returncode == 0


def test_bootstrap_does_not_migrate_a_database_other_than_sqlite(site, make_copy, environment):
    changed = make_copy(site())
    changed.replace(".env", "sqlite:///db.sqlite3", "postgres://u:p@127.0.0.1:1/x")

    done = changed.run(BIN / "python", "bootstrap.py", env=environment)

    assert done.returncode == 0 and re.search("database +not migrated", done.stdout), done.out


def test_bootstrap_rejects_an_older_python(site):
    rejected = site().run(
        BIN / "python",
        "-c",
        "import runpy, sys; sys.version_info = (3, 9); runpy.run_path('bootstrap.py')",
    )

    assert rejected.returncode == 1
    assert rejected.stderr.startswith("bootstrap.py needs Python 3.10 or newer")
