"""The generated site as somebody with a browser meets it, live and at home."""

import os
import re
import time
import uuid
from pathlib import Path

import pytest
from browser import Visitor, chromium, go_live
from generated import unused_port
from live import PASSWORD
from router import https

pytestmark = pytest.mark.slow

CDN = "https://cdn.example.com"
STYLE_SHEET = f'<link rel="stylesheet" href="{CDN}/x.css">'
SPRING_GREEN = "rgb(0, 255, 127)"


@pytest.fixture
def pictures(shared, request):
    """Return the folder for a test's pictures, to look at: in SCREENSHOTS, where that is set."""
    folder = Path(os.environ.get("SCREENSHOTS") or shared / "screenshots") / request.node.name
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture
def live_url(site, copy_of, collect, postgres, serve, free_port, tmp_path):
    """Return the address of a live site: Postgres, gunicorn, https, and an account for Ada."""
    own = copy_of(site())
    variables = {
        "DATABASE_URL": postgres.database("browser"),
        # Nobody listens there: the error that is made on purpose stays on this machine.
        "ROLLBAR_ENDPOINT": "http://127.0.0.1:9/api/1/",
        "DJANGO_SUPERUSER_PASSWORD": PASSWORD,
    }
    for command in (
        ["manage.py", "migrate", "--noinput"],
        ["manage.py", "createsuperuser", "--noinput", "--username=ada", "--email=ada@example.com"],
    ):
        done = own.run(own.python, *command, env=own.production(**variables))
        assert done.returncode == 0, done.out
    collect(own)
    go_live(own, serve, free_port, **variables)
    with https(tmp_path, free_port) as router:
        yield router.url


def test_a_visit_to_the_live_site(live_url, pictures):
    """On each page, `sees` checks that the policy stopped nothing and that the console is silent."""
    with chromium() as browser:
        ada = Visitor(browser, live_url, pictures)
        logs_in(ada)
        changes_when_she_joined(ada)
        adds_grace(ada)
        is_not_allowed(Visitor(browser, live_url, pictures))
        deletes_grace(ada)
        meets_error_pages(ada)
        guesses_her_password(ada)


def logs_in(ada):
    ada.page.goto("/")
    ada.sees("My Site")
    assert ada.page.locator(".mark").inner_text() == "Live"
    ada.finds_it_accessible()
    ada.page.get_by_role("link", name="the admin").click()
    ada.sees("Log in | My Site")
    ada.finds_it_accessible()
    ada.submit("Log in", username="ada", password=PASSWORD)
    ada.sees("Site administration | My Site")

    cookies = {cookie["name"]: cookie for cookie in ada.context.cookies()}
    assert cookies.keys() == {"__Host-sessionid", "csrftoken"}
    assert all(cookie["secure"] for cookie in cookies.values())
    assert cookies["__Host-sessionid"]["httpOnly"]


def changes_when_she_joined(ada):
    """By the calendar and the clock, which are scripts that place what they show with styles."""
    ada.page.get_by_role("link", name="Users").first.click()
    ada.sees("Select user to change | My Site")
    ada.page.locator("#result_list").get_by_role("link", name="ada").click()
    ada.sees("ada | Change user | My Site")

    calendar, clock = ada.page.locator("#calendarbox1"), ada.page.locator("#clockbox1")
    ada.page.locator("#calendarlink1").click()
    calendar.get_by_text("<").click()
    ada.sees("ada | Change user | My Site")
    calendar.get_by_text("15", exact=True).click()
    ada.page.locator("#clocklink1").click()
    ada.sees("ada | Change user | My Site")
    clock.get_by_text("Noon").click()
    assert ada.page.locator("#id_date_joined_0").input_value().endswith("-15")
    assert ada.page.locator("#id_date_joined_1").input_value() == "12:00:00"

    ada.submit("Save")
    assert "was changed successfully" in ada.page.locator(".success").inner_text()
    ada.sees("Select user to change | My Site")


def adds_grace(ada):
    ada.page.get_by_role("link", name="Add user").click()
    ada.sees("Add user | My Site")
    ada.submit("Save", username="grace", password1=PASSWORD, password2=PASSWORD)
    ada.sees("grace | Change user | My Site")
    ada.page.get_by_label("Staff status").check()
    ada.submit("Save")


def deletes_grace(ada):
    ada.page.goto("/admin/identity/user/")
    ada.page.locator("#result_list").get_by_role("link", name="grace").click()
    ada.page.get_by_role("button", name="Delete").click()
    ada.sees("Delete | My Site")
    ada.submit("Yes, I’m sure")
    assert "“grace” was deleted" in ada.page.locator(".success").inner_text()
    ada.sees("Select user to change | My Site")


