import errno
import logging
import time
from contextlib import suppress

from django.conf import settings
from django.db import OperationalError, connection
from django.http import HttpResponse, StreamingHttpResponse
from django.middleware.csp import get_nonce
from django.utils.csp import build_policy

logger = logging.getLogger(__name__)


def crashes(get_response):
    """Log what Django does not catch: sys.exit(), and errors in streamed responses."""

    def middleware(request):
        try:
            response = get_response(request)
        except SystemExit as error:  # it would stop the worker and drop all its requests
            raise RuntimeError("sys.exit() was called during a request") from error
        if response.streaming and not response.is_async and not hasattr(response, "file_to_stream"):
            response.streaming_content = log_stream_errors(request, response.streaming_content)
        return response

    return middleware


def log_stream_errors(request, content):
    """Yield the parts of a streamed response. If one fails, log it and close the connection."""
    try:
        yield from content
    except Exception as error:
        logger.exception("A streamed response failed", extra={"request": request})
        # gunicorn logs no second traceback for this one.
        raise BrokenPipeError(errno.EPIPE, "A streamed response failed") from error


def health(get_response):
    """Respond to /healthz and /readyz over http, for any host. /readyz queries the database."""

    def middleware(request):
        if request.path not in ("/healthz", "/readyz"):
            return get_response(request)
        try:
            if request.path == "/readyz":
                connection.cursor().execute("SELECT 1")
        except OperationalError:
            return HttpResponse("no database", content_type="text/plain", status=503)
        return HttpResponse("ok", content_type="text/plain")

    return middleware


def security_headers(get_response):
    """Set two headers for which Django has no setting, and the CSP of most responses."""
    policy = build_policy(settings.SECURE_CSP or {})
    permissions = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

    def middleware(request):
        response = get_response(request)
        # Other sites may link to files of this one, but not embed them.
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", permissions)
        # Django builds the CSP for each response. Only a nonce and csp_override need that.
        if policy and not get_nonce(request) and not hasattr(response, "_csp_config"):
            response.headers.setdefault("Content-Security-Policy", policy)
        return response

    return middleware


def body_limit(get_response):
    """Reject a body of more than MAX_BODY_SIZE bytes before it is read."""
    text = b"The request is larger than this site allows."

    def rejected(request):
        # Most clients and routers read a response only after they have sent everything.
        yield text
        until = time.monotonic() + 20
        with suppress(OSError):
            while time.monotonic() < until and request.read(65536):
                pass

    def middleware(request):
        length = request.META.get("CONTENT_LENGTH") or "0"
        if not length.isdecimal() or int(length) <= settings.MAX_BODY_SIZE:
            return get_response(request)
        headers = {"Content-Length": len(text), "Content-Type": "text/plain"}
        return StreamingHttpResponse(rejected(request), status=413, headers=headers)

    return middleware
