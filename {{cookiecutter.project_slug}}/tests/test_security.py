from django.contrib.auth import get_user_model
from django.test import TestCase, override_settings


class HeaderTests(TestCase):
    def test_pages_run_and_show_only_what_is_the_sites_own(self):
        response = self.client.get("/")

        self.assertIn("default-src 'none'", response.headers["Content-Security-Policy"])
        self.assertEqual(response.headers["X-Frame-Options"], "DENY")
        self.assertEqual(response.headers["Cross-Origin-Resource-Policy"], "same-origin")
        self.assertIn("camera=()", response.headers["Permissions-Policy"])


class HealthTests(TestCase):
    @override_settings(SECURE_SSL_REDIRECT=True)
    def test_platforms_ask_by_any_name_and_over_http(self):
        for path in ("/healthz", "/readyz"):
            self.assertContains(self.client.get(path, headers={"host": "10.0.0.1"}), "ok")


@override_settings(
    AXES_ENABLED=True,
    PASSWORD_HASHERS=["django.contrib.auth.hashers.MD5PasswordHasher"],  # a good one takes time
)
class LockoutTests(TestCase):
    def log_in(self, name="ada", password="wrong", address="192.0.2.1"):
        return self.client.post(
            "/admin/login/",
            {"username": name, "password": password},
            headers={"x-forwarded-for": address},
        )

    def test_ten_wrong_passwords_close_the_door_to_that_name_from_that_address(self):
        get_user_model().objects.create_superuser("ada", password="right")
        with self.assertLogs():
            answers = [self.log_in(address=f"10.0.0.{n}, 192.0.2.1").status_code for n in range(10)]
            locked_out = self.log_in(password="right")
            another_name = self.log_in(name="grace")
            another_address = self.log_in(password="right", address="192.0.2.2")

        self.assertEqual(answers, [200] * 9 + [429])
        self.assertContains(locked_out, "15 minutes", status_code=429)
        self.assertEqual(another_name.status_code, 200)
        self.assertEqual(another_address.status_code, 302)
