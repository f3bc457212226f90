"""The secret key, hosts, https, the content security policy, logins and limits."""

import re
from datetime import timedelta
from pathlib import Path

from django.apps import apps
from django.conf import settings
from django.contrib.auth import hashers
from django.core.checks import Error, Warning, register
from django.utils.csp import CSP
from django.utils.module_loading import import_string

from project.checks import own_modules

# In seconds. From here on, https://hstspreload.org takes the preload flag as consent.
ONE_YEAR = 31536000
LOCAL_HOSTS = {"localhost", "127.0.0.1", "[::1]"}
CSP_MIDDLEWARE = "django.middleware.csp.ContentSecurityPolicyMiddleware"
# Sources that also allow an injected script.
ANY_SCRIPT = {CSP.UNSAFE_INLINE, CSP.UNSAFE_EVAL, "*", "http:", "https:", "data:", "blob:"}
SLOW_HASHERS = (hashers.Argon2PasswordHasher, hashers.BCryptSHA256PasswordHasher)
SLOW_HASHERS += (hashers.PBKDF2PasswordHasher, hashers.ScryptPasswordHasher)


@register(deploy=True)
def check_debug(app_configs, **kwargs):
    if settings.DEBUG:
        hint = "heroku config:unset DEBUG. Locally, python bootstrap.py runs the checks."
        yield Warning("DEBUG is on: error pages show code and settings.", hint, id="deploy.W001")
    if apps.is_installed("debug_toolbar"):
        hint = "Add debug_toolbar to INSTALLED_APPS and MIDDLEWARE below `if DEBUG:` only."
        yield Error("The debug toolbar is for development only.", hint, id="deploy.E034")


