"""Reads the environment strictly.

django-environ alone takes "maybe" for False, an empty SECRET_KEY for a key and an unreadable
DATABASE_URL for no database. Here each is refused by the name of its variable, all of them at
once, and never with its value, which may be a secret.
"""

import io
import re
import warnings

import environ

BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}
ENV_LINE = re.compile(r"(export )?[A-Za-z_0-9]+=.*|\s*(#.*)?")
HOST = re.compile(r"\*|\.|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)
DATABASES = {"postgres", "postgresql", "postgis", "mysql", "oracle", "sqlite", "spatialite"}
# What to type where a variable is not set.
GOOD_VALUES = {
    "SECRET_KEY": '$(python -c "import secrets; print(secrets.token_urlsafe(50))")',
    "ALLOWED_HOSTS": ".herokuapp.com",
    "DATABASE_URL": "postgres://user:password@host:5432/name",
}


class Problem(Exception):
    """What is wrong with a variable, in words that go on from its name."""


class Env(environ.Env):
    """environ.Env, strict. The last line of the settings is `env.refuse_problems()`.

    A variable that is set to nothing counts as not set. One that cannot be read is noted, and a
    harmless value goes on in its place, so that all the problems come together.
    """

    def __init__(self):
        super().__init__()
        self.problems = []

    def read_env(self, path):
        """Read the file at `path`, where there is one; name a line that is not NAME=value."""
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        for number, line in enumerate(lines):
            if not ENV_LINE.fullmatch(line):
                self.problems.append(f"{path.name}, line {number + 1}, is not NAME=value")
                lines[number] = ""
        super().read_env(io.StringIO("\n".join(lines)))

    def get_value(self, var, cast=None, default=environ.Env.NOTSET, parse_default=False):
        """Return what `cast` makes of the variable, or `default` where it is not set."""
        text = self.ENVIRON.get(var, "").strip()
        if not text and default is not self.NOTSET:
            return default
        try:
            if not text:
                raise Problem(f"is not set; a good one: {GOOD_VALUES.get(var, 'value')}")
            return self.parse_value(text, cast)
        except Exception as error:
            problem = error if isinstance(error, Problem) else "cannot be read"
            self.problems.append(f"{var} {problem}")
            return cast() if isinstance(cast, type) else ""

    @classmethod
    def parse_value(cls, value, cast):
        """Return `value`, the text of a variable, as a `cast`."""
        if cast is bool:
            if value.lower() not in BOOLEANS:
                raise Problem("is neither True nor False")
            return BOOLEANS[value.lower()]
        if cast is int and not re.fullmatch("[0-9]+", value):
            raise Problem("is not a whole number, such as 3600")
        if cast is list:
            return [item.strip() for item in value.split(",") if item.strip()]
        return super().parse_value(value, cast)

    def hosts(self, var):
        """Return a list of host names, such as www.example.com or .example.com."""
        return self.get_value(var, cast=parse_hosts) or []

    def db(self, var="DATABASE_URL"):
        """Return an entry of DATABASES."""
        return self.get_value(var, cast=parse_database) or {"ENGINE": "django.db.backends.dummy"}

    def refuse_problems(self):
        """End the program with a sentence for each problem.

        By SystemExit, not by an exception of Django's: it prints no traceback in manage.py, in
        gunicorn and in tests.
        """
        if self.problems:
            problems = "".join(f"  {problem}\n" for problem in self.problems)
            raise SystemExit(
                f"The site cannot start:\n{problems}"
                "On Heroku: heroku config:set NAME=value, for all of them at once. "
                "At home: put NAME=value into .env, which python bootstrap.py makes."
            )


def parse_hosts(text):
    """Return the list of hosts in `text`; raise Problem where one is more than a name."""
    hosts = Env.parse_value(text, list)
    if not hosts or not all(HOST.fullmatch(host) for host in hosts):
        raise Problem(
            "is not a list of host names, such as example.com,www.example.com, "
            "without https://, port, path or space"
        )
    return hosts


def parse_database(url):
    """Return an entry of DATABASES; raise Problem where `url` is not that of a database."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # django-environ's warnings show the password
            config = Env.db_url_config(url)
    except (ValueError, Warning):
        config = {}
    if url.partition("://")[0] not in DATABASES or not config.get("NAME"):
        raise Problem(
            "is not the URL of a database, such as postgres://user:password@host:5432/name; "
            "in a password, write / as %2F, ? as %3F, # as %23 and @ as %40"
        )
    return config
