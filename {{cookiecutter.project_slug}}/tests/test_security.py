from django.contrib.auth import get_user_model
from django.test import TestCase, override_settings


class HeaderTests(TestCase):
    def test_pages_run_and_show_only_what_is_the_sites_own(self):
        response = self.client.get("/")

        self.assertIn("default-src 'none'", response.headers["Content-Security-Policy"])
        self.assertEqual(response.headers["X-Frame-Options"], "DENY")

    @override_settings(SECURE_SSL_REDIRECT=True)
    def test_http_goes_to_https_unless_the_proxy_says_that_it_was_https(self):
        http = self.client.get("/")
        https = self.client.get("/", headers={"x-forwarded-proto": "https"})

        self.assertEqual((http.status_code, http.url), (301, "https://testserver/"))
        self.assertEqual(https.status_code, 200)


class ErrorPageTests(TestCase):
    def test_a_page_that_is_not_there(self):
        with self.assertLogs("django.request"):
            response = self.client.get("/nothing/")

        self.assertContains(response, "Page not found", status_code=404)

    def test_a_form_that_was_open_for_too_long(self):
        client = self.client_class(enforce_csrf_checks=True)

        with self.assertLogs("django.security.csrf"):
            response = client.post("/admin/login/")

        self.assertContains(response, "Please try again", status_code=403)

    def test_a_crash(self):
        self.client.force_login(get_user_model().objects.create_user("ada", is_staff=True))
        self.client.raise_request_exception = False

        with self.assertLogs("django.request"):
            response = self.client.get("/boom/")

        self.assertContains(response, "Something went wrong", status_code=500)
