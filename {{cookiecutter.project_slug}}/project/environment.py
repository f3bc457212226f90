"""Reads environment variables strictly: each problem is named, and never a value.

django-environ alone takes "maybe" for False, and an unreadable DATABASE_URL for no database.
"""

import codecs
import re
import warnings
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}
FILE_LINE = re.compile(r"(?:export\s+)?([A-Za-z_]\w*)=(.*)|#.*|")
HOST = re.compile(r"\*|\.|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)
DATABASES = {"postgres", "postgresql", "postgis", "mysql", "oracle", "sqlite", "spatialite"}
GOOD_VALUES = {
    "SECRET_KEY": '; a good one: $(python -c "import secrets; print(secrets.token_urlsafe(50))")',
    "ALLOWED_HOSTS": "; a good one: .herokuapp.com",
    "DATABASE_URL": "; a good one: postgres://user:password@host:5432/name",
}


class Problem(Exception):
    """What is wrong with a variable; the text continues its name."""


def read_file(path):
    """Return the variables of a file such as .env, as a dict; raise Problem if it is not one."""
    content = Path(path).read_bytes()
    is_utf16 = content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        lines = content.decode("utf-16" if is_utf16 else "utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise Problem("is not text in UTF-8") from None
    found = [FILE_LINE.fullmatch(line.strip()) for line in lines]
    if None in found:
        numbers = [str(number) for number, it in enumerate(found, 1) if it is None]
        raise Problem(f"has lines that are not NAME=value: {', '.join(numbers)}")
    pairs = {it[1]: it[2].strip() for it in found if it[1]}
    return {name: re.sub(r"""^(["'])(.*)\1$""", r"\2", value) for name, value in pairs.items()}


class Env(environ.Env):
    """environ.Env, strict. An empty variable counts as not set.

    Problems are collected, with a harmless value in place of each, until env.refuse_problems(), the
    last line of the settings. After it, they raise ImproperlyConfigured.
    """

    def __init__(self):
        super().__init__()
        self.problems = []
        self.is_closed = False

    def read_env(self, path):
        """Set the variables of the file at `path`, unless they are set; exit if it is unreadable."""
        try:
            for name, value in read_file(path).items():
                self.ENVIRON.setdefault(name, value)
        except FileNotFoundError:
            if (path.parent / ".git").exists():
                raise SystemExit(
                    f"There is no {path.name}: locally, python bootstrap.py writes it. In "
                    f"production, set {', '.join(GOOD_VALUES)}."
                ) from None
        except Problem as problem:
            raise SystemExit(f"The site cannot start: {path.name} {problem}.") from None

    def get_value(self, var, cast=None, default=environ.Env.NOTSET, parse_default=False):
        """Return what `cast` makes of the variable, or `default` where it is not set."""
        text = self.ENVIRON.get(var, "").strip()
        if not text and default is not self.NOTSET:
            return default
        try:
            if not text:
                raise Problem("is not set" + GOOD_VALUES.get(var, ""))
            return self.parse_value(text, cast)
        except Exception as error:
            problem = f"{var} {error if isinstance(error, Problem) else 'cannot be read'}"
        if self.is_closed:
            raise ImproperlyConfigured(problem)
        self.problems.append(problem)
        if cast is None:
            return "0"  # which int() and json.loads() take
        return cast() if isinstance(cast, type) else ""

    @classmethod
    def parse_value(cls, value, cast):
        """Return `value`, the text of a variable, as a `cast`."""
        if cast is bool:
            if value.lower() not in BOOLEANS:
                raise Problem("is neither True nor False")
            return BOOLEANS[value.lower()]
        if cast is int and not re.fullmatch("-?[0-9]+", value):
            raise Problem("is not a whole number, such as 3600")
        if cast is list:
            return [item.strip() for item in value.split(",") if item.strip()]
        return super().parse_value(value, cast)

    def hosts(self, var):
        """Return a list of host names, such as www.example.com or .example.com."""
        return self.get_value(var, cast=parse_hosts) or []

    def db(self, var="DATABASE_URL", default=environ.Env.NOTSET):
        """Return an entry of DATABASES; a `default` may be a URL."""
        if isinstance(default, str):
            default = parse_database(default)
        dummy = {"ENGINE": "django.db.backends.dummy"}
        return self.get_value(var, cast=parse_database, default=default) or dummy

    db_url = db

    def refuse_problems(self):
        """Exit with a sentence for each problem, and, by SystemExit, without a traceback."""
        self.is_closed = True
        if self.problems:
            problems = "".join(f"  {problem}\n" for problem in self.problems)
            raise SystemExit(
                f"The site cannot start:\n{problems}"
                "In production: heroku config:set NAME=value, for all of them at once. Locally: "
                "NAME=value in .env. A variable of your own also goes into .env.example, and into "
                "tests/production.env for the deployment checks."
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


def is_cut(url):
    """Return whether a character in a password cuts a URL, so that its rest is read as a name."""
    authority = re.split("[/?#]", url.partition("://")[2])[0]
    return "#" in url or "@" in url.partition("://")[2].removeprefix(authority)


def parse_database(url):
    """Return an entry of DATABASES; raise Problem where `url` is not that of a database."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # django-environ's warnings show the password
            config = Env.db_url_config(url)
    except (ValueError, Warning):
        config = {}
    scheme, name = url.partition("://")[0], config.get("NAME", "")
    if scheme not in DATABASES or not name or ("lite" not in scheme and is_cut(url)):
        raise Problem(
            "is not the URL of a database, such as postgres://user:password@host:5432/name; "
            "in a password, write / as %2F, ? as %3F, # as %23 and @ as %40"
        )
    for options in (config, config.get("OPTIONS", {})):  # of what follows a ?
        for key, value in options.items():
            if str(value).lower() in ("true", "false"):
                options[key] = BOOLEANS[value.lower()]
    return config
