import errno
import logging
import time
from contextlib import suppress

from django.conf import settings
from django.core.signals import got_request_exception
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.middleware.csp import get_nonce
from django.utils.csp import build_policy

logger = logging.getLogger(__name__)


def crashes(get_response):
    """Treat what Django lets pass like every other error: an exit, and what breaks off an answer."""

    def middleware(request):
        try:
            response = get_response(request)
        except SystemExit as error:  # it would end the worker, with all other requests
            raise RuntimeError("sys.exit() was called while a request was answered") from error
        if response.streaming and not response.is_async and not hasattr(response, "file_to_stream"):
            response.streaming_content = watched(request, response.streaming_content)
        return response

    return middleware


def watched(request, content):
    """Yield the parts of an answer; tell of an error in between, and have the connection closed."""
    try:
        yield from content
    except Exception as error:
        got_request_exception.send(None, request=request)
        logger.error("Answer broken off: %s", request.path, exc_info=True)
        # gunicorn closes without a traceback of its own when the client seems to have gone.
        raise BrokenPipeError(errno.EPIPE, "answer broken off") from error


def health(get_response):
    """Answer /healthz, and /readyz where the database does, before hosts and https are looked at.

    Whoever asks is a platform, which often does so by IP address and over http.
    """

    def middleware(request):
        if request.path == "/healthz":
            return HttpResponse("ok", content_type="text/plain")
        if request.path == "/readyz":
            return ready()
        return get_response(request)

    return middleware


def ready():
    """Return 200 where the database answers, else 503."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except OperationalError:
        return HttpResponse("no database", content_type="text/plain", status=503)
    return HttpResponse("ok", content_type="text/plain")


def security_headers(get_response):
    """Set the two security headers that Django has no setting for, and the policy of most pages.

    Django builds a content security policy anew for each answer. Only where a page has used a nonce
    or has a policy of its own, that is needed.
    """
    policy = build_policy(settings.SECURE_CSP or {})

    def middleware(request):
        response = get_response(request)
        # Other sites may link to this one's files, but not use them.
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
        if policy and not get_nonce(request) and not hasattr(response, "_csp_config"):
            response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return middleware


class TooLarge(HttpResponse):
    """The answer to a request whose body is too large. Its rest is thrown away after it is sent.

    Most clients, and most routers, listen to an answer only when they have sent everything.
    """

    status_code = 413
    seconds = 20

    def __init__(self, request):
        self.request = request
        super().__init__("This is larger than the site takes.", content_type="text/plain")

    def close(self):
        until = time.monotonic() + self.seconds
        with suppress(OSError):
            while time.monotonic() < until and self.request.read(65536):
                pass
        super().close()


def body_limit(get_response):
    """Answer 413 to a body of more than MAX_BODY_SIZE bytes, before any of it is read."""

    def middleware(request):
        length = request.META.get("CONTENT_LENGTH") or "0"
        if length.isdecimal() and int(length) > settings.MAX_BODY_SIZE:
            return TooLarge(request)
        return get_response(request)

    return middleware
