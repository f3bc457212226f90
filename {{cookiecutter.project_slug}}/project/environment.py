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
HOST = re.compile(r"\*|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)
DATABASES = {"postgres", "postgresql", "postgis", "mysql", "oracle", "sqlite", "spatialite"}
MAIL_SERVERS = {"smtp", "smtp+tls", "smtp+ssl", "consolemail"}


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
                raise Problem("is not set")
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
        if cast is int and not re.fullmatch(r"-?[0-9]+", value):
            raise Problem("is not a whole number")
        if cast is list:
            return [item.strip() for item in value.split(",") if item.strip()]
        return super().parse_value(value, cast)

    def hosts(self, var):
        """Return a list of host names, such as www.example.com or .example.com."""
        return self.get_value(var, cast=self.parse_hosts) or []

    def db(self, var="DATABASE_URL"):
        """Return an entry of DATABASES."""
        none = {"ENGINE": "django.db.backends.dummy"}
        return self.get_value(var, cast=self.parse_database) or none

    def mailer(self, var="EMAIL_URL"):
        """Return an entry of MAILERS; where `var` is not set, one that refuses to send."""
        unset = {"BACKEND": "project.mail.UnsetBackend"}
        return self.get_value(var, cast=self.parse_mailer, default=unset)

    def parse_hosts(self, text):
        hosts = self.parse_value(text, list)
        if not all(HOST.fullmatch(host) for host in hosts):
            raise Problem(
                "is not a list of host names, such as example.com,www.example.com, "
                "without https://, port, path or space"
            )
        return hosts

    def parse_database(self, url):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("error")  # django-environ's warnings show the password
                config = self.db_url_config(url)
        except (ValueError, Warning):
            config = {}
        if url.partition("://")[0] not in DATABASES or not config.get("NAME"):
            raise Problem(
                "is not the URL of a database, such as postgres://user:password@host:5432/name; "
                "in a password, write / as %2F, ? as %3F, # as %23 and @ as %40"
            )
        return config

    def parse_mailer(self, url):
        try:
            config = self.email_url_config(url)
        except (ValueError, environ.ImproperlyConfigured):
            config = {}
        if url.partition("://")[0] not in MAIL_SERVERS or not config:
            raise Problem("is not a mail server, such as smtp+tls://user:password@host:587")
        if not config["EMAIL_HOST"]:
            return {"BACKEND": config["EMAIL_BACKEND"]}
        return {
            "BACKEND": config["EMAIL_BACKEND"],
            "OPTIONS": {
                "host": config["EMAIL_HOST"],
                "port": config["EMAIL_PORT"] or 587,
                "username": config["EMAIL_HOST_USER"] or "",
                "password": config["EMAIL_HOST_PASSWORD"] or "",
                "use_tls": config.get("EMAIL_USE_TLS", False),
                "use_ssl": config.get("EMAIL_USE_SSL", False),
                "timeout": 10,
            },
        }

    def refuse_problems(self):
        """End the program with a sentence for each problem.

        By SystemExit, not by an exception of Django's: it prints no traceback in manage.py, in
        gunicorn and in tests.
        """
        if self.problems:
            problems = "".join(f"  {problem}.\n" for problem in self.problems)
            raise SystemExit(
                f"The site cannot start:\n{problems}"
                "On Heroku: heroku config:set NAME=value. At home: put NAME=value into .env, which "
                "python bootstrap.py makes."
            )
