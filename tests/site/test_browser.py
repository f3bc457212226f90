"""The generated site in a browser, in production and in development."""

import uuid

import pytest
from support.browser import User, chromium, serve_in_development
from support.client import PASSWORD

pytestmark = pytest.mark.slow


def test_a_visit_to_the_live_site(site_url, pictures):
    """On each page, `sees` checks that the policy stopped nothing and that the console is silent."""
    with chromium() as browser:
        ada = User(browser, site_url, pictures)
        logs_in(ada)
        changes_when_she_joined(ada)
        adds_grace(ada)
        is_not_allowed(User(browser, site_url, pictures))
        deletes_grace(ada)
        meets_error_pages(ada)
        guesses_her_password(ada)


def logs_in(ada):
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
    assert "Try again in at most 15 minutes" in ada.page.locator("main").inner_text()
    ada.sees("Too many attempts", status=429)
    ada.finds_it_accessible()


def test_pages_at_home(site, make_copy, serve, pictures):
    """Two pages exist only in development, where each error page can be opened, too."""
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
            assert user.page.locator("main a").count() == 1, "where to go from here"
        for path in ("/errors/400/", "/accounts/login/"):
            user.page.goto(path)
            user.finds_it_accessible()
