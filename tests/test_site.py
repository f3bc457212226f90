"""The generated site at work: its tests, its pages, and the second day of whoever owns it."""

import os
import re
import urllib.error
import urllib.request
from pathlib import Path

import pytest
import yaml
from browser import go_live
from generated import BIN, CHECKLIST

pytestmark = pytest.mark.slow


@pytest.fixture
def at_home(environment):
    """Return the environment of an activated .venv: a terminal in which no variable of the site is set."""
    return {
        name: environment[name]
        for name in environment
        if name not in ("UV", "SECRET_KEY", "DEBUG", "DATABASE_URL", "ALLOWED_HOSTS")
    }


@pytest.fixture
def own_copy(site, copy_of, environment):
    """Return a copy of a Site with a .venv of its own, and the environment in which it is active."""
    changed = copy_of(site())
    (changed.path / ".venv").unlink()
    assert changed.run(environment["UV"], "sync", "--locked", env=environment).returncode == 0
    environment["VIRTUAL_ENV"] = str(changed.path / ".venv")
    environment["PATH"] = f"{changed.python.parent}{os.pathsep}{environment['PATH']}"
    del environment["UV"]
    return changed, environment


def get(url, **headers):
    """Return status, headers and text of an answer, whatever its status; follow no redirect."""

    class Stay(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args):
            return None

    request = urllib.request.Request(url, headers=headers)
    try:
        answer = urllib.request.build_opener(Stay).open(request, timeout=10)
    except urllib.error.HTTPError as error:
        answer = error
    with answer:
        return answer.status, answer.headers, answer.read().decode()


@pytest.mark.parametrize(("error_tracker", "hsts"), [("sentry", "django"), ("none", "proxy")])
def test_its_own_tests_pass(site, at_home, error_tracker, hsts):
    generated = site(error_tracker, hsts)

    passed = generated.run(generated.python, "-m", "pytest", env=at_home)

    assert passed.returncode == 0, passed.out


def test_its_own_tests_pass_under_both_runners(site, at_home):
    by_pytest = site().run(site().python, "-m", "pytest", env=at_home)
    by_django = site().manage("test", env=at_home)

    assert by_pytest.returncode == 0, by_pytest.out
    assert by_django.returncode == 0, by_django.out
    count = int(re.search(r"(\d+) passed", by_pytest.stdout)[1])
    assert f"Ran {count} tests" in by_django.stderr and count >= 10
    assert "Traceback" not in by_django.out


@pytest.mark.parametrize(
    ("file", "old", "new", "failing"),
    [
        ("project/settings.py", "ROOT_URLCONF", 'NEW = env("NEW", default="")\nROOT_URLCONF', "env_example"),
        ("project/settings.py", "default=3600", "default=0", "no_warning"),
        ("project/settings.py", "SSL_REDIRECT = not DEBUG", "SSL_REDIRECT = False", "sigterm"),
        ("project/settings.py", '"default-src": [CSP.NONE]', '"default-src": ["*"]', "sites_own"),
        ("application/views.py", "@staff_member_required\n", "", "login"),
        ("templates/500.html", "Something", "Anything", "sigterm"),
        ("project/settings.py", '"project.context_processors.site_name",', "", "welcome"),
        ("Procfile", "gunicorn project.wsgi", "gunicorn project.wsg", "sigterm"),
        ("project/settings.py", "CompressedManifest", "Compressed", "sigterm"),
        ("project/settings.py", '"enabled": env.bool', '"enabled": False and env.bool', "sigterm"),
        ("project/settings.py", '"django": {"handlers": []', '"django": {"handlers": ["console"]', "sigterm"),
        ("gunicorn.conf.py", "preload_app = True", "def on_exit(server): os._exit(1)", "sigterm"),
    ],
)  # fmt: skip
def test_its_own_tests_notice(site, copy_of, at_home, file, old, new, failing):
    changed = copy_of(site())
    path = changed.path / file
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))

    noticed = changed.run(
        changed.python, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-k", failing, env=at_home
    )

    assert noticed.returncode == 1
    assert re.search(f"FAILED .*{failing}", noticed.stdout), noticed.out


