"""Login rate limiting, for every login form and with other user models."""

import pytest
from support.generated import BIN

pytestmark = pytest.mark.slow

HEAD = """
import os
from datetime import timedelta
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db.models import F
from django.test import TestCase, override_settings

QUICK = ["django.contrib.auth.hashers.MD5PasswordHasher"]

@override_settings(AXES_ENABLED=True, PASSWORD_HASHERS=QUICK)
class LockoutTests(TestCase):
    def log_in(self, password, name="{name}", address="192.0.2.1"):
        fields = {{"{field}": name, "password": password}}
        return self.client.post("{path}", fields, headers={{"x-forwarded-for": address}}).status_code

    def wait(self, **time):
        AccessAttempt.objects.update(attempt_time=F("attempt_time") - timedelta(**time))
        AccessLog.objects.update(attempt_time=F("attempt_time") - timedelta(**time))
"""
LOCKOUT = """
    def test_lockout(self):
        get_user_model().objects.create_superuser("ada", password="right")
        with self.assertLogs():
            assert [self.log_in("wrong") for n in range(9)] == [200] * 9
            assert self.log_in("right") == 302
            guesses = [self.log_in("wrong") for n in range(10)]
            assert guesses == [200] * 9 + [429], "the login did not reset the count"
            self.wait(minutes=14)
            assert self.log_in("right") == 429
            self.wait(minutes=2)
            assert self.log_in("right") == 302, "the attempt extended the lockout"
        kept = AccessLog.objects.values_list("username", "user_agent", "path_info")
        assert list(kept) == [("ada", "", "")]
"""
# To a login that ignores case, all spellings are one user name and one e-mail address.
EMAIL = """
    def test_lockout(self):
        User = get_user_model()
        for name in ("ada", "grace"):
            user = User(email=f"{name}@example.com")
            if User.USERNAME_FIELD == "username":
                user.username = name
            user.set_password("right")
            user.save()
        spellings = ["ada@example.com", "Ada@Example.COM", " ada@example.com"]
        with self.assertLogs():
            statuses = [self.log_in("wrong", spellings[n % 3]) for n in range(12)]
            assert statuses == [200] * 9 + [429] * 3, statuses
            assert self.log_in("right") == 429
            assert self.log_in("right", "grace@example.com") == 302
"""
MEMBERS = """
from django.contrib.auth.base_user import BaseUserManager
from django.contrib.auth.models import AbstractUser
from django.db import models


class MemberManager(BaseUserManager):
    def create_user(self, email, password=None, **fields):
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save()
        return user

    def create_superuser(self, email, password=None, **fields):
        return self.create_user(email, password, is_staff=True, is_superuser=True, **fields)


class Member(AbstractUser):
    username = None
    email = models.EmailField(unique=True)
    USERNAME_FIELD = "email"
    REQUIRED_FIELDS = []
    objects = MemberManager()
"""

# One client guesses passwords, with one or nine guesses for each user name.
ADDRESS = """
    def setUp(self):
        for name in ("ada", "grace", "mallory"):
            get_user_model().objects.create_user(name, password="right")

    def guess(self, count, **kwargs):
        return [self.log_in("wrong", f"name{n}", **kwargs) for n in range(count)]

    def test_one_guess_for_each_name(self):
        assert self.log_in("right") == 302
        self.client.logout()
        with self.assertLogs():
            assert self.guess(60) == [200] * 49 + [429] * 11
            assert self.log_in("right", "grace") == 429
            assert self.log_in("right", "grace", address="192.0.2.2") == 302
            assert self.log_in("right") == 302, "ada is known at this address"
            assert [self.log_in("wrong") for n in range(11)] == [200] * 9 + [429] * 2
            self.wait(minutes=16)
            assert self.log_in("right", "grace") == 302
            assert self.guess(60) == [200] * 49 + [429] * 11
            self.wait(days=31)
            assert self.guess(60) == [200] * 49 + [429] * 11
            assert self.log_in("right") == 429, "ada's login was more than 30 days ago"
            self.wait(minutes=16)
            assert self.log_in("right", "mallory") == 302
        kept = set(AccessLog.objects.values_list("username", flat=True))
        assert kept == {"mallory"}, "an old login was not deleted"

    def test_nine_guesses_for_each_name_and_logins_between(self):
        guessed = 0
        with self.assertLogs():
            for n in range(20):
                statuses = [self.log_in("wrong", f"name{n}") for _ in range(9)]
                guessed += statuses.count(200)
                assert self.log_in("right", "mallory") == 302
        assert guessed == 49

    def test_many_user_agents(self):
        with self.assertLogs():
            statuses = [
                self.client.post(
                    "/accounts/login/", {"username": f"name{n}", "password": "wrong"},
                    headers={"x-forwarded-for": "192.0.2.1", "user-agent": str(n)},
                ).status_code
                for n in range(60)
            ]
        assert statuses == [200] * 49 + [429] * 11

    def test_one_client_by_ipv6(self):
        with self.assertLogs():
            same = [self.log_in("wrong", address=f"2001:db8:1:2:{n}::{n}") for n in range(12)]
            mapped = [
                self.log_in("wrong", "grace", address=address)
                for address in ["192.0.2.7", "::ffff:192.0.2.7", "192.0.2.7:4711"] * 4
            ]
        assert same == mapped == [200] * 9 + [429] * 3
        assert self.log_in("right", address="2001:db8:1:3::1") == 302

    def test_invalid_addresses(self):
        with self.assertLogs():
            for junk in ("", "unknown", "_hidden", "999.1.1.1", "a" * 5000, "[", ",", "::1::", "\u0661"):
                assert self.log_in("wrong", f"of {junk[:9]}", address=junk) == 200, junk
            assert self.guess(60, address="unknown") == [200] * 60, "unknown addresses are limited"
        assert {it.ip_address for it in AccessAttempt.objects.all()} == {"127.0.0.1"}
"""
PROXIES = """
    def count(self, proxies, address, count=60):
        with self.settings(PROXY_COUNT=proxies), self.assertLogs():
            statuses = [self.log_in("wrong", f"name{n}", address) for n in range(count)]
        return statuses.count(200), {it.ip_address for it in AccessAttempt.objects.all()}

    def test_default(self):
        assert settings.PROXY_COUNT == int(os.environ["EXPECTED"])

    def test_one(self):
        assert self.count(1, "198.51.100.1, 192.0.2.1") == (49, {"192.0.2.1"})

    def test_two(self):
        assert self.count(2, "203.0.113.9, 198.51.100.1, 192.0.2.1") == (49, {"198.51.100.1"})

    def test_two_if_a_request_bypasses_one(self):
        assert self.count(2, "192.0.2.1") == (49, {"192.0.2.1"})

    def test_unknown(self):
        assert self.count(0, "198.51.100.1, 192.0.2.1") == (60, {"192.0.2.1"})
        assert self.count(-1, "198.51.100.1, 192.0.2.1") == (60, {"192.0.2.1"})
"""


