from django.contrib.auth import forms

from identity.models import User


class UserCreationForm(forms.UserCreationForm):
    """A sign-up form. Django's own saves to auth.User, which this site has replaced."""

    class Meta(forms.UserCreationForm.Meta):
        model = User
        fields = [User.USERNAME_FIELD]
