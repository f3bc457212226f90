"""What lets strangers in, or shows them what is not theirs."""

import re
import sys
from datetime import timedelta
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.auth import hashers
from django.core.checks import Error, Warning, register
from django.utils.csp import CSP
from django.utils.module_loading import import_string

from project.checks import is_own

# In seconds. From here on, https://hstspreload.org takes the preload flag as consent.
ONE_YEAR = 31536000
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
CSP_MIDDLEWARE = "django.middleware.csp.ContentSecurityPolicyMiddleware"
# Sources that also allow an injected script.
ANY_SCRIPT = {CSP.UNSAFE_INLINE, CSP.UNSAFE_EVAL, "*", "http:", "https:", "data:", "blob:"}
SLOW_HASHERS = (hashers.Argon2PasswordHasher, hashers.BCryptPasswordHasher)
SLOW_HASHERS += (hashers.PBKDF2PasswordHasher, hashers.ScryptPasswordHasher)


@register(deploy=True)
def check_debug(app_configs, **kwargs):
    if settings.DEBUG:
        yield Warning(
            "DEBUG is on: visitors would see code and settings.",
            "In production: heroku config:unset DEBUG. Locally, python bootstrap.py runs the checks.",
            id="deploy.W001",
        )


@register(deploy=True)
def check_secret_key(app_configs, **kwargs):
    key = settings.SECRET_KEY
    if len(key) < 50:
        return  # Django says so
    repeats = any((key[:n] * len(key)).startswith(key) for n in range(1, len(key) // 2 + 1))
    # A random key has some 35 different steps from a character to the next, a pattern has few.
    steps = {ord(b) - ord(a) for a, b in zip(key, key[1:], strict=False)}
    if repeats or len(steps) < 15 or re.search(r"\s|\$[({]", key):
        yield Error(
            "SECRET_KEY is a pattern, or a command that was not run: it can be guessed.",
            "heroku config:set SECRET_KEY=… with what this prints: "
            'python -c "import secrets; print(secrets.token_urlsafe(50))"',
            id="deploy.E026",
        )
    files = {getattr(module, "__file__", None) for module in sys.modules.values()}
    if any(key in Path(it).read_text(errors="ignore") for it in files if it and is_own(it)):
        yield Error(
            "SECRET_KEY is in the code: anyone who reads the code can log in as any user.",
            'In project/settings.py, write SECRET_KEY = env("SECRET_KEY"), and make a new key.',
            id="deploy.E027",
        )


@register(deploy=True)
def check_hosts(app_configs, **kwargs):
    hosts = set(settings.ALLOWED_HOSTS)
    if hosts & {"*", "."}:
        yield Error(
            "ALLOWED_HOSTS accepts every host name.",
            "heroku config:set ALLOWED_HOSTS=.herokuapp.com",
            id="deploy.E003",
        )
    if hosts and hosts <= LOCAL_HOSTS:
        yield Error(
            "ALLOWED_HOSTS has only local host names: every request would be rejected.",
            "heroku config:set ALLOWED_HOSTS=.herokuapp.com",
            id="deploy.E004",
        )
    insecure = [it for it in settings.CSRF_TRUSTED_ORIGINS if it.startswith("http://")]
    if insecure:
        yield Warning(
            f"CSRF_TRUSTED_ORIGINS trusts pages that are sent unencrypted: {', '.join(insecure)}",
            "heroku config:set CSRF_TRUSTED_ORIGINS=https://example.com",
            id="deploy.W012",
        )


@register(deploy=True)
def check_https(app_configs, **kwargs):
    header = settings.SECURE_PROXY_SSL_HEADER
    if settings.SECURE_SSL_REDIRECT and not (header and header[0].startswith("HTTP_")):
        yield Error(
            "SECURE_PROXY_SSL_HEADER names no header: behind most proxies, that is a redirect loop.",
            'Set SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https").',
            id="deploy.E005",
        )
    if settings.SECURE_HSTS_PRELOAD and settings.SECURE_HSTS_SECONDS >= ONE_YEAR:
        yield Warning(
            "HSTS of a year with the preload flag lets anybody have the domain preloaded for good.",
            "heroku config:set SECURE_HSTS_SECONDS=15552000, or silence this check.",
            id="deploy.W013",
        )
    for kind in ("SESSION", "CSRF"):
        name, domain, path = (
            getattr(settings, f"{kind}_COOKIE_{part}") for part in ("NAME", "DOMAIN", "PATH")
        )
        if name.startswith("__Host-") and (domain or path != "/"):
            yield Error(
                f"Browsers reject the cookie {name} with a domain or a path: nobody could log in.",
                f"Remove {kind}_COOKIE_DOMAIN and {kind}_COOKIE_PATH, or __Host- from the name.",
                id="deploy.E016",
            )
        if str(getattr(settings, f"{kind}_COOKIE_SAMESITE")).lower() in ("none", "false"):
            yield Error(
                f"Browsers send the cookie {name} with requests that other sites' pages make.",
                f"Remove {kind}_COOKIE_SAMESITE.",
                id="deploy.E033",
            )


@register(deploy=True)
def check_csp(app_configs, **kwargs):
    if CSP_MIDDLEWARE not in settings.MIDDLEWARE or not settings.SECURE_CSP:
        yield Error(
            "There is no content security policy: pages run any script that gets into them.",
            f"Put {CSP_MIDDLEWARE} into MIDDLEWARE and SECURE_CSP into the settings.",
            id="deploy.E008",
        )
        return
    policy = settings.SECURE_CSP
    names = ("script-src", "script-src-elem", "script-src-attr", "default-src")
    found = {str(it) for name in names for it in policy.get(name) or ()} & {*map(str, ANY_SCRIPT)}
    if found or not ("script-src" in policy or "default-src" in policy):
        yield Error(
            f"The content security policy allows any script: {', '.join(sorted(found)) or 'no script-src'}",
            "In SECURE_CSP, name the hosts that scripts come from; inline ones take a nonce. For "
            "single pages, csp_override: docs/packages.md in the template.",
            id="deploy.E031",
        )


@register(deploy=True)
def check_login(app_configs, **kwargs):
    if not limits_logins():
        yield Error(
            "Failed logins are not limited, or hardly: anybody may guess passwords.",
            "Put back what project/settings.py had: axes in INSTALLED_APPS and MIDDLEWARE, "
            "identity.lockout.Backend first in AUTHENTICATION_BACKENDS, and the lines with AXES_.",
            id="deploy.E028",
        )
    hasher = hashers.get_hashers()[0]
    stock = next((it for it in SLOW_HASHERS if isinstance(hasher, it)), None)
    efforts = ("iterations", "rounds", "time_cost", "memory_cost", "work_factor")
    if not stock or any(getattr(hasher, it, 0) < getattr(stock, it, 0) for it in efforts):
        yield Error(
            "Passwords are stored so that they are quickly guessed from a copy of the database.",
            "Remove PASSWORD_HASHERS, or put one of Django's slow hashers first.",
            id="deploy.E029",
        )
    if not settings.AUTH_PASSWORD_VALIDATORS:
        yield Error(
            "Any password is accepted, such as 1: AUTH_PASSWORD_VALIDATORS is empty.",
            "Put back what project/settings.py had.",
            id="deploy.E030",
        )


def limits_logins():
    """Return whether axes is in front of every login, and its limits keep guessing slow."""
    if not apps.is_installed("axes"):
        return False
    from axes.backends import AxesStandaloneBackend as Backend
    from axes.handlers.database import AxesDatabaseHandler
    from axes.helpers import get_cool_off, get_failure_limit

    try:
        return (
            settings.AXES_ENABLED
            and settings.AXES_LOCK_OUT_AT_FAILURE
            and "axes.middleware.AxesMiddleware" in settings.MIDDLEWARE
            and issubclass(import_string(settings.AUTHENTICATION_BACKENDS[0]), Backend)
            and issubclass(import_string(settings.AXES_HANDLER), AxesDatabaseHandler)
            and 0 < get_failure_limit(None, None) <= 100
            and 0 < settings.ADDRESS_FAILURE_LIMIT <= 1000
            and (get_cool_off() or timedelta.max) >= timedelta(minutes=1)
        )
    except (ImportError, IndexError, TypeError):
        return False


@register(deploy=True)
def check_limits(app_configs, **kwargs):
    names = [name for name in dir(settings) if name.startswith("DATA_UPLOAD_MAX_")]
    unset = [name for name in names if getattr(settings, name) is None]
    if "project.middleware.body_limit" not in settings.MIDDLEWARE:
        unset.append("project.middleware.body_limit in MIDDLEWARE")
    if unset:
        yield Error(
            f"Visitors may send as much as they please: there is no {', '.join(unset)}",
            "Put back what project/settings.py had, with a higher number where you need it.",
            id="deploy.E038",
        )


@register(deploy=True)
def check_packages(app_configs, **kwargs):
    if apps.is_installed("debug_toolbar"):
        yield Error(
            "The debug toolbar is installed: it is for development.",
            "Add debug_toolbar to INSTALLED_APPS and MIDDLEWARE below `if DEBUG:` only.",
            id="deploy.E034",
        )
    patterns = getattr(settings, "CORS_ALLOWED_ORIGIN_REGEXES", ())
    to_all = getattr(settings, "CORS_ALLOW_ALL_ORIGINS", False) or any(
        re.match(it, "https://anybody.invalid") for it in patterns
    )
    if to_all and getattr(settings, "CORS_ALLOW_CREDENTIALS", False):
        yield Error(
            "Any site's page may read this one's in the name of a visitor who is logged in (CORS).",
            "Name the sites in CORS_ALLOWED_ORIGINS, or remove CORS_ALLOW_CREDENTIALS.",
            id="deploy.E035",
        )