def check_lockout(site, environment, test, **form):
    (site.path / "tests" / "test_lockout.py").write_text(HEAD.format(**form) + test)

    done = site.run(site.python, "-m", "pytest", "-q", "tests/test_lockout.py", env=environment)

    assert done.returncode == 0 and f"{test.count('def test_')} passed" in done.stdout, done.out


@pytest.mark.parametrize("path", ["/admin/login/", "/accounts/login/"])
def test_lockout(site, make_copy, local_environment, path):
    check_lockout(
        make_copy(site()), local_environment, LOCKOUT, name="ada", path=path, field="username"
    )


def test_lockout_of_an_ip_address(site, make_copy, local_environment):
    form = {"name": "ada", "path": "/accounts/login/", "field": "username"}
    check_lockout(make_copy(site()), local_environment, ADDRESS, **form)


@pytest.mark.parametrize(("hsts", "count"), [("django", 1), ("proxy", 0)])
def test_proxy_count_selects_the_ip_address(site, make_copy, local_environment, hsts, count):
    own = make_copy(site(hsts=hsts))
    environment = local_environment | {"EXPECTED": str(count)}
    check_lockout(own, environment, PROXIES, name="ada", path="/admin/login/", field="username")


def test_lockout_of_users_who_log_in_by_email(site, make_copy, local_environment, environment):
    """The site's tests and checks pass with this user model, too."""
    own = make_copy(site())
    (own.path / "members" / "migrations").mkdir(parents=True)
    (own.path / "members" / "migrations" / "__init__.py").touch()
    (own.path / "members" / "models.py").write_text(MEMBERS)
    own.replace("project/settings.py", '    "identity",', '    "members",')
    own.replace("project/settings.py", '"identity.User"', '"members.Member"')
    (own.path / "db.sqlite3").unlink()
    assert own.manage("makemigrations", "members", env=local_environment).returncode == 0

    tested = own.run(own.python, "-m", "pytest", "-q", env=local_environment)
    checked = own.run(BIN / "python", "bootstrap.py", env=environment | {"UV": str(BIN / "uv")})

    assert tested.returncode == 0, tested.out
    assert "\nVerified" in checked.stdout, checked.out
    check_lockout(
        own,
        local_environment,
        EMAIL,
        name="ada@example.com",
        path="/accounts/login/",
        field="username",
    )


ALLAUTH = """
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_RATE_LIMITS = False
AUTHENTICATION_BACKENDS.append("allauth.account.auth_backends.AuthenticationBackend")
MIDDLEWARE.insert(-2, "allauth.account.middleware.AccountMiddleware")
"""


@pytest.mark.exotic
def test_lockout_with_allauth(own_copy):
    own, environment = own_copy
    assert own.run("uv", "add", "--quiet", "django-allauth", env=environment).returncode == 0
    own.replace(
        "project/settings.py", "    # Yours go here.", '    "allauth",\n    "allauth.account",'
    )
    own.add_settings(ALLAUTH)
    own.replace(
        "project/urls.py",
        "urlpatterns = [",
        'urlpatterns = [\n    path("accounts/", include("allauth.urls")),',
    )

    tested = own.run(own.python, "-m", "pytest", "-q", env=environment)

    assert tested.returncode == 0, tested.out
    check_lockout(
        own, environment, EMAIL, name="ada@example.com", path="/accounts/login/", field="login"
    )
