import unicodedata
from datetime import timedelta
from ipaddress import IPv6Address, IPv6Network, ip_address

from axes.attempts import get_cool_off_threshold
from axes.backends import AxesStandaloneBackend
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.db.models import Q, Sum
from django.utils import timezone

REMEMBERED = timedelta(days=30)


class Backend(AxesStandaloneBackend, ModelBackend):
    """Django's backend with login rate limiting in front.

    As one backend, not two: with two, login(request, user) needs to be told which.
    """

    def authenticate(self, request, **credentials):
        super().authenticate(request, **credentials)  # raises PermissionDenied
        return ModelBackend.authenticate(self, request, **credentials)


class Handler(AxesDatabaseHandler):
    """Counts failures for a name from an address and, against a new name each time, for an address.

    Many people may share an address: whoever has logged in from it before is counted by name only.
    """

    def get_failures(self, request, credentials=None):
        """Return the failures that AXES_FAILURE_LIMIT is held against."""
        failures = super().get_failures(request, credentials)
        address = forwarded_address(request)
        if settings.PROXY_COUNT < 1 or not address:  # it may be that of a proxy, and so everybody's
            return failures
        recent = AccessAttempt.objects.filter(
            ip_address=address, attempt_time__gt=get_cool_off_threshold(request)
        )
        of_address = recent.aggregate(total=Sum("failures_since_start"))["total"] or 0
        name = username(request, credentials)
        if of_address < settings.ADDRESS_FAILURE_LIMIT or AccessLog.objects.filter(
            username=name, ip_address=address
        ):
            return failures
        return max(failures, settings.AXES_FAILURE_LIMIT)

    def user_logged_in(self, sender, request, user, **kwargs):
        """Remember for a month that this name has logged in from this address."""
        super().user_logged_in(sender, request=request, user=user, **kwargs)
        address = client_address(request)
        # As the form calls the user, and as the model does: the one may be an e-mail address.
        names = {username(request, None), username(request, {"username": user.get_username()})}
        AccessLog.objects.filter(
            Q(username__in=names, ip_address=address)
            | Q(attempt_time__lt=timezone.now() - REMEMBERED)
        ).delete()
        AccessLog.objects.bulk_create(
            AccessLog(username=name, ip_address=address) for name in names if name
        )


def username(request, credentials):
    """Return the name that failed logins are counted by, whatever a login form calls it.

    A form that logs users in by e-mail has it in `email`, allauth's in `login`. Spellings that
    a login may treat as equal count as one.
    """
    fields = credentials or request.POST
    name = next((fields[key] for key in ("username", "email", "login") if fields.get(key)), "")
    return unicodedata.normalize("NFKC", name).strip().casefold()[:150]


def client_address(request):
    """Return the address that a login comes from, or None behind a socket without a name."""
    return forwarded_address(request) or fold(request.META.get("REMOTE_ADDR", ""))


def forwarded_address(request):
    """Return the visitor's address as the proxies in front of the site say, or None.

    Each adds to X-Forwarded-For the address that it sees, at the end; what comes before those, the
    visitor may have written.
    """
    entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return fold(entries[-max(1, settings.PROXY_COUNT) :][0])


def fold(text):
    """Return an IP address in one spelling for each visitor, or None where `text` is none.

    A port goes (Azure adds one), and IPv4 within IPv6. Of an IPv6 address the first 64 bits count:
    a visitor has all the others, https://datatracker.ietf.org/doc/html/rfc6177.
    """
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    address = getattr(address, "ipv4_mapped", None) or address
    if isinstance(address, IPv6Address):
        address = IPv6Network((address.packed, 64), strict=False).network_address
    return str(address)
