"""The generated site in development and with gunicorn, and with parts missing or broken."""

import re
import urllib.error
import urllib.request

import pytest
from support.browser import serve_in_production
from support.generated import CHECK_DEPLOY

pytestmark = pytest.mark.slow


def get(url, **headers):
    """Return status, headers and text of a response of any status; do not follow redirects."""

    class NoRedirect(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, *args):
            return None

    request = urllib.request.Request(url, headers=headers)
    try:
        response = urllib.request.build_opener(NoRedirect).open(request, timeout=10)
    except urllib.error.HTTPError as error:
        response = error
    with response:
        return response.status, response.headers, response.read().decode()


def test_runserver_serves_a_new_site(site, make_copy, local_environment, serve, free_port):
    """runserver serves pages, error pages, a new static file and an upload."""
    home = make_copy(site())
    url = f"http://127.0.0.1:{free_port}"
    serve(home, home.python, "manage.py", "runserver", "--noreload", free_port, env=local_environment,
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
    assert get(f"{url}/favicon.ico")[1]["Location"] == "/static/favicon.svg"

    (home.path / "static/new.css").write_text("p { color: teal }")
    assert get(f"{url}/static/new.css")[2] == "p { color: teal }"
    (home.path / "media").mkdir()
    (home.path / "media" / "upload.txt").write_text("uploaded")
    assert get(f"{url}/media/upload.txt")[2] == "uploaded"


def test_checks_in_development_explain_how_to_check_production(site, local_environment):
    checked = site().run(site().python, *CHECK_DEPLOY, env=local_environment)

    assert checked.returncode == 1
    assert "security.W018" in checked.stderr  # DEBUG is on
    assert "Locally, python bootstrap.py" in checked.stderr


@pytest.mark.parametrize("command", [["manage.py", "check"], ["-m", "gunicorn", "project.wsgi"]])
def test_start_fails_and_names_each_missing_variable(make_deployed, command):
    bare = make_deployed()

    failed = bare.run(bare.python, *command, env={})

    assert failed.returncode != 0
    for name in ("SECRET_KEY", "ALLOWED_HOSTS", "DATABASE_URL"):
        assert f"  {name} is not set. Example: " in failed.out
    assert "heroku config:set" in failed.out
    assert "Traceback" not in failed.out


def test_sending_mail_fails_without_email_url(site):
    send = "from django.core.mail import send_mail; send_mail('a', 'b', 'c@example.com', ['d@example.com'])"

    sent = site().shell(send, env=site().production(EMAIL_URL=""))

    assert sent.returncode == 1 and "EMAIL_URL is not set" in sent.stderr


@pytest.mark.parametrize(
    ("endpoint", "used"),
    [
        ("", "https://api.rollbar.com/api/1/"),
        ("https://api.rollbar.com/api/1/item/", "https://api.rollbar.com/api/1/"),
        ("https://rollbar.example.com/api/1", "https://rollbar.example.com/api/1/"),
    ],
)
def test_rollbar_endpoint_is_normalized(site, endpoint, used):
    show = "from django.conf import settings; print(settings.ROLLBAR['endpoint'])"

    shown = site().shell(show, env=site().production(ROLLBAR_ENDPOINT=endpoint))

    assert shown.stdout.strip() == used


def test_500_page_with_a_broken_template_is_one_line(site, make_copy, local_environment):
    """For example, if the template links to a URL pattern that no longer exists."""
    changed = make_copy(site())
    changed.replace("templates/500.html", "{{ request_id }}</code>", "{% url 'no-more' %}</code>")
    show = (
        "from project import logs, views; logs.set_request_id('an-id'); "
        "page = views.server_error(None); print(page.status_code, page.content.decode())"
    )

    assert (
        changed.shell(show, env=local_environment).stdout == "500 <h1>Something went wrong</h1>\n"
    )
    assert "an-id</code>" in site().shell(show, env=local_environment).stdout


def test_gunicorn_has_each_configured_setting(site):
    """gunicorn ignores a setting with an unknown name, without a warning."""
    show = (
        "import runpy; from gunicorn.config import KNOWN_SETTINGS as known; "
        "names = {name for name, value in runpy.run_path('gunicorn.conf.py').items() "
        "if isinstance(value, (int, str, dict)) and name[0] != '_' and not name.isupper()}; "
        "print(names - {setting.name for setting in known})"
    )

    shown = site().run(site().python, "-c", show)

    assert shown.stdout == "set()\n", shown.out


def test_log_warns_if_web_concurrency_has_no_effect(make_deployed, collect, serve, free_port):
    site = make_deployed()
    collect(site)

    serve_in_production(site, serve, free_port, WEB_CONCURRENCY="5")

    log = (site.path / f"server-{free_port}.log").read_text()
    assert "WEB_CONCURRENCY=5 has no effect: the Procfile says --workers 2" in log


POLICIES = """
import sys
from types import SimpleNamespace
from django.conf import settings
from django.http import HttpResponse
from django.middleware.csp import get_nonce
from django.test import Client, override_settings
from django.urls import path
from django.utils.csp import CSP, build_policy
from django.views.decorators.csp import csp_override

def page(request):
    return HttpResponse("page")

sys.modules["pages"] = SimpleNamespace(urlpatterns=[
    path("usual/", page),
    path("own/", csp_override({"default-src": [CSP.SELF]})(page)),
    path("none/", csp_override({})(page)),
    path("nonce/", lambda request: HttpResponse(f"{get_nonce(request)}")),
])
with override_settings(ROOT_URLCONF="pages", SECURE_SSL_REDIRECT=False, ALLOWED_HOSTS=["*"]):
    responses = {it: Client().get(f"/{it}/") for it in ("usual", "own", "none", "nonce")}
header = "Content-Security-Policy"
policies = {it: response.headers.get(header) for it, response in responses.items()}
assert policies["usual"] == build_policy(settings.SECURE_CSP), policies
assert policies["own"] == "default-src 'self'", policies
assert policies["none"] is None, policies
nonce = responses["nonce"].content.decode()
assert policies["nonce"] == build_policy(settings.SECURE_CSP, nonce) != policies["usual"], policies
"""


def test_responses_have_the_csp_that_django_would_send(make_deployed):
    """This includes views that override the policy and pages that use the nonce."""
    site = make_deployed()

    done = site.shell(POLICIES, env=site.production())

    assert done.returncode == 0, done.out


WRITES = """
import threading
from django.contrib.auth.models import Group
from django.db import connection, transaction
errors = []

def write(number):
    for n in range(250):
        try:
            with transaction.atomic():
                Group.objects.filter(name="counter").exists()  # a read before the write can fail
                Group.objects.create(name=f"{number} {n}")
        except Exception as error:
            errors.append(error)
    connection.close()

threads = [threading.Thread(target=write, args=[number]) for number in range(8)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
print(Group.objects.count(), errors[:1])
"""


def test_eight_threads_write_to_sqlite(site, make_copy, local_environment):
    """runserver has threads, and so has gunicorn if deploy.E002 is silenced."""
    written = make_copy(site()).shell(WRITES, env=local_environment)

    assert written.stdout == "2000 []\n", written.out
