"""The content security policy: what a browser blocks, and the advice in the terminal."""

import re
import time

import pytest
from support.browser import User, chromium, serve_in_development, serve_in_production
from support.router import https

pytestmark = pytest.mark.slow

CDN = "https://cdn.example.com"
STYLE_SHEET = f'<link rel="stylesheet" href="{CDN}/x.css">'
SPRING_GREEN = "rgb(0, 255, 127)"


def add_to_home_page(site, html):
    start = "{% block content %}"
    site.replace("application/templates/application/home.html", start, f"{start}\n{html}")


def allow(site, line):
    """Replace a directive in SECURE_CSP with the line that the terminal advises."""
    path = site.path / "project" / "settings.py"
    directive = line.partition(":")[0]
    text, count = re.subn(
        rf"^    {directive}: .+$", f"    {line}", path.read_text(), flags=re.MULTILINE
    )
    assert count == 1, line
    path.write_text(text)


def reports(terminal, count=1, within=10):
    """Wait for `count` CSP reports in the terminal, as browsers send them late; return them."""
    deadline = time.monotonic() + within
    while len(re.findall("CSP stopped .+", text := terminal.read_text())) < count:
        if time.monotonic() > deadline:
            break
        time.sleep(0.1)
    assert "/csp-report/" not in text
    return sorted(re.findall("CSP stopped .+", text))


def background(user):
    """Open the home page with a style sheet from a fake CDN; return its background colour."""
    user.context.route(
        f"{CDN}/x.css",
        lambda route: route.fulfill(
            content_type="text/css", body="body { background: springgreen }"
        ),
    )
    user.page.goto("/")
    return user.page.evaluate("getComputedStyle(document.body).backgroundColor")


STYLE_SRC = f'"style-src": [CSP.SELF, CSP.NONCE, "{CDN}"],'


def test_csp_report_has_the_line_that_allows_a_style_sheet(site, make_copy, serve, pictures):
    own = make_copy(site())
    add_to_home_page(own, STYLE_SHEET)
    with chromium() as browser:
        url, terminal = serve_in_development(own, serve)
        assert background(User(browser, url, pictures)) != SPRING_GREEN
        (report,) = reports(terminal)
        stopped, advice = report.split(
            " To allow it, give its tag a nonce, or write in SECURE_CSP: "
        )
        assert re.fullmatch(rf"CSP stopped {CDN}/x.css \(style-src\) on /, line \d+\.", stopped)
        assert advice == STYLE_SRC

        allow(own, advice)
        url, terminal = serve_in_development(own, serve)
        user = User(browser, url, pictures)
        assert background(user) == SPRING_GREEN
        user.sees("My Site")
        assert reports(terminal, within=1) == []


# The HTML of a page, the button to press, and parts of the report in the terminal.
BLOCKED = {
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


def test_csp_report_names_the_directive_and_the_fix(site, make_copy, serve, pictures):
    own = make_copy(site())
    for number, (html, *_) in enumerate(BLOCKED.values()):
        page = f'{{% extends "base.html" %}}{{% block content %}}{html}{{% endblock %}}'
        (own.path / f"templates/{number}.html").write_text(page)
    with (own.path / "project" / "urls.py").open("a") as urls:
        urls.write(PAGES)
    url, terminal = serve_in_development(own, serve)
    with chromium() as browser:
        user = User(browser, url, pictures)
        for number, (_, button, *words) in enumerate(BLOCKED.values()):
            terminal.write_text("")
            user.page.goto(f"/stopped/{number}/")
            if button:
                user.page.get_by_role("button", name=button).click(no_wait_after=True)
            (report,) = reports(terminal)
            assert all(word in report for word in words), report


def test_style_sheet_from_another_origin_in_production(
    site, make_copy, collect, serve, free_port, tmp_path, pictures
):
    own = make_copy(site())
    add_to_home_page(own, STYLE_SHEET)
    allow(own, STYLE_SRC)
    collect(own)
    serve_in_production(own, serve, free_port)
    with chromium() as browser, https(tmp_path, free_port) as router:
        user = User(browser, router.url, pictures)
        assert background(user) == SPRING_GREEN
        user.sees("My Site")


def test_inline_script_needs_a_nonce(site, make_copy, serve, pictures):
    own = make_copy(site())
    add_to_home_page(
        own,
        "<script>document.body.dataset.without = true</script>"
        '<script nonce="{{ csp_nonce }}">document.body.dataset.nonce = true</script>',
    )
    with chromium() as browser:
        url, terminal = serve_in_development(own, serve)
        user = User(browser, url, pictures)
        user.page.goto("/")
        ran = user.page.evaluate("Object.keys(document.body.dataset)")

    assert ran == ["nonce"]
    (report,) = reports(terminal)
    assert "CSP stopped inline (script-src) on /, line " in report
    assert "Move it into a file in static/, or give its tag a nonce: README.md" in report


ODD_REPORTS = """
import json
from django.test import Client
def report(blocked="http://x/", page="http://localhost/", **more):
    fields = {"blocked-uri": blocked, "document-uri": page, "effective-directive": "img-src"}
    return json.dumps({"csp-report": fields | more})

odd = ["", "x", "1", "[]", "{}", '{"csp-report": 1}', '{"csp-report": {"blocked-uri": {}}}']
odd += ["[" * 100_000, '{"csp-report": ' + "9" * 5000 + "}", b"\\xff", report("http://[")]
odd += [report(page="http://["), report(**{"source-file": "http://["})]
for body in odd:
    response = Client(SERVER_NAME="localhost").post("/csp-report/", body, content_type="text/plain")
    assert response.status_code == 400, body[:99]
forged = report("http://x/\\r\\nERROR forged\\x1b[2J\\ud800", **{"line-number": "1\\nERROR"})
assert Client(SERVER_NAME="localhost").post("/csp-report/", forged, "text/plain").status_code == 204
"""


def test_invalid_csp_reports_are_rejected(site, local_environment):
    posted = site().shell(ODD_REPORTS, env=local_environment)

    assert posted.returncode == 0, posted.out
    assert "CSP stopped http://x/" in posted.stderr
    assert "\\x1b[2J\\ud800" in posted.stderr and "\x1b" not in posted.stderr
    assert not [line for line in posted.stderr.splitlines() if line.startswith("ERROR")]
