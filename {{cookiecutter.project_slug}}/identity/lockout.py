import unicodedata
from datetime import timedelta
from ipaddress import ip_address, ip_network

from axes.attempts import get_cool_off_threshold
from axes.backends import AxesStandaloneBackend
from axes.handlers.database import AxesDatabaseHandler
from axes.models import AccessAttempt, AccessLog
from django.conf import settings
from django.contrib.auth.backends import ModelBackend
from django.db.models import Q, Sum
from django.utils import timezone


class Backend(AxesStandaloneBackend, ModelBackend):
    """Django's backend with login rate limiting. With two backends, login() needs to name one."""

    def authenticate(self, request, **credentials):
        super().authenticate(request, **credentials)  # raises PermissionDenied
        return ModelBackend.authenticate(self, request, **credentials)


class Handler(AxesDatabaseHandler):
    """Counts failures by name and address, and by address alone.

    Users may share an address: those who have logged in from it are not counted by it alone.
    """

    def get_failures(self, request, credentials=None):
        """Return the failures to compare with AXES_FAILURE_LIMIT."""
        failures = super().get_failures(request, credentials)
        address = forwarded_address(request)
        if settings.PROXY_COUNT < 1 or not address:  # it may be a proxy's, which all share
            return failures
        attempts = AccessAttempt.objects.filter(ip_address=address)
        recent = attempts.filter(attempt_time__gt=get_cool_off_threshold(request))
        of_address = recent.aggregate(total=Sum("failures_since_start"))["total"] or 0
        name = username(request, credentials)
        since = timezone.now() - timedelta(days=30)
        logins = AccessLog.objects.filter(username=name, ip_address=address, attempt_time__gt=since)
        if of_address < settings.ADDRESS_FAILURE_LIMIT or logins.exists():
            return failures
        return max(failures, settings.AXES_FAILURE_LIMIT)

    def user_logged_in(self, sender, request, user, **kwargs):
        """Remember for 30 days that this name has logged in from this address."""
        super().user_logged_in(sender, request=request, user=user, **kwargs)
        address = client_address(request)
        # The form may have an e-mail address, and the model a user name.
        names = {username(request, None), username(request, {"username": user.get_username()})}
        expired = Q(attempt_time__lt=timezone.now() - timedelta(days=30))
        AccessLog.objects.filter(expired | Q(username__in=names, ip_address=address)).delete()
        for name in filter(None, names):
            AccessLog.objects.create(username=name, ip_address=address)


def username(request, credentials):
    """Return the name to count failed logins by, the same for spellings that may be equal."""
    fields = credentials or request.POST  # allauth's form has `login`
    name = fields.get("username") or fields.get("email") or fields.get("login") or ""
    return unicodedata.normalize("NFKC", name).strip().casefold()[:150]


def client_address(request):
    """Return the address of the client or the last proxy, or None behind a Unix socket."""
    return forwarded_address(request) or normalize_address(request.META.get("REMOTE_ADDR", ""))


def forwarded_address(request):
    """Return the client's address from ADDRESS_HEADER, or None."""
    entries = request.META.get(settings.ADDRESS_HEADER, "").split(",")
    # Each proxy appends the address that it sees. The entries before may be forged.
    return normalize_address(entries[-max(1, settings.PROXY_COUNT) :][0])


def normalize_address(text):
    """Return an IP address without a port, or None; of IPv6, the /64 network (RFC 6177)."""
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
    bits = 64 if address.version == 6 else 32
    return str(ip_network((address.packed, bits), strict=False).network_address)
