"""What an owner does after the first deploy, and what runs at each push: the generated CI."""

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
    """Return the address of a server that knows of no vulnerability, as https://osv.dev has them."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            assert {"name": "django", "ecosystem": "PyPI"} in [
                it["package"] for it in asked["queries"]
            ]
            answer = json.dumps({"results": [{} for _ in asked["queries"]]}).encode()
            self.send_response(200)
            self.send_header("Content-Length", len(answer))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *arguments):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=[0.05]).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_first_week(own_copy, osv):
    """What “After the first deploy” has to type, but for what is Heroku's; no tool but .venv's own.

    And the app that was begun has a test that logs in.
    """
    changed, environment = own_copy

    def typed(command):
        if command == "uv audit":  # asks a server of its own
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
    typed("ruff check && ruff format --check")  # what startapp writes passes CI
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


def test_ci(site, make_copy, environment, postgres):
    """The commands of the workflow as they stand there, on a real Postgres.

    By the Python of .python-version; test_pythons.py has the others.
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


def test_a_package_that_production_does_not_have_is_missed(own_copy):
    """One of the dev group in INSTALLED_APPS: bootstrap.py and CI notice, and keep the packages."""
    changed, environment = own_copy
    added = changed.run("uv", "add", "--quiet", "--dev", "django-debug-toolbar", env=environment)
    assert added.returncode == 0, added.out
    changed.replace("project/settings.py", "    # Yours go here.", '    "debug_toolbar",')

    not_verified = changed.run(BIN / "python", "bootstrap.py", env=environment)
    tools = changed.run("ruff", "--version", env=environment)
    workflow = yaml.safe_load((changed.path / ".github/workflows/ci.yml").read_text())
    *_, sync, check = (step["run"] for step in workflow["jobs"]["checks"]["steps"] if "run" in step)
    environment["PATH"] += f"{os.pathsep}{BIN}"  # has the uv of the workflow
    synced = changed.run("bash", "-ec", sync, env=environment)
    refused = changed.run("bash", "-ec", check, env=environment)

    assert not_verified.returncode == 2, not_verified.out
    assert "No module named 'debug_toolbar'" in not_verified.stdout
    assert tools.returncode == 0 and synced.returncode == 0
    assert refused.returncode != 0 and "No module named 'debug_toolbar'" in refused.out


@pytest.mark.exotic
def test_a_project_folder_that_moves(own_copy):
    """An environment that cannot be moved is made anew; then the activated one survives a move."""
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
