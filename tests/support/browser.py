"""A site in development or in production, and a user who opens it in Chromium."""

import os
import re
import shutil
from contextlib import contextmanager

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import expect, sync_playwright

from support.generated import procfile, unused_port

# No sandbox, because root cannot use it, and no requests in the background.
CHROMIUM_FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
# Runs in each page: logs CSP violations to the console as errors.
LOG_VIOLATIONS = """addEventListener("securitypolicyviolation", (event) =>
    console.error(`CSP stopped ${event.blockedURI} (${event.effectiveDirective})`))"""
# A phone and a desktop, each with a dark and a light color scheme.
LOOKS = [
    (scheme, {"width": width, "height": 800})
    for scheme in ("dark", "light")
    for width in (360, 1280)
]
FAILED = "Failed to load resource: the server responded with a status of"


def serve_in_production(site, serve, port, **variables):
    """Start a Site's web process in production; its static files must be collected."""
    path = f"{site.python.parent}{os.pathsep}{os.environ['PATH']}"
    environment = site.production(PATH=path, PORT=str(port), ALLOWED_HOSTS="localhost", **variables)
    serve(site, "bash", "-c", procfile(site.path)["web"], env=environment, port=port)


@contextmanager
def chromium():
    """Start headless Chromium, the system's or Playwright's; yield Playwright's Browser."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=CHROMIUM_FLAGS)
        yield browser
        browser.close()


class User:
    """A user with a browser that takes a screenshot of each page and records its errors."""

    def __init__(self, browser, url, pictures):
        self.context = browser.new_context(base_url=url, ignore_https_errors=True)
        self.context.add_init_script(LOG_VIOLATIONS)
        self.page = self.context.new_page()
        self.page.on("console", self.note_error)
        self.page.on("pageerror", lambda error: self.errors.append((str(error), self.page.url)))
        self.page.on("response", self.note_status)
        self.pictures = pictures
        self.errors = []
        self.status = 0

    def note_error(self, message):
        if message.type == "error":
            self.errors.append((message.text, message.location["url"]))

    def note_status(self, response):
        if response.request.is_navigation_request():
            self.status = response.status

    def submit(self, button, **fields):
        """Fill in fields by their names, press a button, and wait for the next page."""
        for name, value in fields.items():
            self.page.locator(f"[name={name}]").fill(value)
        with self.page.expect_navigation():
            self.page.get_by_role("button", name=button, exact=True).click()

    def sees(self, title, status=200):
        """Take a screenshot; check the title, the status, and that no error was recorded.

        On an error page, Chromium logs the status as an error of its own, which is expected.
        """
        expect(self.page).to_have_title(title, timeout=20_000)
        self.page.wait_for_load_state()
        number = len(list(self.pictures.iterdir())) + 1
        name = "-".join(re.findall(r"\w+", title.removesuffix(" | My Site").lower()))
        self.page.screenshot(path=self.pictures / f"{number:02}-{name}.png")
        assert self.status == status, f"{title}: {self.status}"
        unexpected = [
            f"{text} {url}"
            for text, url in self.errors
            if not (
                status >= 400 and text.startswith(f"{FAILED} {status}") and url == self.page.url
            )
        ]
        assert not unexpected, "\n".join([title, *unexpected])
        self.errors.clear()

    def finds_it_accessible(self):
        """Check that the page has no axe violation and no horizontal overflow in any of LOOKS."""
        for scheme, size in LOOKS:
            self.page.emulate_media(color_scheme=scheme)
            self.page.set_viewport_size(size)
            found = Axe().run(self.page)
            assert found.violations_count == 0, f"{self.page.url}, {scheme}, {size}: " + (
                found.generate_report()
            )
            width = self.page.evaluate("document.documentElement.scrollWidth")
            assert width <= size["width"], f"{self.page.url}: {width} pixels wide"


def serve_in_development(site, serve):
    """Start runserver; return the site's URL and the path of its log."""
    port = unused_port()
    command = [site.python, "manage.py", "runserver", "--noreload", port]
    serve(site, *command, env={"PATH": os.environ["PATH"]}, port=port)
    return f"http://127.0.0.1:{port}", site.path / f"server-{port}.log"
