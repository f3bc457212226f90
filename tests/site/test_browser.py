"""The generated site in a browser, in production and in development."""

import uuid

import pytest
from support.browser import User, chromium, serve_in_development
from support.client import PASSWORD

pytestmark = pytest.mark.slow


def test_site_in_production(site_url, pictures):
    """On each page, `sees` fails on a CSP violation or an error in the console."""
    with chromium() as browser:
        ada = User(browser, site_url, pictures)
        log_in(ada)
        change_date_joined(ada)
        add_grace(ada)
        check_403_page(User(browser, site_url, pictures))
        delete_grace(ada)
        check_error_pages(ada)
        check_lockout(ada)


def log_in(ada):
    ada.page.goto("/")
    ada.sees("My Site")
    assert ada.page.locator(".mark").inner_text() == "In production"
    ada.finds_it_accessible()
    ada.page.get_by_role("link", name="Log in").click()
    ada.sees("Log in | My Site")
    ada.finds_it_accessible()
    ada.submit("Log in", username="ada", password=PASSWORD)
    ada.sees("Site administration | My Site")

    cookies = {cookie["name"]: cookie for cookie in ada.context.cookies()}
    assert cookies.keys() == {"__Host-sessionid", "csrftoken"}
    assert all(cookie["secure"] for cookie in cookies.values())
    assert cookies["__Host-sessionid"]["httpOnly"]


def change_date_joined(ada):
    """Use the calendar and the clock, whose scripts position them with inline styles."""
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


def add_grace(ada):
    ada.page.get_by_role("link", name="Add user").click()
    ada.sees("Add user | My Site")
    ada.submit("Save", username="grace", password1=PASSWORD, password2=PASSWORD)
    ada.sees("grace | Change user | My Site")
    ada.page.get_by_label("Staff status").check()
    ada.submit("Save")


def delete_grace(ada):
    ada.page.goto("/admin/identity/user/")
    ada.page.locator("#result_list").get_by_role("link", name="grace").click()
    ada.page.get_by_role("button", name="Delete").click()
    ada.sees("Delete | My Site")
    ada.submit("Yes, I’m sure")
    assert "“grace” was deleted" in ada.page.locator(".success").inner_text()
    ada.sees("Select user to change | My Site")


def check_error_pages(ada):
    """Open the error pages; for the last one, log out and submit a form without its CSRF cookie."""
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


def check_403_page(grace):
    """Open the 403 page as Grace, who is staff but has no permissions."""
    grace.page.goto("/admin/identity/user/")
    grace.submit("Log in", username="grace", password=PASSWORD)
    grace.sees("Not allowed", status=403)
    grace.finds_it_accessible()


def check_lockout(ada):
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
    assert "Try again in at most 15 minutes" in ada.page.locator("main").inner_text()
    ada.sees("Too many attempts", status=429)
    ada.finds_it_accessible()


def test_site_in_development(site, make_copy, serve, pictures):
    """Each error page has a URL; the 400 page and /accounts/login/ are checked only here."""
    url, _ = serve_in_development(make_copy(site()), serve)
    with chromium() as browser:
        user = User(browser, url, pictures)
        user.page.goto("/")
        user.sees("My Site")
        assert user.page.locator(".mark").inner_text() == "In development"
        user.finds_it_accessible()
        for name in ("400", "403", "403_csrf", "404", "429", "500"):
            user.page.goto(f"/errors/{name}/")
            assert user.status == int(name[:3])
            assert user.page.locator(".mark").inner_text() == name[:3]
            assert user.page.locator("main a").count() == 1, "the page needs one link"
        for path in ("/errors/400/", "/accounts/login/"):
            user.page.goto(path)
            user.finds_it_accessible()
