from django.contrib.auth.models import AbstractUser


class User(AbstractUser):
    """The site's own user model. To replace auth.User later is hard, so it is here already."""
