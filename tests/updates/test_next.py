"""A site with the next version of Django: 6.2, due in April 2027."""

import re

import pytest
from support.generated import BIN

pytestmark = pytest.mark.slow

# As in https://github.com/django/django/pull/21519. Middleware of both trackers' clients uses it.
MOVED = """
import warnings
from django import middleware

class RemovedInDjango71Warning(PendingDeprecationWarning):
    pass

def __getattr__(name):
    if name == "MiddlewareMixin":
        message = "django.utils.deprecation.MiddlewareMixin is deprecated."
        warnings.warn(message, RemovedInDjango71Warning, stacklevel=2)
        return middleware.MiddlewareMixin
    raise AttributeError(name)
"""


def with_moved_mixin(django):
    """Move MiddlewareMixin as Django 6.2 does, in the installed Django."""
    deprecation, middleware = django / "utils/deprecation.py", django / "middleware/__init__.py"
    head, mixin = deprecation.read_text().split("class MiddlewareMixin")
    imports = "from inspect import iscoroutinefunction, markcoroutinefunction\n"
    imports += "from asgiref.sync import sync_to_async\n\nclass MiddlewareMixin"
    changed = {deprecation: head + MOVED, middleware: imports + mixin}
    for path in [*django.glob("**/middleware/*.py"), *django.glob("**/middleware.py")]:
        old, new = "django.utils.deprecation import Mid", "django.middleware import Mid"
        if old in path.read_text():
            changed[path] = path.read_text().replace(old, new)
    for path, text in changed.items():
        path.unlink()  # it may be a link into uv's cache
        path.write_text(text)


@pytest.mark.exotic
@pytest.mark.parametrize("error_tracker", ["rollbar", "sentry"])
def test_site_passes_its_tests_with_moved_middleware_mixin(make_own_copy, error_tracker):
    own, environment = make_own_copy(error_tracker)
    with_moved_mixin(next(own.path.glob(".venv/lib/python3*/site-packages/django")))

    tested = own.run(own.python, "-m", "pytest", env=environment)

    assert tested.returncode == 0, tested.out


@pytest.mark.weekly
@pytest.mark.parametrize("error_tracker", ["rollbar", "sentry", "none"])
def test_site_passes_tests_and_checks_with_the_next_django(make_own_copy, error_tracker, tell):
    """Use a pre-release if there is one."""
    changed, environment = make_own_copy(error_tracker)

    def typed(*command):
        done = changed.run(*command, env=environment)
        assert done.returncode == 0, done.out
        return done.out

    typed(BIN / "uv", "add", "--upgrade-package=django", "django>=6.1a0")
    version = typed(changed.python, "-m", "django", "--version").strip()
    tests = re.search(r"\d+ passed", typed(changed.python, "-m", "pytest"))[0]
    typed(changed.python, "-c", "import bootstrap; bootstrap.run_checks()")

    tell(f"Django {version}, {error_tracker}", f"checks, {tests}")
