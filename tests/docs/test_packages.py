"""Apply the lines of docs/packages.md to copies of a generated site, and open it in Chromium."""

import os
import re
import shlex

import pytest
from support.browser import CHROMIUM_FLAGS, User, chromium
from support.client import PASSWORD
from support.generated import CHECK_DEPLOY, ROOT, unused_port

pytestmark = [pytest.mark.slow, pytest.mark.exotic]

PAGE = (ROOT / "docs" / "packages.md").read_text(encoding="utf-8")
SECTIONS = dict(re.findall(r"^## (.+?)\n(.+?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
ADMIN = "A policy for the admin alone"
STEP = re.compile(
    r"Run `(?P<command>uv add .+?)`|(?:[Ii]n `(?P<file>\S+)`, (?P<where>below|above|in place of) "
    r"`(?P<line>.+?)`|[Aa]t the end of `(?P<end>\S+)`), write"
    r"(?::\n\n```\w+\n(?P<block>.+?)```| (?P<inline>`[^`]+`(?:(?:,| and) `[^`]+`)*))",
    re.DOTALL,
)
# Chromium resolves no other host, so that no request is sent to GitHub.
NO_NETWORK = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
# A model with more rows than a page of the admin shows.
EXPORTED = """
from django.contrib.contenttypes.models import ContentType
from import_export.admin import ExportActionMixin as Action, ImportExportModelAdmin as Admin
admin.site.register(ContentType, type("Types", (Action, Admin), {"list_per_page": 3}))
"""
MAIL = "smtp+tls://user:password@mail.example.com:587"  # allauth sends mail
GITHUB = 'SOCIALACCOUNT_PROVIDERS = {"github": {"APPS": [{"client_id": "id", "secret": "-"}]}}\n'


def steps(section):
    """Return the steps of a section, in order."""
    return [match.groupdict() for match in STEP.finditer(SECTIONS[section])]


def follow(own, environment, steps):
    """Run the commands of the steps, and write their lines."""
    for step in steps:
        if step["command"]:
            uv, *arguments = shlex.split(step["command"])
            done = own.run(environment[uv.upper()], *arguments, env=environment)
            assert done.returncode == 0, done.out
            continue
        path = own.path / (step["file"] or step["end"])
        text = path.read_text()
        new = step["block"] or "\n".join([*re.findall("`(.+?)`", step["inline"]), ""])
        if step["end"]:
            path.write_text(text + new)
        else:
            (line,) = [it for it in text.splitlines(keepends=True) if step["line"] in it]
            places = {"below": line + new, "above": new + line, "in place of": new}
            path.write_text(text.replace(line, places[step["where"]]))


def log_in(page):
    page.goto("/admin/login/?next=/admin/", wait_until="networkidle")
    page.locator("[name=username]").fill("ada")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=password]").press("Enter")
    page.wait_for_url("**/admin/")


def open_unfold(page):
    """Open the list of users; return whether Alpine.js hides the list of shortcuts."""
    log_in(page)
    page.goto("/admin/identity/user/", wait_until="networkidle")
    return not page.locator("[x-show=shortcutsOpen]").first.is_visible()


def open_export(page):
    """Export the rows of all pages; return whether “Select all” clears the boxes of the fields."""
    log_in(page)
    page.goto("/admin/contenttypes/contenttype/")
    page.locator("#action-toggle").check()
    page.locator(".actions .question a").click()
    page.locator("[name=action]").select_option("export_admin_action")
    page.locator("[name=index]").click()
    page.wait_for_selector("[name=export_items] >> nth=3", state="attached")
    page.locator("[name=select-all-toggle]").uncheck()
    return page.locator(".selectable-field-export-row :checked").count() == 0


def open_github(page):
    """Press the provider's button; return whether the browser sends a request to GitHub."""
    urls = []
    page.on("request", lambda request: urls.append(request.url))
    page.goto("/accounts/login/")
    page.get_by_role("link", name="GitHub").click()
    page.get_by_role("button", name="Continue").click(no_wait_after=True)
    page.wait_for_timeout(2000)
    return any(url.startswith("https://github.com/login/oauth/authorize") for url in urls)


def open_in_browser(own, serve, open_pages):
    """Return whether the package works, and the violations that Chromium reports."""
    port = unused_port()
    command = f"{own.python} manage.py runserver --noreload {port}"
    serve(own, *command.split(), env={"PATH": os.environ["PATH"]}, port=port)
    with chromium() as browser:
        user = User(browser, f"http://127.0.0.1:{port}", own.path)
        works = open_pages(user.page)
        return works, [text for text, _ in user.errors if "Content Security Policy" in text]


# For each package: how to use it in the browser, and lines that an owner adds to a file.
CASES = {
    "django-unfold": (open_unfold, "identity/admin.py", ""),
    "django-import-export": (open_export, "identity/admin.py", EXPORTED),
    "django-allauth": (open_github, "project/settings.py", GITHUB),
}


@pytest.mark.parametrize("section", CASES)
def test_package_works_only_with_the_lines_of_its_section(
    site, make_copy, environment, serve, monkeypatch, section
):
    own = make_copy(site())
    (own.path / ".venv").unlink()
    open_pages, file, lines = CASES[section]
    monkeypatch.setattr("support.browser.CHROMIUM_FLAGS", [*CHROMIUM_FLAGS, NO_NETWORK])
    *installation, policy = steps(section)
    follow(own, environment, installation)
    with (own.path / file).open("a") as opened:
        opened.write(lines)
    environment["DJANGO_SUPERUSER_PASSWORD"] = PASSWORD
    for command in ("migrate", "createsuperuser --noinput --username=ada --email=a@example.com"):
        done = own.run(own.python, "manage.py", *command.split(), env=environment)
        assert done.returncode == 0, done.out

    works, violations = open_in_browser(own, serve, open_pages)
    assert violations and not works

    follow(own, environment, [*(steps(ADMIN) if f"[{ADMIN}]" in SECTIONS[section] else []), policy])
    works, violations = open_in_browser(own, serve, open_pages)
    assert works and not violations, violations
    done = own.run(own.python, *CHECK_DEPLOY, env=own.production(EMAIL_URL=MAIL))
    assert done.returncode == 0, done.out


@pytest.mark.parametrize("section", [*filter(steps, SECTIONS)])
def test_project_compiles_with_the_lines_of_each_section(site, make_copy, section):
    own = make_copy(site())
    follow(own, None, [step for step in steps(section) if not step["command"]])
    done = own.run(own.python, "-m", "compileall", "-q", "project")
    assert done.returncode == 0, done.out