@register(deploy=True)
def check_secret_key(app_configs, **kwargs):
    key = settings.SECRET_KEY
    if len(key) < 50:
        return  # Django says so
    repeats = any((key[:n] * len(key)).startswith(key) for n in range(1, len(key) // 2 + 1))
    # A random key has some 35 different steps from a character to the next, a pattern has few.
    steps = {ord(b) - ord(a) for a, b in zip(key, key[1:], strict=False)}
    if repeats or len(steps) < 15 or re.search(r"\s|^\$\(|\$\{", key):
        message = "SECRET_KEY is a pattern, or a command that was not run: it can be guessed."
        new_key = 'python -c "import secrets; print(secrets.token_urlsafe(50))"'
        hint = f"heroku config:set SECRET_KEY=… with the output of {new_key}"
        yield Error(message, hint, id="deploy.E026")
    if any(key in Path(it.__file__).read_text(errors="ignore") for it in own_modules()):
        message = "SECRET_KEY is in the code: anyone who reads the code can log in as any user."
        yield Error(message, 'Make a new one, and read it by env("SECRET_KEY").', id="deploy.E027")


@register(deploy=True)
def check_hosts(app_configs, **kwargs):
    hosts = set(settings.ALLOWED_HOSTS)
    hint = "heroku config:set ALLOWED_HOSTS=.herokuapp.com"
    if hosts & {"*", "."}:
        yield Error("ALLOWED_HOSTS accepts every host name.", hint, id="deploy.E003")
    if hosts and hosts <= LOCAL_HOSTS:
        yield Error("ALLOWED_HOSTS has only local names: requests fail.", hint, id="deploy.E004")
    origins = [it for it in settings.CSRF_TRUSTED_ORIGINS if it.startswith("http://")]
    if origins:
        message = f"CSRF_TRUSTED_ORIGINS trusts unencrypted pages: {', '.join(origins)}"
        yield Warning(message, "Write https:// instead of http://.", id="deploy.W012")
    patterns = getattr(settings, "CORS_ALLOWED_ORIGIN_REGEXES", ())
    is_any_allowed = any(re.match(it, "https://any-site.invalid") for it in patterns)
    is_any_allowed = is_any_allowed or getattr(settings, "CORS_ALLOW_ALL_ORIGINS", False)
    if is_any_allowed and getattr(settings, "CORS_ALLOW_CREDENTIALS", False):
        message = "Any other site can read this site's pages as the user who is logged in (CORS)."
        yield Error(message, "Name the sites, or remove CORS_ALLOW_CREDENTIALS.", id="deploy.E035")


@register(deploy=True)
def check_https(app_configs, **kwargs):
    header = settings.SECURE_PROXY_SSL_HEADER or ("", "")
    if settings.SECURE_SSL_REDIRECT and not header[0].startswith("HTTP_"):
        message = "SECURE_PROXY_SSL_HEADER names no HTTP_ header: proxies cause a redirect loop."
        hint = 'Set SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https").'
        yield Error(message, hint, id="deploy.E005")
    if settings.SECURE_HSTS_PRELOAD and settings.SECURE_HSTS_SECONDS >= ONE_YEAR:
        message = "HSTS of a year with the preload flag lets anyone preload the domain permanently."
        hint = "heroku config:set SECURE_HSTS_SECONDS=15552000, or silence this check."
        yield Warning(message, hint, id="deploy.W013")
    for kind in ("SESSION_COOKIE", "CSRF_COOKIE"):
        parts = ("NAME", "DOMAIN", "PATH", "SAMESITE")
        name, domain, path, samesite = (getattr(settings, f"{kind}_{part}") for part in parts)
        if name.startswith("__Host-") and (domain or path != "/"):
            message = f"Browsers reject {name} with a domain or a path other than /: logins fail."
            hint = f"Remove {kind}_DOMAIN and {kind}_PATH, or __Host- from the name."
            yield Error(message, hint, id="deploy.E016")
        if str(samesite).lower() in ("none", "false"):
            message = f"Browsers send the cookie {name} with requests from other sites' pages."
            yield Error(message, f"Remove {kind}_SAMESITE.", id="deploy.E033")


@register(deploy=True)
def check_csp(app_configs, **kwargs):
    policy = settings.SECURE_CSP or {}
    names = ("script-src", "script-src-elem", "script-src-attr", "default-src")
    found = {source for name in names for source in policy.get(name) or ()} & ANY_SCRIPT
    if CSP_MIDDLEWARE not in settings.MIDDLEWARE or not policy:
        message = "There is no content security policy: pages run any injected script."
        hint = f"Put {CSP_MIDDLEWARE} into MIDDLEWARE and SECURE_CSP into the settings."
        yield Error(message, hint, id="deploy.E008")
    elif found or not policy.keys() & {"script-src", "default-src"}:
        sources = ", ".join(sorted(found)) or "no script-src"
        hint = "List script hosts in script-src; inline ones take a nonce. One page: csp_override."
        yield Error(f"SECURE_CSP allows any script: {sources}", hint, id="deploy.E031")


@register(deploy=True)
def check_login(app_configs, **kwargs):
    if not limits_logins():
        message = "Login rate limiting is off or too weak: anyone can guess passwords."
        hint = "Restore axes, AUTHENTICATION_BACKENDS, the AXES_ lines and ADDRESS_FAILURE_LIMIT."
        yield Error(message, hint, id="deploy.E028")
    hasher = hashers.get_hashers()[0]
    stock = next((it for it in SLOW_HASHERS if isinstance(hasher, it)), None)
    efforts = ("iterations", "rounds", "time_cost", "memory_cost", "work_factor")
    if not stock or any(getattr(hasher, it, 0) < getattr(stock, it, 0) for it in efforts):
        message = "Passwords are hashed so quickly that a leaked database reveals them."
        yield Error(message, "Remove PASSWORD_HASHERS, or put a slow one first.", id="deploy.E029")
    if not settings.AUTH_PASSWORD_VALIDATORS:
        message = "Any password is accepted, such as 1: AUTH_PASSWORD_VALIDATORS is empty."
        yield Error(message, "Restore it in project/settings.py.", id="deploy.E030")


def limits_logins():
    """Return whether axes is in front of every login, and its limits keep guessing slow."""
    try:
        from axes.backends import AxesStandaloneBackend as Backend
        from axes.handlers.database import AxesDatabaseHandler
        from axes.helpers import get_cool_off, get_failure_limit

        return (
            apps.is_installed("axes")
            and settings.AXES_ENABLED
            and settings.AXES_LOCK_OUT_AT_FAILURE
            and "axes.middleware.AxesMiddleware" in settings.MIDDLEWARE
            and issubclass(import_string(settings.AUTHENTICATION_BACKENDS[0]), Backend)
            and issubclass(import_string(settings.AXES_HANDLER), AxesDatabaseHandler)
            and 0 < get_failure_limit(None, None) <= 100
            and 0 < settings.ADDRESS_FAILURE_LIMIT <= 1000
            and (get_cool_off() or timedelta.max) >= timedelta(minutes=1)
        )
    # RuntimeError: its models cannot be imported if axes is not in INSTALLED_APPS.
    except (AttributeError, ImportError, IndexError, RuntimeError, TypeError):
        return False


@register(deploy=True)
def check_limits(app_configs, **kwargs):
    names = [name for name in dir(settings) if name.startswith("DATA_UPLOAD_MAX_")]
    unset = [name for name in names if getattr(settings, name) is None]
    if "project.middleware.body_limit" not in settings.MIDDLEWARE:
        unset.append("project.middleware.body_limit in MIDDLEWARE")
    if unset:
        message = f"Clients can send any amount of data: there is no {', '.join(unset)}"
        yield Error(message, "Put each limit back, or set a higher one.", id="deploy.E038")
