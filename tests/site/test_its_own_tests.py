"""The tests that are generated with a site: they pass, and fail if the site is broken."""

import re

import pytest

pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("error_tracker", "hsts"), [("sentry", "django"), ("none", "proxy")])
def test_generated_tests_pass(site, local_environment, error_tracker, hsts):
    generated = site(error_tracker, hsts)

    passed = generated.run(generated.python, "-m", "pytest", env=local_environment)

    assert passed.returncode == 0, passed.out


def test_generated_tests_pass_with_both_runners(site, local_environment):
    by_pytest = site().run(site().python, "-m", "pytest", env=local_environment)
    by_django = site().manage("test", env=local_environment)

    assert by_pytest.returncode == 0, by_pytest.out
    assert by_django.returncode == 0, by_django.out
    count = int(re.search(r"(\d+) passed", by_pytest.stdout)[1])
    assert f"Ran {count} tests" in by_django.stderr and count >= 10
    assert "Traceback" not in by_django.out


@pytest.mark.parametrize(
    ("file", "old", "new", "failing"),
    [
        ("project/settings.py", "ROOT_URLCONF", 'NEW = env("NEW", default="")\nROOT_URLCONF', "env_example"),
        ("project/settings.py", "default=3600", "default=0", "deployment_checks"),
        ("project/settings.py", "SSL_REDIRECT = not DEBUG", "SSL_REDIRECT = False", "sigterm"),
        ("project/settings.py", '"default-src": [CSP.NONE]', '"default-src": ["*"]', "security_headers"),
        ("project/views.py", "@staff_member_required\n", "", "redirected"),
        ("templates/500.html", "<h1>Something went wrong</h1>", "", "sigterm"),
        ("templates/base.html", "block content", "block main", "have_their_text"),
        ("project/settings.py", '"project.context_processors.site_name",', "", "home_page"),
        ("application/views.py", "    return", "    raise RuntimeError\n    return", "sigterm"),
        ("Procfile", "gunicorn project.wsgi", "gunicorn project.wsg", "sigterm"),
        ("project/settings.py", "CompressedManifest", "Compressed", "sigterm"),
        ("project/settings.py", '"enabled": env.bool', '"enabled": False and env.bool', "sigterm"),
        ("project/settings.py", '"django": {"handlers": []', '"django": {"handlers": ["console"]', "sigterm"),
        ("gunicorn.conf.py", "preload_app = True", "def on_exit(server): os._exit(1)", "sigterm"),
    ],
)  # fmt: skip
def test_generated_tests_fail_if_the_site_is_broken(
    site, make_copy, local_environment, file, old, new, failing
):
    changed = make_copy(site())
    changed.replace(file, old, new)

    tested = changed.run(
        changed.python,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "-k",
        failing,
        env=local_environment,
    )

    assert tested.returncode == 1
    assert re.search(f"FAILED .*{failing}", tested.stdout), tested.out
