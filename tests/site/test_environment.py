"""Environment variables in production: the release command rejects invalid and unsafe ones."""

import os

import pytest
from support.client import Client
from support.generated import release

pytestmark = pytest.mark.slow

MARK = "s3cr3t"

INVALID = [
    ("SECRET_KEY", None),
    ("SECRET_KEY", ""),
    ("SECRET_KEY", "  "),
    ("SECRET_KEY", f"short-{MARK}"),
    ("SECRET_KEY", f"django-insecure-{MARK}-0123456789-0123456789-0123456789"),
    ("SECRET_KEY", f"${MARK}"),
    ("DEBUG", "True"),
    ("DEBUG", "maybe"),
    ("DEBUG", "t"),
    ("DEBUG", "'False'"),
    ("ALLOWED_HOSTS", None),
    ("ALLOWED_HOSTS", ""),
    ("ALLOWED_HOSTS", " , "),
    ("ALLOWED_HOSTS", "*"),
    ("ALLOWED_HOSTS", "www.example.com,*"),
    ("ALLOWED_HOSTS", "localhost, 127.0.0.1"),
    ("ALLOWED_HOSTS", "https://www.example.com"),
    ("ALLOWED_HOSTS", "www.example.com:443"),
    ("ALLOWED_HOSTS", "www.example.com/path"),
    ("ALLOWED_HOSTS", "www.example.com example.com"),
    ("DATABASE_URL", None),
    ("DATABASE_URL", ""),
    ("DATABASE_URL", MARK),
    ("DATABASE_URL", f"user:{MARK}@host/name"),
    ("DATABASE_URL", f'"postgres://user:{MARK}@host/name"'),
    ("DATABASE_URL", f"postgres://user:{MARK}@host:port/name"),
    ("DATABASE_URL", f"postgres://user:a/{MARK}@host:5432/name"),
    ("DATABASE_URL", f"postgres://user:{MARK}@host:5432"),
    ("DATABASE_URL", f"postgress://user:{MARK}@host:5432/name"),
    ("DATABASE_URL", f"${MARK}"),
    ("DATABASE_URL", "sqlite:///db.sqlite3"),
    ("DATABASE_URL", "sqlite://"),
    ("CSRF_TRUSTED_ORIGINS", "http://example.com"),
    ("CSRF_TRUSTED_ORIGINS", "example.com"),
    ("SECURE_HSTS_SECONDS", "0"),
    ("SECURE_HSTS_SECONDS", "an hour"),
    ("SECURE_HSTS_SECONDS", "-3600"),
    ("SECURE_HSTS_SECONDS", "3600.5"),
    ("SECURE_HSTS_SECONDS", "31536000"),
    ("EMAIL_URL", MARK),
    ("EMAIL_URL", f"smtps://user:{MARK}@host"),
    ("EMAIL_URL", f"smtp://user:{MARK}@host:port"),
    ("EMAIL_URL", f"smtp://user:{MARK}@"),
    ("ROLLBAR_ENABLED", "perhaps"),
    ("ROLLBAR_ACCESS_TOKEN", None),
    ("ROLLBAR_ACCESS_TOKEN", ""),
    ("ROLLBAR_ENDPOINT", MARK),
    ("SENTRY_DSN", None),
    ("SENTRY_DSN", MARK),
    ("SENTRY_DSN", f"https://{MARK}@sentry.invalid"),
]


@pytest.mark.parametrize("error_tracker", ["rollbar", "sentry", "none"])
def test_release_passes_with_valid_variables_and_can_run_again(
    make_deployed, postgres, error_tracker
):
    site = make_deployed(error_tracker)
    environment = site.production(DATABASE_URL=postgres.database(f"safe_{error_tracker}"))

    first, second = (release(site, environment) for _ in range(2))

    assert first.returncode == 0, first.out
    assert "System check identified no issues (0 silenced)" in first.out
    assert second.returncode == 0 and "No migrations to apply" in second.out


