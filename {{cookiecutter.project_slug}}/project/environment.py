"""Read environment variables strictly: an error names the variable, and never shows its value.

django-environ alone reads "maybe" as False, and an invalid DATABASE_URL as no database.
"""

import codecs
import re
import warnings
from pathlib import Path

import environ
from django.core.exceptions import ImproperlyConfigured

BOOLEANS = {"true": True, "yes": True, "on": True, "1": True}
BOOLEANS |= {"false": False, "no": False, "off": False, "0": False}
FILE_LINE = re.compile(r"""(?:export\s+)?([A-Za-z_]\w*)=\s*(["']?)(.*)\2|#.*|""")
HOST = re.compile(r"\*|\.|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)
DATABASES = {"postgres", "postgresql", "postgis", "mysql", "oracle", "sqlite", "spatialite"}
EXAMPLES = {
    "SECRET_KEY": '. Example: $(python -c "import secrets; print(secrets.token_urlsafe(50))")',
    "ALLOWED_HOSTS": ". Example: .herokuapp.com",
    "DATABASE_URL": ". Example: postgres://user:password@host:5432/name",
}
ENCODING = "in a password, write / as %2F, ? as %3F, # as %23 and @ as %40"


class Problem(Exception):
    """An invalid variable or file. The text follows its name in a message."""


def read_file(path):
    """Return the variables in a file such as .env, as a dict; raise Problem if it is invalid."""
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
    return {it[1]: it[3] for it in found if it[1]}


class Env(environ.Env):
    """A strict environ.Env, to which an empty variable is not set.

    Invalid variables are collected, and replaced by placeholders, until refuse_problems() reports
    them at the end of the settings. After that, they raise ImproperlyConfigured.
    """

    def __init__(self):
        super().__init__()
        self.problems = []
        self.is_closed = False

    def read_env(self, path):
        """Set the variables in a file, unless they are set; exit if it is missing or invalid."""
        try:
            for name, value in read_file(path).items():
                self.ENVIRON.setdefault(name, value)
        except FileNotFoundError:
            if (path.parent / ".git").exists():
                problem = f"There is no {path.name}: locally, python bootstrap.py writes it."
                raise SystemExit(f"{problem} In production, set {', '.join(EXAMPLES)}.") from None
        except Problem as problem:
            raise SystemExit(f"The site cannot start: {path.name} {problem}.") from None

    def get_value(self, var, cast=None, default=environ.Env.NOTSET, parse_default=False):
        """Return the variable as a `cast`, or `default` if it is not set."""
        text = self.ENVIRON.get(var, "").strip()
        if not text and default is not self.NOTSET:
            return default
        try:
            if not text:
                raise Problem("is not set" + EXAMPLES.get(var, ""))
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
        """Convert the text of a variable; raise an exception if it is invalid."""
        if cast is bool:
            if value.lower() not in BOOLEANS:
                raise Problem("is neither True nor False")
            return BOOLEANS[str(value).lower()]
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
        """Exit without a traceback if variables are invalid, and print what is wrong with each."""
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
    """Return the host names in `text` as a list; raise Problem if one is invalid."""
    hosts = Env.parse_value(text, list)
    if not hosts or not all(HOST.fullmatch(host) for host in hosts):
        raise Problem("needs host names without https:// or port: example.com,www.example.com")
    return hosts


def has_unencoded_password(url):
    """Return whether a password contains / ? or #, so that it ends the host part of a URL."""
    return bool(re.search("(?s)#|://.*[/?].*@", url))


def parse_database(url):
    """Return an entry of DATABASES; raise Problem if `url` is invalid."""
    try:
        with warnings.catch_warnings(action="error"):  # django-environ's show the password
            config = Env.db_url_config(url)
    except (ValueError, Warning):
        config = {}
    scheme, name = url.partition("://")[0], config.get("NAME", "")
    is_broken = "lite" not in scheme and has_unencoded_password(url)
    if scheme not in DATABASES or not name or is_broken:
        raise Problem(f"is not a URL such as postgres://user:password@host:5432/name; {ENCODING}")
    for options in (config, config.get("OPTIONS", {})):  # of what follows a ?
        for key, value in options.items():
            is_of_address = key in ("NAME", "USER", "PASSWORD", "HOST")
            if not is_of_address and str(value).lower() in ("true", "false"):
                options[key] = BOOLEANS[str(value).lower()]
    return config
