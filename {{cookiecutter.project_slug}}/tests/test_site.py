from django.conf import settings
from django.shortcuts import resolve_url
from django.template.loader import render_to_string
from django.test import TestCase, override_settings

from project.views import ERROR_PAGES
from tests import make_user


class BoomTests(TestCase):
    def test_staff_get_the_error(self):
        self.client.force_login(make_user(is_staff=True))

        with self.assertLogs("django.request"), self.assertRaisesMessage(RuntimeError, "Boom!"):
            self.client.get("/boom/")

    def test_others_are_redirected_to_the_login(self):
        for is_logged_in in (False, True):
            if is_logged_in:
                self.client.force_login(make_user())
            response = self.client.get("/boom/")
            self.assertRedirects(response, f"{resolve_url('admin:login')}?next=/boom/")


class PageTests(TestCase):
    def test_login_page_asks_for_a_password(self):
        response = self.client.get(resolve_url(settings.LOGIN_URL))

        self.assertContains(response, 'type="password"')

    def test_error_pages_have_their_text(self):
        for name in ERROR_PAGES:
            page = render_to_string(f"{name}.html")
            self.assertRegex(page, "<h[1-6]", "templates/base.html needs a block called content")

    def test_responses_have_security_headers(self):
        response = self.client.get("/")

        self.assertIn("default-src 'none'", response.headers["Content-Security-Policy"])
        self.assertEqual(response.headers["X-Frame-Options"], "DENY")
        self.assertEqual(response.headers["Cross-Origin-Resource-Policy"], "same-origin")
        self.assertIn("camera=()", response.headers["Permissions-Policy"])

    @override_settings(SECURE_SSL_REDIRECT=True)
    def test_health_paths_answer_any_host_over_http(self):
        for path in ("/healthz", "/readyz"):
            self.assertContains(self.client.get(path, headers={"host": "10.0.0.1"}), "ok")


@override_settings(
    AXES_ENABLED=True,
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # secure ones are slow
)
class LockoutTests(TestCase):
    def log_in(self, name="ada@example.com", password="wrong", address="192.0.2.1"):
        form = {"username": name, "password": password}
        header = {settings.ADDRESS_HEADER: address}
        return self.client.post(resolve_url("admin:login"), form, **header)

    def test_ten_failures_lock_out_a_name_from_an_address(self):
        make_user(password="right", is_staff=True)
        with self.assertLogs():
            answers = [self.log_in(address=f"10.0.0.{n}, 192.0.2.1").status_code for n in range(10)]
            locked_out = self.log_in(password="right")
            another_name = self.log_in(name="grace@example.com")
            another_address = self.log_in(password="right", address="192.0.2.2")

        self.assertEqual(answers, [200] * 9 + [429])
        self.assertContains(locked_out, "15", status_code=429)
        self.assertEqual(another_name.status_code, 200)
        self.assertEqual(another_address.status_code, 302)
