from django.conf import settings
from django.contrib.auth import get_user_model
from django.test import TestCase
from django.utils.html import escape


class HomeTests(TestCase):
    def test_anybody_is_welcome(self):
        response = self.client.get("/")

        self.assertContains(response, escape(settings.SITE_NAME))


class BoomTests(TestCase):
    def log_in(self, **kwargs):
        self.client.force_login(get_user_model().objects.create_user("ada", **kwargs))

    def test_staff_see_it_fail(self):
        self.log_in(is_staff=True)

        with self.assertLogs("django.request"), self.assertRaisesMessage(RuntimeError, "Boom!"):
            self.client.get("/boom/")

    def test_others_are_sent_to_the_login(self):
        self.log_in()

        response = self.client.get("/boom/")

        self.assertRedirects(response, "/admin/login/?next=/boom/")

    def test_visitors_are_sent_to_the_login(self):
        response = self.client.get("/boom/")

        self.assertRedirects(response, "/admin/login/?next=/boom/")