def meets_error_pages(ada):
    """And leaves: the last of them takes a form whose cookie is gone."""
    ada.page.goto("/")
    ada.finds_it_accessible()
    ada.page.get_by_role("link", name="boom").click()
    ada.sees("Something went wrong", status=500)
    assert uuid.UUID(ada.page.locator("code").inner_text())
    ada.finds_it_accessible()
    ada.page.goto("/nothing/")
    ada.sees("Page not found", status=404)
    ada.finds_it_accessible()
    ada.page.goto("/admin/")
    ada.submit("Log out")
    ada.sees("Logged out | My Site")
    ada.page.goto("/admin/login/")
    ada.context.clear_cookies(name="csrftoken")
    ada.submit("Log in", username="ada", password=PASSWORD)
    ada.sees("Please try again", status=403)
    ada.finds_it_accessible()


def is_not_allowed(grace):
    """She is of the staff, and may change nothing."""
    grace.page.goto("/admin/identity/user/")
    grace.submit("Log in", username="grace", password=PASSWORD)
    grace.sees("Not allowed", status=403)
    grace.finds_it_accessible()


def guesses_her_password(ada):
    ada.page.goto("/admin/login/")
    for _ in range(9):
        ada.submit("Log in", username="ada", password="wrong")
        assert ada.status == 200
    ada.sees("Error: Log in | My Site")
    ada.finds_it_accessible()
    ada.submit("Log in", username="ada", password="wrong")
    ada.sees("Too many attempts", status=429)
    ada.page.goto("/admin/login/")
    ada.submit("Log in", username="ada", password=PASSWORD)
    assert "come back in at most 15 minutes" in ada.page.locator("main").inner_text()
    ada.sees("Too many attempts", status=429)
    ada.finds_it_accessible()


def test_pages_at_home(site, copy_of, serve, pictures):
    """Two are seen at home alone, and each error page can be looked at there."""
    url, _ = run_at_home(copy_of(site()), serve)
    with chromium() as browser:
        visitor = Visitor(browser, url, pictures)
        visitor.page.goto("/")
        visitor.sees("My Site")
        assert visitor.page.locator(".mark").inner_text() == "On this computer"
        visitor.finds_it_accessible()
        for name in ("400", "403", "403_csrf", "404", "429", "500"):
            visitor.page.goto(f"/errors/{name}/")
            assert visitor.status == int(name[:3])
            assert visitor.page.locator(".mark").inner_text() == name[:3]
            assert visitor.page.locator("main a").count() == 1, "where to go from here"
        for path in ("/errors/400/", "/accounts/login/"):
            visitor.page.goto(path)
            visitor.finds_it_accessible()


def add_to_home_page(site, html):
    start = "{% block content %}"
    site.replace("application/templates/application/home.html", start, f"{start}\n{html}")


def allow(site, line):
    """Put the line that the terminal advises in the place of the one in SECURE_CSP."""
    path = site.path / "project" / "settings.py"
    directive = line.partition(":")[0]
    text, count = re.subn(
        rf"^    {directive}: .+$", f"    {line}", path.read_text(), flags=re.MULTILINE
    )
    assert count == 1, line
    path.write_text(text)


def run_at_home(site, serve):
    """Start runserver; return the site's address and the file that has what it prints."""
    port = unused_port()
    command = [site.python, "manage.py", "runserver", "--noreload", port]
    serve(site, *command, env={"PATH": os.environ["PATH"]}, port=port)
    return f"http://127.0.0.1:{port}", site.path / f"server-{port}.log"


def reports(terminal, count=1, within=10):
    """Return what is said of the policy; browsers send their reports in their own time."""
    until = time.monotonic() + within
    while len(re.findall("CSP stopped .+", text := terminal.read_text())) < count:
        if time.monotonic() > until:
            break
        time.sleep(0.1)
    assert "/csp-report/" not in text
    return sorted(re.findall("CSP stopped .+", text))


def background(visitor):
    """Open the home page while the CDN has a style sheet for it, and return its colour."""
    visitor.context.route(
        f"{CDN}/x.css",
        lambda route: route.fulfill(
            content_type="text/css", body="body { background: springgreen }"
        ),
    )
    visitor.page.goto("/")
    return visitor.page.evaluate("getComputedStyle(document.body).backgroundColor")


STYLE_SRC = f'"style-src": [CSP.SELF, CSP.NONCE, "{CDN}"],'


