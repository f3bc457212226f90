import unicodedata

from axes.backends import AxesStandaloneBackend
from django.contrib.auth.backends import ModelBackend


class Backend(AxesStandaloneBackend, ModelBackend):
    """Django's backend with login rate limiting in front.

    As one backend, not two: with two, login(request, user) needs to be told which.
    """

    def authenticate(self, request, **credentials):
        super().authenticate(request, **credentials)  # raises PermissionDenied
        return ModelBackend.authenticate(self, request, **credentials)


def username(request, credentials):
    """Return the name that failed logins are counted by, whatever a login form calls it.

    A form that logs users in by e-mail has it in `email`, allauth's in `login`. Spellings that
    a login may treat as equal count as one.
    """
    fields = credentials or request.POST
    name = next((fields[key] for key in ("username", "email", "login") if fields.get(key)), "")
    return unicodedata.normalize("NFKC", name).strip().casefold()[:150]


def client_address(request):
    """Return the address that a login comes from.

    Each proxy adds to X-Forwarded-For the address that it sees, at the end. The last is the
    platform's router's word (Heroku's; see what yours says); the client may have written the rest.
    """
    forwarded = request.META.get("HTTP_X_FORWARDED_FOR", "")
    return forwarded.rpartition(",")[2].strip() or request.META.get("REMOTE_ADDR")
