from django.conf import settings
from django.contrib.auth.models import User
from django.test import TestCase


class SignUpTests(TestCase):
    def test_sign_up_creates_a_user_with_a_profile(self):
        form = {"username": "ada", "email": "ada@example.com", "password1": "a-long-passphrase", "password2": "a-long-passphrase"}

        response = self.client.post("/accounts/sign-up/", form)

        self.assertRedirects(response, "/accounts/profile/")
        self.assertEqual(User.objects.get().profile.photo, "")

    def test_leaves_a_file_open(self):
        open(settings.BASE_DIR / "manage.py").read(1)
