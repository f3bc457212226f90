from django.contrib.auth.models import User
from django.test import TestCase

from blog.models import Post


class PostTests(TestCase):
    def setUp(self):
        self.ada = User.objects.create_user("ada", password="a-long-and-boring-passphrase")

    def test_posts_are_listed(self):
        post = Post.objects.create(author=self.ada, title="First", body="Hello.")

        self.assertContains(self.client.get("/blog/"), "First")
        self.assertContains(self.client.get(post.get_absolute_url()), "by ada")
        self.assertContains(self.client.get("/blog/by/ada/"), "First")

    def test_anonymous_users_are_sent_to_the_login(self):
        response = self.client.get("/blog/new/")

        self.assertRedirects(response, "/accounts/login/?next=/blog/new/")

    def test_a_post_is_its_writers(self):
        self.client.login(username="ada", password="a-long-and-boring-passphrase")

        self.client.post("/blog/new/", {"title": "Second", "body": "Hello again."})

        self.assertEqual(Post.objects.get().author, self.ada)
