"""Mail settings from environment variables."""

import pytest

pytestmark = pytest.mark.slow

RESET = """
from django.test import Client
from tests import make_user
make_user(email="ada@example.com")
response = Client().post(
    "/accounts/password_reset/", {"email": "ada@example.com"},
    headers={"host": "my-site.herokuapp.com", "x-forwarded-proto": "https"},
)
print(response.status_code)
"""


def test_password_reset_without_a_mail_server_is_logged_once(make_deployed, postgres):
    """Django's form catches the error, and its view reports that mail was sent."""
    site = make_deployed()
    with (site.path / "project" / "urls.py").open("a") as urls:
        urls.write('\nurlpatterns.append(path("a/", include("django.contrib.auth.urls")))\n')
    site.replace("project/urls.py", 'path("a/"', 'path("accounts/"')
    variables = site.production(EMAIL_URL="", DATABASE_URL=postgres.database("mail"))
    assert site.manage("migrate", env=variables).returncode == 0

    done = site.shell(RESET, env=variables)

    assert done.stdout == "302\n", done.out
    assert done.stderr.count("ERROR django.contrib.auth ") == 1
    assert done.stderr.count("RuntimeError: EMAIL_URL is not set, so nothing was sent") == 1
    assert "ada@example.com" not in done.stderr


@pytest.mark.parametrize(
    ("variables", "senders"),
    [
        ({}, "webmaster@localhost webmaster@localhost"),
        ({"DEFAULT_FROM_EMAIL": "hi@example.com"}, "hi@example.com hi@example.com"),
        (
            {"DEFAULT_FROM_EMAIL": "hi@example.com", "SERVER_EMAIL": "root@example.com"},
            "hi@example.com root@example.com",
        ),
    ],
)
def test_sender_addresses(site, variables, senders):
    show = "from django.conf import settings as s; print(s.DEFAULT_FROM_EMAIL, s.SERVER_EMAIL)"

    assert site().shell(show, env=site().production(**variables)).stdout == f"{senders}\n"


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("smtp+ssl://ada:pw@mail.example.com", ("mail.example.com", 465, "pw", True, False)),
        ("smtp+tls://ada:pw@mail.example.com", ("mail.example.com", 587, "pw", False, True)),
        ("smtp+ssl://ada:pw@mail.example.com:2465", ("mail.example.com", 2465, "pw", True, False)),
        # A password of Amazon SES, encoded in the URL as in README.md.
        (
            "smtp+tls://AKIA7:BM2%2Fz+q%2Bw=9@email-smtp.eu-west-1.amazonaws.com",
            ("email-smtp.eu-west-1.amazonaws.com", 587, "BM2/z+q+w=9", False, True),
        ),
    ],
)
def test_email_url_is_parsed(site, url, options):
    show = (
        "from django.conf import settings; options = settings.MAILERS['default']['OPTIONS']; "
        "print(tuple(options[it] for it in ('host', 'port', 'password', 'use_ssl', 'use_tls')))"
    )

    assert site().shell(show, env=site().production(EMAIL_URL=url)).stdout == f"{options}\n"
