"""Changing and resetting passwords, and a site on which each page requires a login."""

import re

import pytest

pytestmark = pytest.mark.slow

PASSWORDS = """
from django.contrib.auth import get_user_model
from django.core import mail
from django.test import TestCase

class PasswordTests(TestCase):
    def test_change_and_reset(self):
        user = get_user_model().objects.create_user("ada", "ada@example.com", "right")
        assert "/accounts/login/" in self.client.get("/accounts/password_change/").headers["Location"]
        self.client.force_login(user)
        self.assertContains(self.client.get("/accounts/password_change/"), "old_password")
        self.client.post("/accounts/password_reset/", {"email": "ada@example.com"})
        assert "/accounts/reset/" in mail.outbox[0].body
        self.assertRedirects(self.client.post("/accounts/logout/"), "/")
        self.assertContains(self.client.get("/accounts/login/"), "<h1>Log in</h1>")
"""


def test_readme_line_lets_users_change_and_reset_passwords(site, make_copy, local_environment):
    own = make_copy(site())
    readme = (own.path / "README.md").read_text()
    row = re.search(r"^\| let users change or reset a password \| (.+) \|$", readme, re.MULTILINE)[
        1
    ]
    file, line, anchor = re.findall("`([^`]+)`", row)
    (above,) = re.findall(f".*{anchor}.*\n", (own.path / file).read_text())
    own.replace(file, above, f"{above}    {line}\n")
    (own.path / "tests" / "test_passwords.py").write_text(PASSWORDS)

    tested = own.run(
        own.python, "-m", "pytest", "-q", "tests/test_passwords.py", env=local_environment
    )

    assert "1 passed" in tested.stdout, tested.out


LOGIN_REQUIRED = """
from django.test import Client
client = Client(SERVER_NAME="localhost")
assert client.get("/").headers["Location"] == "/accounts/login/?next=/"
assert client.get("/accounts/login/").status_code == 200
assert client.get("/favicon.ico").headers["Location"] == "/static/favicon.svg"
assert client.get("/healthz").status_code == client.get("/readyz").status_code == 200
assert client.get("/nothing/").status_code == 404
assert client.get("/errors/429/").status_code == 429
assert client.get("/media/no.png").status_code == 404
report = {"document-uri": "http://localhost/", "effective-directive": "img-src", "blocked-uri": "data"}
response = client.post("/csp-report/", {"csp-report": report}, content_type="application/json")
assert response.status_code == 204
"""


def test_views_that_stay_public_if_login_is_required(site, make_copy, local_environment):
    """Django's LoginRequiredMiddleware does not affect them."""
    own = make_copy(site())
    own.add_settings('MIDDLEWARE.append("django.contrib.auth.middleware.LoginRequiredMiddleware")')

    requested = own.shell(LOGIN_REQUIRED, env=local_environment)
    tested = own.run(own.python, "-m", "pytest", "-q", "tests", env=local_environment)

    assert requested.returncode == 0, requested.out
    assert tested.returncode == 0, tested.out


MAIL = """
from django.contrib.auth import get_user_model
from django.contrib.auth.forms import PasswordResetForm
get_user_model().objects.create_user("lovelace", "ada@example.com", "right")
form = PasswordResetForm({"email": "ada@example.com"})
assert form.is_valid()
form.save(domain_override="a-rather-long-name-of-a-host.example.com", use_https=True)
"""


def test_mail_in_development_is_printed_with_whole_links(site, make_copy, local_environment):
    own = make_copy(site())
    own.replace(
        "project/urls.py",
        "urlpatterns = [",
        'urlpatterns = [\n    path("accounts/", include("django.contrib.auth.urls")),',
    )

    sent = own.shell(MAIL, env=local_environment)

    assert sent.returncode == 0, sent.out
    assert "To: ada@example.com\n" in sent.stdout and "Subject: Password reset" in sent.stdout
    assert re.search(
        r"^https://a-rather\S+/accounts/reset/\S+/\S{30,}/$", sent.stdout, re.MULTILINE
    )