@pytest.mark.parametrize(("name", "value"), INVALID)
def test_release_fails_and_names_the_variable(make_deployed, name, value):
    site = make_deployed("sentry" if name.startswith("SENTRY") else "rollbar")
    environment = site.production(**{name: value})
    environment = {name: value for name, value in environment.items() if value is not None}

    failed = release(site, environment)

    assert failed.returncode == 1
    assert name in failed.out
    assert MARK not in failed.out and "Traceback" not in failed.out
    assert "Applying" not in failed.out


def test_all_problems_are_reported_with_the_command_that_fixes_them(make_deployed):
    failed = release(make_deployed(), {"DEBUG": "maybe", "SECURE_HSTS_SECONDS": "an hour"})

    for name in ("SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "DATABASE_URL", "SECURE_HSTS_SECONDS"):
        assert f"\n  {name} " in failed.stderr
    assert "heroku config:set" in failed.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL"])
def test_gunicorn_names_a_missing_variable(make_deployed, name):
    site = make_deployed()

    failed = site.run(
        site.python, "-m", "gunicorn", "project.wsgi", env=site.production(**{name: ""})
    )

    assert failed.returncode != 0
    assert f"  {name} is not set" in failed.out and "Traceback" not in failed.out


def test_list_items_are_stripped(make_deployed):
    show = "from django.conf import settings; print(settings.ALLOWED_HOSTS)"
    site = make_deployed()

    shown = site.run(
        site.python, "manage.py", "shell", "--no-imports", "-c", show,
        env=site.production(ALLOWED_HOSTS=" www.example.com , .example.org,"),
    )  # fmt: skip

    assert shown.stdout == "['www.example.com', '.example.org']\n"


@pytest.mark.parametrize("kind", ["", ".bool", ".int", ".list", ".db", ".json", ".url"])
def test_reading_after_validation_fails_and_names_the_variable(make_deployed, kind):
    site = make_deployed()
    site.add_settings(f'LATER = env{kind}("LATER")')

    failed = site.run(site.python, "manage.py", "check", env=site.production())

    assert failed.returncode != 0
    assert "ImproperlyConfigured: LATER is not set" in failed.stderr


@pytest.mark.parametrize(
    "read",
    ["int(env('NEW'))", "env('NEW').split()", "float(env('NEW'))", "__import__('json').loads(env('NEW'))"]
    + [f"env{kind}('NEW')" for kind in (".int", ".json", ".db", ".url", ".path", ".dict", ".float")],
)  # fmt: skip
def test_missing_variable_that_the_owner_added_is_named(make_deployed, read):
    site = make_deployed()
    site.replace(
        "project/settings.py", "\nenv.refuse_problems()", f"\nNEW = {read}\nenv.refuse_problems()"
    )

    failed = site.run(site.python, "manage.py", "check", env=site.production())

    assert "\n  NEW is not set\n" in failed.stderr and "Traceback" not in failed.out
    for place in ("heroku config:set", ".env.example", "tests/production.env"):
        assert place in failed.stderr


@pytest.mark.parametrize(
    ("read", "variables", "value"),
    [
        ('env.int("N")', {"N": "-5"}, "-5"),
        ('env.db("R", default="sqlite:///x")["NAME"]', {}, "'x'"),
        ('env.db_url("DATABASE_URL")["NAME"]', {}, "'production'"),
        ('env("N", default="x")', {}, "'x'"),
        ('env.json("N")', {"N": '{"a": [1]}'}, "{'a': [1]}"),
        ('env.dict("N")', {"N": "a=1,b=2"}, "{'a': '1', 'b': '2'}"),
        ('DATABASES["default"]["CONN_HEALTH_CHECKS"]', {"DATABASE_URL": "postgres://u:p@h/n?conn_health_checks=True"}, "True"),
        ('DATABASES["default"]["NAME"]', {"DATABASE_URL": "postgres://u:p@h/true"}, "'true'"),
        ('DATABASES["default"]["PASSWORD"]', {"DATABASE_URL": "postgres://u:False@h/n"}, "'False'"),
        ('DATABASES["default"]["CONN_MAX_AGE"]', {}, "60"),
        ('DATABASES["default"]["CONN_MAX_AGE"]', {"DATABASE_URL": "postgres://u:p@h/n?conn_max_age=0"}, "0"),
        (
            '[DATABASES["default"][it] for it in ("CONN_HEALTH_CHECKS", "ENGINE")] + '
            '[DATABASES["default"]["OPTIONS"][it] for it in ("connect_timeout", "pool")]',
            {"DATABASE_URL": "postgis://u:p@h/n?conn_health_checks=false&pool=true"},
            "[False, 'django.contrib.gis.db.backends.postgis', 3, True]",
        ),
        (
            '[DATABASES["default"]["OPTIONS"][it] for it in ("transaction_mode", "timeout")]',
            {"DATABASE_URL": "sqlite:///x.sqlite3?transaction_mode=DEFERRED"},
            "['DEFERRED', 20]",
        ),
        ('MAILERS["default"]["OPTIONS"]["port"]', {"EMAIL_URL": "smtp+ssl://u:p@h"}, "465"),
        ('MAILERS["default"]["OPTIONS"]["port"]', {"EMAIL_URL": "smtp+tls://u:p@h"}, "587"),
        ('MAILERS["default"]["OPTIONS"]["port"]', {"EMAIL_URL": "smtp+ssl://u:p@h:1465"}, "1465"),
        ('MAILERS["default"]["OPTIONS"]["password"]', {"EMAIL_URL": "smtp+tls://u:a%2F%23@h"}, "'a/#'"),
    ],
)  # fmt: skip
def test_parsed_values(make_deployed, read, variables, value):
    site = make_deployed()
    site.add_settings(f"print(repr({read}))")
    show = "import project.settings"

    shown = site.run(site.python, "-c", show, env=site.production(**variables))

    assert shown.stdout == f"{value}\n", shown.out


def test_runserver_with_debug_off_does_not_redirect_to_https(site, make_copy, serve, free_port):
    own = make_copy(site())
    own.replace(".env", "DEBUG=True", "DEBUG=False")
    command = [own.python, "manage.py", "runserver", "--noreload", free_port]
    serve(own, *command, env={"PATH": os.environ["PATH"]}, port=free_port)

    headers = Client(free_port, "localhost").get("/admin/")[1]
    assert headers["Location"] == "/admin/login/?next=/admin/"
    assert "DEBUG is off" in (own.path / f"server-{free_port}.log").read_text()


PASSWORDS = """
import itertools, string
from urllib.parse import unquote
from project.environment import Problem, parse_database
from project.mail import mailer
parts = ["", *string.punctuation, " ", "é", "%2F", "12", "//", "[x]", ":1/", "1?a=", "#@", "@1:2/"]
tried = rejected = 0
for one, two in itertools.product(parts, parts):
    password = f"12{one}34{two}56"
    postgres = f"postgres://user:{password}@host:5432/name"
    smtp = f"smtp+tls://user:{password}@host:587"
    for parse, url in ((parse_database, postgres), (mailer, smtp)):
        tried += 1
        try:
            config = parse(url)
        except Problem as problem:
            rejected += 1
            assert not any(it in str(problem) for it in ("12", "34", "56")), problem
            continue
        config = config.get("OPTIONS", {}) if parse is mailer else config
        known = {name.upper(): str(value) for name, value in config.items()}
        assert known.pop("PASSWORD") in (password, unquote(password)), url
        assert known["HOST"] == "host" and known["PORT"] in ("5432", "587"), url
        assert known.get("NAME", "name") == "name", url
assert tried > 2000 and tried / 10 < rejected < tried / 2, rejected
"""


def test_passwords_that_are_not_percent_encoded(make_deployed):
    """Each is used whole or rejected; no part is parsed as a host, port or name, or printed."""
    site = make_deployed()

    done = site.shell(PASSWORDS, env=site.production())

    assert done.returncode == 0, done.out
