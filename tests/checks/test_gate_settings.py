"""The deployment checks with single settings changed: unsafe values fail, harmless values pass."""

import pytest

pytestmark = pytest.mark.slow

# Examples that Django and this project print, and weak keys that users invent.
KEYS = r"""
KEYS = ["$(python -c 'import secrets; print(secrets.token_urlsafe(50))')", "${SECRET_KEY}" + "x" * 50]
KEYS += ["correct horse battery staple, " * 2, "changeme" * 7, "0123456789" * 6, "ab1" * 20 + "ab"]
KEYS += ["abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", "qwertyuiop" * 6, "x" * 60]
KEYS += ["your-secret-key-" * 4, "a1b2c3d4e5f6g7h8i9j0k1l2m3n4o5p6q7r8s9t0u1v2w3x4y5z6"]
"""
UNSAFE = """
HASHERS = "django.contrib.auth.hashers"
class Quick(hashers.PBKDF2PasswordHasher):
    iterations = 1000
class HomeMade(hashers.BasePasswordHasher):
    algorithm = "home-made"
for it in (Quick, HomeMade):
    sys.modules[HASHERS].__dict__[it.__name__] = it

def csp(**changes):
    return {"SECURE_CSP": settings.SECURE_CSP | {k.replace("_", "-"): v for k, v in changes.items()}}

def without(name, value):
    return {name: [it for it in getattr(settings, name) if it != value]}

UNSAFE = [("E026", {"SECRET_KEY": key}) for key in KEYS]
UNSAFE += [
    ("E028", without("INSTALLED_APPS", "axes")),
    ("E028", without("MIDDLEWARE", "axes.middleware.AxesMiddleware")),
    ("E028", {"AXES_LOCK_OUT_AT_FAILURE": False}),
    ("E028", {"AXES_FAILURE_LIMIT": 10_000}),
    ("E028", {"ADDRESS_FAILURE_LIMIT": 1_000_000}),
    ("E028", {"AXES_COOLOFF_TIME": timedelta(seconds=1)}),
    ("E028", {"AXES_HANDLER": "axes.handlers.dummy.AxesDummyHandler"}),
    ("E028", {"AUTHENTICATION_BACKENDS": [
        "django.contrib.auth.backends.ModelBackend", "identity.lockout.Backend"]}),
    ("E028", {"AUTHENTICATION_BACKENDS": []}),
    *(("E029", {"PASSWORD_HASHERS": [f"{HASHERS}.{name}"]}) for name in ("Quick", "HomeMade")),
    *(("E031", csp(script_src=[CSP.SELF, it])) for it in (
        CSP.UNSAFE_INLINE, CSP.UNSAFE_EVAL, "*", "http:", "https:", "data:", "'unsafe-inline'")),
    ("E031", csp(script_src_elem=["*"])),
    ("E031", csp(script_src_attr=[CSP.UNSAFE_INLINE])),
    ("E031", {"SECURE_CSP": {"default-src": ["https:"]}}),
    ("E031", {"SECURE_CSP": {"img-src": [CSP.SELF]}}),
    ("E032", {"STATICFILES_DIRS": [BASE]}),
    ("E032", {"STATICFILES_DIRS": [("all", str(BASE.parent))]}),
    ("E032", {"STATICFILES_DIRS": [BASE / "project"]}),
    ("E032", {"STATIC_ROOT": BASE / "project" / ".."}),
    ("E032", {"WHITENOISE_ROOT": "/"}),
    ("E033", {"CSRF_COOKIE_SAMESITE": "None"}),
    ("E033", {"SESSION_COOKIE_SAMESITE": None}),
    ("E033", {"SESSION_COOKIE_SAMESITE": False}),
    ("E035", {"CORS_ALLOWED_ORIGIN_REGEXES": [r"https://.*"], "CORS_ALLOW_CREDENTIALS": True}),
    ("E036", {"ROLLBAR": {k: v for k, v in settings.ROLLBAR.items() if k != "locals"}}),
    ("E036", {"MIDDLEWARE": [
        *settings.MIDDLEWARE, "rollbar.contrib.django.middleware.RollbarNotifierMiddleware"]}),
    ("E038", {"DATA_UPLOAD_MAX_NUMBER_FIELDS": None}),
    ("E038", {"DATA_UPLOAD_MAX_NUMBER_FILES": None}),
    ("E038", without("MIDDLEWARE", "project.middleware.body_limit")),
    ("E005", {"SECURE_PROXY_SSL_HEADER": ("X-Forwarded-Proto", "https")}),
]
"""
HARMLESS = """
robots = BASE / "robots"
robots.mkdir()
(robots / "robots.txt").write_text("User-agent: *")
class Slower(hashers.PBKDF2PasswordHasher):
    iterations = hashers.PBKDF2PasswordHasher.iterations * 2
sys.modules[HASHERS].Slower = Slower
HARMLESS = [
    {"WHITENOISE_ROOT": robots},
    {"STATICFILES_DIRS": [BASE / "static", ("more", robots)]},
    {"PASSWORD_HASHERS": [f"{HASHERS}.Slower", f"{HASHERS}.MD5PasswordHasher"]},
    {"PASSWORD_HASHERS": [f"{HASHERS}.ScryptPasswordHasher"]},
    {"PASSWORD_HASHERS": [f"{HASHERS}.BCryptPasswordHasher"]},
    {"PASSWORD_HASHERS": [f"{HASHERS}.BCryptSHA256PasswordHasher"]},
    {"AXES_FAILURE_LIMIT": 3, "AXES_COOLOFF_TIME": 24},
    {"AXES_COOLOFF_TIME": None},
    csp(script_src=[CSP.SELF, CSP.NONCE, CSP.STRICT_DYNAMIC, "https://cdn.example.com"]),
    csp(img_src=["*", "data:"], style_src=[CSP.UNSAFE_INLINE]),
    {"AUTHENTICATION_BACKENDS": [
        "identity.lockout.Backend", "django.contrib.auth.backends.ModelBackend"]},
    {"SESSION_COOKIE_SAMESITE": "Strict"},
    {"CORS_ALLOW_ALL_ORIGINS": True},
    {"CORS_ALLOWED_ORIGINS": ["https://example.com"], "CORS_ALLOW_CREDENTIALS": True},
    {"DATA_UPLOAD_MAX_NUMBER_FIELDS": 5000, "MAX_BODY_SIZE": 1024 ** 3},
    {"PROXY_COUNT": 2},
    *({"SECRET_KEY": "a$(" + get_random_secret_key()} for _ in range(30)),
    *({"SECRET_KEY": secrets.token_urlsafe(50)} for _ in range(30)),
    *({"SECRET_KEY": secrets.token_hex(32)} for _ in range(30)),
]
"""
TRY = """
import secrets, sys
from datetime import timedelta
from django.conf import settings
from django.contrib.auth import hashers
from django.core.checks import run_checks
from django.core.management.utils import get_random_secret_key
from django.test import override_settings
from django.utils.csp import CSP

BASE = settings.BASE_DIR

def ids(changes):
    with override_settings(**changes):
        found = run_checks(include_deployment_checks=True, databases=[])
    return {it.id.removeprefix("deploy.") for it in found if not it.is_silenced()}

assert ids({}) == set(), ids({})
"""


def test_unsafe_settings_fail(make_deployed):
    site = make_deployed()
    code = TRY + KEYS + UNSAFE
    code += "missed = [(it, ids(change)) for it, change in UNSAFE if it not in ids(change)]\n"
    code += "assert not missed, missed\nprint(len(UNSAFE))\n"

    done = site.shell(code, env=site.production())

    assert done.returncode == 0, done.out
    assert int(done.stdout) >= 45


def test_harmless_settings_pass(make_deployed):
    site = make_deployed()
    code = TRY + KEYS + UNSAFE + HARMLESS
    code += "failed = [(it, ids(it)) for it in HARMLESS if ids(it)]\nassert not failed, failed\n"

    done = site.shell(code, env=site.production())

    assert done.returncode == 0, done.out
