from django.conf import settings
from django.test import TestCase
from django.utils.html import escape


class HomeTests(TestCase):
    def test_home_page_shows_the_site_name(self):
        response = self.client.get("/")

        self.assertContains(response, escape(settings.SITE_NAME))
