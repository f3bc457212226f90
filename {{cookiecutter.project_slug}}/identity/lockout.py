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


class Backend(AxesStandaloneBackend, ModelBackend):
    """Django's backend with login rate limiting: as one, login(request, user) knows which."""

    def authenticate(self, request, **credentials):
        super().authenticate(request, **credentials)  # raises PermissionDenied
        return ModelBackend.authenticate(self, request, **credentials)


class Handler(AxesDatabaseHandler):
    """Counts failures for a name from an address, and for an address alone.

    Many users may share an address: those who have logged in from it are counted by name only.
    """

    def get_failures(self, request, credentials=None):
        """Return the failures to compare with AXES_FAILURE_LIMIT."""
        failures = super().get_failures(request, credentials)
        address = forwarded_address(request)
        if settings.PROXY_COUNT < 1 or not address:  # it may be a proxy's, and so everybody's
            return failures
        recent = AccessAttempt.objects.filter(
            ip_address=address, attempt_time__gt=get_cool_off_threshold(request)
        )
        of_address = recent.aggregate(total=Sum("failures_since_start"))["total"] or 0
        name = username(request, credentials)
        is_known = AccessLog.objects.filter(username=name, ip_address=address)
        if of_address < settings.ADDRESS_FAILURE_LIMIT or is_known:
            return failures
        return max(failures, settings.AXES_FAILURE_LIMIT)

    def user_logged_in(self, sender, request, user, **kwargs):
        """Remember for a month that this name has logged in from this address."""
        super().user_logged_in(sender, request=request, user=user, **kwargs)
        address = client_address(request)
        # The name in the form, and the model's: the one may be an e-mail address.
        names = {username(request, None), username(request, {"username": user.get_username()})}
        AccessLog.objects.filter(
            Q(username__in=names, ip_address=address)
            | Q(attempt_time__lt=timezone.now() - timedelta(days=30))
        ).delete()
        AccessLog.objects.bulk_create(
            AccessLog(username=name, ip_address=address) for name in names if name
        )


def username(request, credentials):
    """Return the name to count failed logins by; spellings that may be equal count as one.

    Forms that log users in by e-mail have it in `email`, allauth's in `login`.
    """
    fields = credentials or request.POST
    name = next((fields[key] for key in ("username", "email", "login") if fields.get(key)), "")
    return unicodedata.normalize("NFKC", name).strip().casefold()[:150]


def client_address(request):
    """Return the address that a login comes from, or None behind a Unix socket."""
    return forwarded_address(request) or normalize_address(request.META.get("REMOTE_ADDR", ""))


def forwarded_address(request):
    """Return the client's address from X-Forwarded-For, or None.

    Each proxy appends the address that it sees; the client may have sent the entries before.
    """
    entries = request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")
    return normalize_address(entries[-max(1, settings.PROXY_COUNT) :][0])


def normalize_address(text):
    """Return an IP address without port, or None: IPv4 out of IPv6, and IPv6 by its /64 network.

    A client has all addresses of that: https://datatracker.ietf.org/doc/html/rfc6177.
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