def test_first_week(own_copy):
    """What “After the first day” has to type, but for what is Heroku's; no tool but .venv's own.

    And the app that was begun has a test that logs in.
    """
    changed, environment = own_copy

    def typed(command):
        done = changed.run("bash", "-c", command, env=environment)
        assert done.returncode == 0, done.out
        return done.stdout

    readme = (changed.path / "README.md").read_text().partition("## After the first day")[2]
    commands = re.findall(
        "`(?:heroku run )?((?:python|uv) .+?)`", readme.replace("uv add name", "uv add toml")
    )
    assert len(commands) == 7, commands

    for command in commands:
        typed(command)

    for added in ("toml", "django-storages[s3]"):
        assert f'"{added}>=' in (changed.path / "pyproject.toml").read_text()
    typed("uv lock --check")
    (changed.path / "blog" / "tests.py").write_text(
        "from django.contrib.auth import get_user_model\n"
        "from django.test import TestCase\n\n\n"
        "class BlogTests(TestCase):\n"
        "    def test_login(self):\n"
        "        get_user_model().objects.create_superuser('ada', password='pw')\n"
        "        self.assertTrue(self.client.login(username='ada', password='pw'))\n"
        "        self.assertContains(self.client.get('/admin/'), 'ada')\n"
    )
    changed.replace("project/settings.py", '    "accounts",', '    "accounts",\n    "blog",')
    assert "1 passed" in typed("pytest -W error blog")
    assert "Found 1 test" in typed("python -W error manage.py test blog")


def test_at_home(site, copy_of, at_home, serve, free_port):
    """runserver, right after generation: pages, error pages, a new static file, an upload."""
    home = copy_of(site())
    url = f"http://127.0.0.1:{free_port}"
    serve(home, home.python, "manage.py", "runserver", "--noreload", free_port, env=at_home,
          port=free_port)  # fmt: skip

    status, headers, page = get(f"{url}/")
    assert status == 200 and "<h1>My Site</h1>" in page
    assert "default-src 'none'" in headers["Content-Security-Policy"]
    assert not re.search(r"<style|<script|style=| on\w+=", page)
    for name in ("400", "403", "403_csrf", "404", "429", "500"):
        status, _, page = get(f"{url}/errors/{name}/")
        assert status == int(name[:3]) and "Traceback" not in page and "site.css" in page
        assert not re.search(r"<style|<script|style=| on\w+=", page)
    assert get(f"{url}/errors/418/")[0] == 404
    assert get(f"{url}/admin/")[1]["Location"] == "/admin/login/?next=/admin/"
    assert get(f"{url}/favicon.ico")[1]["Location"] == "/static/application/favicon.svg"

    (home.path / "application/static/application/new.css").write_text("p { color: teal }")
    assert get(f"{url}/static/application/new.css")[2] == "p { color: teal }"
    (home.path / "media").mkdir()
    (home.path / "media" / "upload.txt").write_text("uploaded")
    assert get(f"{url}/media/upload.txt")[2] == "uploaded"


def test_checklist_at_home_says_how_to_check_production(site, at_home):
    checklist = site().run(site().python, *CHECKLIST, env=at_home)

    assert checklist.returncode == 1
    assert "security.W018" in checklist.stderr  # DEBUG is on
    assert "To check it at home: python bootstrap.py" in checklist.stderr


@pytest.mark.parametrize("command", [["manage.py", "check"], ["-m", "gunicorn", "project.wsgi"]])
def test_without_variables_it_refuses_by_name(site, copy_of, command):
    bare = copy_of(site())
    (bare.path / ".env").unlink()

    refused = bare.run(bare.python, *command, env={})

    assert refused.returncode != 0
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL"):
        assert f"  {name} is not set; a good one: " in refused.out
    assert "heroku config:set" in refused.out
    assert "Traceback" not in refused.out


def test_mail_without_a_server_is_an_error_that_says_so(site):
    send = "from django.core.mail import send_mail; send_mail('a', 'b', 'c@example.com', ['d@example.com'])"

    sent = site().run(site().python, "manage.py", "shell", "--no-imports", "-c", send,
                      env=site().production())  # fmt: skip

    assert sent.returncode == 1 and "EMAIL_URL is not set" in sent.stderr


@pytest.mark.parametrize(
    ("endpoint", "used"),
    [
        ("", "https://api.rollbar.com/api/1/"),
        ("https://api.rollbar.com/api/1/item/", "https://api.rollbar.com/api/1/"),
        ("https://rollbar.example.com/api/1", "https://rollbar.example.com/api/1/"),
    ],
)
def test_rollbar_endpoint_ends_as_the_client_wants_it(site, endpoint, used):
    show = "from django.conf import settings; print(settings.ROLLBAR['endpoint'])"

    shown = site().shell(show, env=site().production(ROLLBAR_ENDPOINT=endpoint))

    assert shown.stdout.strip() == used