def test_csp_report_has_the_line_that_allows_a_style_sheet(site, copy_of, serve, pictures):
    own = copy_of(site())
    add_to_home_page(own, STYLE_SHEET)
    with chromium() as browser:
        url, terminal = run_at_home(own, serve)
        assert background(Visitor(browser, url, pictures)) != SPRING_GREEN
        (report,) = reports(terminal)
        stopped, advice = report.split(
            " To allow it, give its tag a nonce, or write in SECURE_CSP: "
        )
        assert re.fullmatch(rf"CSP stopped {CDN}/x.css \(style-src\) on /, line \d+\.", stopped)
        assert advice == STYLE_SRC

        allow(own, advice)
        url, terminal = run_at_home(own, serve)
        visitor = Visitor(browser, url, pictures)
        assert background(visitor) == SPRING_GREEN
        visitor.sees("My Site")
        assert reports(terminal, within=1) == []


# What a page has, the button that is pressed, and what the terminal says of it.
STOPPED = {
    "style attribute": ('<p style="color: red">', "", "inline (style-src-attr)", "Attributes cannot"),
    "onclick": ('<button onclick="alert()">B</button>', "B", "inline (script-src-attr)", "Attributes cannot"),
    "image": ("<img src='https://b.example.com/a.png'>", "", "/a.png (img-src)", '"img-src": [CSP.SELF, "https://b.example.com"],'),
    "data image": ("<img src='data:,'>", "", "data (img-src)", '"img-src": [CSP.SELF, "data:"],'),
    "frame": ("<iframe src='https://v.example.com/1'></iframe>", "", "(frame-src)", '"frame-src": [CSP.SELF, "https://v.example.com"],'),
    "own object": ("<object data='/static/favicon.svg'></object>", "", "(object-src)", '"object-src": [CSP.SELF],'),
    "eval": ("<script nonce='{{ csp_nonce }}'>eval('1')</script>", "", "eval (script-src)", "runs text as code"),
    "form": ("<form action='https://pay.example.com/'><button>B</button></form>", "B", "(form-action)", '"form-action": [CSP.SELF, "https://pay.example.com"],'),
    "redirect": ("<form action='/away/'><button>B</button></form>", "B", "/away/? (form-action)", '"form-action": [CSP.SELF, "https://where-it-redirects-to"],'),
}  # fmt: skip
PAGES = """
from django.shortcuts import redirect, render
urlpatterns += [
    path("away/", lambda request: redirect("https://github.example.com/")),
    path("stopped/<int:number>/", lambda request, number: render(request, f"{number}.html")),
]
"""


def test_csp_report_names_the_directive_and_what_to_write(site, copy_of, serve, pictures):
    own = copy_of(site())
    for number, (html, *_) in enumerate(STOPPED.values()):
        page = f'{{% extends "base.html" %}}{{% block content %}}{html}{{% endblock %}}'
        (own.path / f"templates/{number}.html").write_text(page)
    with (own.path / "project" / "urls.py").open("a") as urls:
        urls.write(PAGES)
    url, terminal = run_at_home(own, serve)
    with chromium() as browser:
        visitor = Visitor(browser, url, pictures)
        for number, (_, button, *words) in enumerate(STOPPED.values()):
            terminal.write_text("")
            visitor.page.goto(f"/stopped/{number}/")
            if button:
                visitor.page.get_by_role("button", name=button).click(no_wait_after=True)
            (report,) = reports(terminal)
            assert all(word in report for word in words), report


def test_a_style_sheet_from_elsewhere_live(
    site, copy_of, collect, serve, free_port, tmp_path, pictures
):
    own = copy_of(site())
    add_to_home_page(own, STYLE_SHEET)
    allow(own, STYLE_SRC)
    collect(own)
    go_live(own, serve, free_port)
    with chromium() as browser, https(tmp_path, free_port) as router:
        visitor = Visitor(browser, router.url, pictures)
        assert background(visitor) == SPRING_GREEN
        visitor.sees("My Site")


def test_a_script_in_the_page_needs_a_nonce(site, copy_of, serve, pictures):
    own = copy_of(site())
    add_to_home_page(
        own,
        "<script>document.body.dataset.without = true</script>"
        '<script nonce="{{ csp_nonce }}">document.body.dataset.nonce = true</script>',
    )
    with chromium() as browser:
        url, terminal = run_at_home(own, serve)
        visitor = Visitor(browser, url, pictures)
        visitor.page.goto("/")
        ran = visitor.page.evaluate("Object.keys(document.body.dataset)")

    assert ran == ["nonce"]
    (report,) = reports(terminal)
    assert "CSP stopped inline (script-src) on /, line " in report
    assert "Move it into a file in static/, or give its tag a nonce: README.md" in report
