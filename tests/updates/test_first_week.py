"""The commands of “After the first deploy” in the generated README, and the generated CI."""

import json
import os
import re
import shutil
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
import yaml
from support.generated import BIN, run

pytestmark = pytest.mark.slow


@pytest.fixture
def osv():
    """Yield the URL of a fake of https://osv.dev, which knows of no vulnerability."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert {"name": "django", "ecosystem": "PyPI"} in [
                it["package"] for it in request["queries"]
            ]
            response = json.dumps({"results": [{} for _ in request["queries"]]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", len(response))
            self.end_headers()
            self.wfile.write(response)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05]).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_commands_after_the_first_deploy_succeed(own_copy, osv):
    """Run all commands except Heroku's, with only the tools of .venv.

    The new app gets a test that logs in.
    """
    changed, environment = own_copy

    def typed(command):
        if command == "uv audit":  # would send requests to osv.dev
            command += f" --service-url {osv}"
        done = changed.run("bash", "-c", command, env=environment)
        assert done.returncode == 0, done.out
        return done.stdout

    readme = (changed.path / "README.md").read_text().partition("## After the first deploy")[2]
    commands = re.findall(
        "`(?:heroku run )?((?:python|uv) .+?)`", readme.replace("uv add name", "uv add toml")
    )
    assert len(commands) == 13, commands

    for command in commands:
        typed(command)

    assert '"toml>=' in (changed.path / "pyproject.toml").read_text()
    typed("uv lock --check")
    typed("ruff check && ruff format --check")  # CI accepts the files of startapp
    (changed.path / "blog" / "tests.py").write_text(
        "from django.contrib.auth import get_user_model\n"
        "from django.test import TestCase\n\n\n"
        "class BlogTests(TestCase):\n"
        "    def test_login(self):\n"
        "        get_user_model().objects.create_superuser('ada', password='pw')\n"
        "        self.assertTrue(self.client.login(username='ada', password='pw'))\n"
        "        self.assertContains(self.client.get('/admin/'), 'ada')\n"
    )
    changed.replace("project/settings.py", "    # Yours go here.", '    "blog",')
    assert "1 passed" in typed("pytest -W error blog")
    assert "Found 1 test" in typed("python -W error manage.py test blog")


def test_first_push_for_ci(site, tmp_path):
    """Run the commands of “run CI”, with a bare repository in the place of GitHub's."""
    readme = (site().path / "README.md").read_text()
    commands = re.findall("`(git .+?)`", re.search(r"^\| run CI \|(.+)$", readme, re.MULTILINE)[1])
    github, clone = tmp_path / "github.git", tmp_path / "clone"
    run(["git", "init", "--quiet", "--bare", "-b", "main", github], tmp_path)
    run(["git", "clone", "--quiet", "--origin", "source", site().path, clone], tmp_path)
    environment = os.environ | {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.file://{github}.insteadOf",
        "GIT_CONFIG_VALUE_0": commands[0].split()[-1],
    }

    for command in commands:
        done = run(command.split(), clone, environment)
        assert done.returncode == 0, done.out

    workflow = run(["git", "show", "main:.github/workflows/ci.yml"], github).stdout
    assert workflow == (site().path / ".github/workflows/ci.yml").read_text()


def test_ci_passes_and_fails_with_an_unsafe_setting(site, make_copy, environment, postgres):
    """Run the workflow's commands, with a real Postgres and the Python of .python-version.

    test_pythons.py has the other Pythons.
    """
    changed = make_copy(site())
    (changed.path / ".venv").unlink()
    workflow = yaml.safe_load((changed.path / ".github/workflows/ci.yml").read_text())
    environment["PATH"] = os.pathsep.join(map(str, [BIN, environment["PATH"]]))
    environment["DATABASE_URL"] = postgres.database("workflow")
    environment["UV_PYTHON"] = str(site().python.resolve())
    (changed.path / ".env").unlink()

    for job in ("checks", "tests"):
        for step in workflow["jobs"][job]["steps"]:
            if "run" in step:
                done = changed.run("bash", "-ec", step["run"], env=environment)
                assert done.returncode == 0, done.out
    changed.add_settings("SECURE_SSL_REDIRECT = False")
    checked = workflow["jobs"]["checks"]["steps"][-1]["run"]
    assert changed.run("bash", "-ec", checked, env=environment).returncode == 1


def test_dev_package_in_installed_apps_fails_bootstrap_and_ci(own_copy):
    """Check also that both keep the installed packages."""
    changed, environment = own_copy
    added = changed.run("uv", "add", "--quiet", "--dev", "django-debug-toolbar", env=environment)
    assert added.returncode == 0, added.out
    changed.replace("project/settings.py", "    # Yours go here.", '    "debug_toolbar",')

    not_verified = changed.run(BIN / "python", "bootstrap.py", env=environment)
    tools = changed.run("ruff", "--version", env=environment)
    workflow = yaml.safe_load((changed.path / ".github/workflows/ci.yml").read_text())
    *_, sync, check = (step["run"] for step in workflow["jobs"]["checks"]["steps"] if "run" in step)
    environment["PATH"] += f"{os.pathsep}{BIN}"  # has uv, which the workflow runs
    synced = changed.run("bash", "-ec", sync, env=environment)
    failed = changed.run("bash", "-ec", check, env=environment)

    assert not_verified.returncode == 2, not_verified.out
    assert "No module named 'debug_toolbar'" in not_verified.stdout
    assert tools.returncode == 0 and synced.returncode == 0
    assert failed.returncode != 0 and "No module named 'debug_toolbar'" in failed.out


@pytest.mark.exotic
def test_environment_works_after_the_project_folder_moves(own_copy):
    """Check that bootstrap.py replaces an environment that is not relocatable."""
    own, environment = own_copy
    python = own.python.resolve()
    shutil.rmtree(own.path / ".venv")
    environment.pop("VIRTUAL_ENV")
    environment["PATH"] = f"{BIN}:/usr/bin:/bin"
    assert own.run("uv", "sync", "--python", python, env=environment).returncode == 0
    made = own.run(BIN / "python", "bootstrap.py", env=environment)
    assert "\nVerified" in made.stdout, made.out
    moved = own.path.with_name("moved site")
    own.path.rename(moved)

    commands = "source .venv/bin/activate; pytest --version; python bootstrap.py; which pytest"
    typed = run(["bash", "-ec", commands], moved, environment)

    assert typed.returncode == 0 and "\nVerified" in typed.stdout, typed.out
    assert typed.stdout.endswith(f"{moved}/.venv/bin/pytest\n")