def test_a_page_for_errors_that_fails_itself(site, copy_of, at_home):
    """Such as one with an address in it that is no more: the visitor has a line, and that is all."""
    changed = copy_of(site())
    changed.replace("templates/500.html", "{{ request_id }}</code>", "{% url 'no-more' %}</code>")
    show = (
        "from django.test import RequestFactory; from project.views import server_error; "
        "request = RequestFactory(headers={'X-Request-Id': 'an-id'}).get('/'); "
        "answer = server_error(request); print(answer.status_code, answer.content.decode())"
    )

    assert changed.shell(show, env=at_home).stdout == "500 <h1>Something went wrong</h1>\n"
    assert "an-id</code>" in site().shell(show, env=at_home).stdout


# What a locked door does when it is tried, and what it keeps.
DOOR = """
from datetime import timedelta
from axes.models import AccessAttempt, AccessLog
from django.contrib.auth import get_user_model
from django.db.models import F
from django.test import TestCase, override_settings

@override_settings(
    AXES_ENABLED=True, PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"]
)
class DoorTests(TestCase):
    def log_in(self, password):
        return self.client.post("/admin/login/", {"username": "ada", "password": password}).status_code

    def wait(self, minutes):
        AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(minutes=minutes))

    def test_it(self):
        get_user_model().objects.create_superuser("ada", password="right")
        with self.assertLogs():
            assert [self.log_in("wrong") for n in range(9)] == [200] * 9
            assert self.log_in("right") == 302
            assert [self.log_in("wrong") for n in range(10)] == [200] * 9 + [429], "start anew"
            self.wait(14)
            assert self.log_in("right") == 429
            self.wait(2)
            assert self.log_in("right") == 302, "prolonged by trying"
        assert not AccessLog.objects.exists()
"""


def test_the_door(site, copy_of, at_home):
    changed = copy_of(site())
    (changed.path / "tests" / "test_door.py").write_text(DOOR)

    done = changed.run(changed.python, "-m", "pytest", "-q", "tests/test_door.py", env=at_home)

    assert "1 passed" in done.stdout, done.out


def test_gunicorn_knows_each_of_its_settings(site):
    """It passes over a name that it does not know without a word."""
    show = (
        "import runpy; from gunicorn.config import KNOWN_SETTINGS as known; "
        "names = runpy.run_path('gunicorn.conf.py').keys() - {'gc', 'os', 'gthread'}; "
        "print({name for name in names if name[0] != '_'} - {setting.name for setting in known})"
    )

    shown = site().run(site().python, "-c", show)

    assert shown.stdout == "set()\n", shown.out


def test_web_concurrency_that_loses_is_named(deployed, collect, serve, free_port):
    site = deployed()
    collect(site)

    go_live(site, serve, free_port, WEB_CONCURRENCY="5")

    log = (site.path / f"server-{free_port}.log").read_text()
    assert "WEB_CONCURRENCY=5 has no effect: the Procfile says --workers 2" in log


@pytest.mark.parametrize(
    "python",
    [
        pytest.param("3.12", marks=pytest.mark.exotic),
        "3.13",
        pytest.param("3.14", marks=pytest.mark.exotic),
    ],
)
def test_ci(site, copy_of, environment, postgres, python):
    """The commands of the workflow as they stand there, on a real Postgres."""
    changed = copy_of(site())
    (changed.path / ".venv").unlink()
    workflow = yaml.safe_load((changed.path / ".github/workflows/ci.yml").read_text())
    assert python in workflow["jobs"]["tests"]["strategy"]["matrix"]["python"]
    pyenv = Path(os.environ.get("PYENV_ROOT", "~/.pyenv")).expanduser()
    folders = [BIN, *pyenv.glob(f"versions/{python}*/bin"), environment["PATH"]]
    environment["PATH"] = os.pathsep.join(map(str, folders))
    environment |= {"DATABASE_URL": postgres.database(f"ci{python[2:]}"), "UV_PYTHON": python}
    found = changed.run("uv", "python", "find", "--no-python-downloads", python, env=environment)
    if found.returncode != 0:
        pytest.skip(f"there is no Python {python} here")
    (changed.path / ".env").unlink()

    for job in ("checklist", "tests"):
        for step in workflow["jobs"][job]["steps"]:
            if "run" in step:
                done = changed.run("bash", "-ec", step["run"], env=environment)
                assert done.returncode == 0, done.out
    spoilt = changed.path / "project" / "settings.py"
    spoilt.write_text(spoilt.read_text() + "\nSECURE_SSL_REDIRECT = False\n")
    checklist = workflow["jobs"]["checklist"]["steps"][-1]["run"]
    assert changed.run("bash", "-ec", checklist, env=environment).returncode == 1
