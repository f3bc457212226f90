from django.contrib.auth import get_user_model


def make_user(password="right", **fields):
    """Create a user, whatever the user model calls the name that users log in with."""
    model = get_user_model()
    user = model(**{model.USERNAME_FIELD: "ada@example.com"}, **fields)
    user.is_active = True
    user.set_password(password)
    user.save()
    return user
