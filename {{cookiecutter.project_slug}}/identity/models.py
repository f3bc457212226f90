from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """The site's own user. Adding one later is hard, so it is here from the first day."""
