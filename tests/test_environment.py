"""The variables of a live site, weakened one by one: the release line refuses each by its name."""

import pytest
from generated import release

pytestmark = pytest.mark.slow

MARK = "s3cr3t"

WEAKENED = [
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
def test_the_safe_one_passes_once_and_again(deployed, postgres, error_tracker):
    site = deployed(error_tracker)
    environment = site.production(DATABASE_URL=postgres.database(f"safe_{error_tracker}"))

    first, second = (release(site, environment) for _ in range(2))

    assert first.returncode == 0, first.out
    assert "System check identified no issues (0 silenced)" in first.out
    assert second.returncode == 0 and "No migrations to apply" in second.out


@pytest.mark.parametrize(("name", "value"), WEAKENED)
def test_a_weakened_one_is_refused_by_name(deployed, name, value):
    site = deployed("sentry" if name.startswith("SENTRY") else "rollbar")
    environment = site.production(**{name: value})
    environment = {name: value for name, value in environment.items() if value is not None}

    refused = release(site, environment)

    assert refused.returncode == 1
    assert name in refused.out
    assert MARK not in refused.out and "Traceback" not in refused.out
    assert "Applying" not in refused.out


def test_all_problems_come_at_once_and_say_what_to_type(deployed):
    refused = release(deployed(), {"DEBUG": "maybe", "SECURE_HSTS_SECONDS": "an hour"})

    for name in ("SECRET_KEY", "DEBUG", "ALLOWED_HOSTS", "DATABASE_URL", "SECURE_HSTS_SECONDS"):
        assert f"\n  {name} " in refused.stderr
    assert "heroku config:set" in refused.stderr


@pytest.mark.parametrize("name", ["SECRET_KEY", "DATABASE_URL"])
def test_gunicorn_says_it_as_plainly(deployed, name):
    site = deployed()

    refused = site.run(
        site.python, "-m", "gunicorn", "project.wsgi", env=site.production(**{name: ""})
    )

    assert refused.returncode != 0
    assert f"  {name} is not set" in refused.out and "Traceback" not in refused.out


def test_list_items_are_stripped(deployed):
    show = "from django.conf import settings; print(settings.ALLOWED_HOSTS)"
    site = deployed()

    shown = site.run(
        site.python, "manage.py", "shell", "--no-imports", "-c", show,
        env=site.production(ALLOWED_HOSTS=" www.example.com , .example.org,"),
    )  # fmt: skip

    assert shown.stdout == "['www.example.com', '.example.org']\n"


def test_a_line_of_env_that_cannot_be_read_is_named_by_its_number(site, copy_of):
    changed = copy_of(site())
    env = changed.path / ".env"
    lines = len(env.read_text().splitlines())
    with env.open("a") as opened:
        opened.write(f"PASSWORD = {MARK}\n{MARK}\n# a comment\n\n")

    refused = changed.run(changed.python, "manage.py", "check", env={})

    words = f".env has lines that are not NAME=value: {lines + 1}, {lines + 2}.\n"
    assert words in refused.stderr
    assert MARK not in refused.out and "Traceback" not in refused.out
