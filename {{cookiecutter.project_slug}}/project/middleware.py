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
    """Turn what Django does not catch into logged errors: sys.exit(), and streams that fail."""

    def middleware(request):
        try:
            response = get_response(request)
        except SystemExit as error:  # it would end the worker and all its requests
            raise RuntimeError("sys.exit() was called while a request was answered") from error
        if response.streaming and not response.is_async and not hasattr(response, "file_to_stream"):
            response.streaming_content = watched(request, response.streaming_content)
        return response

    return middleware


def watched(request, content):
    """Yield the parts of a streamed response; log an error, and close the connection."""
    try:
        yield from content
    except Exception as error:
        logger.exception("Response broken off", extra={"request": request})
        # For gunicorn the client has gone: it closes without a traceback of its own.
        raise BrokenPipeError(errno.EPIPE, "response broken off") from error


def health(get_response):
    """Answer /healthz, and /readyz if the database answers.

    Platforms ask by IP address and over http, so this comes before hosts and https are checked.
    """

    def middleware(request):
        if request.path not in ("/healthz", "/readyz"):
            return get_response(request)
        text, status = "ok", 200
        if request.path == "/readyz":
            try:
                with connection.cursor() as cursor:
                    cursor.execute("SELECT 1")
            except OperationalError:
                text, status = "no database", 503
        return HttpResponse(text, content_type="text/plain", status=status)

    return middleware


def security_headers(get_response):
    """Set two headers for which Django has no setting, and the CSP of most responses.

    Django builds the CSP for each response. That is needed only where a nonce or csp_override is.
    """
    policy = build_policy(settings.SECURE_CSP or {})

    def middleware(request):
        response = get_response(request)
        # Other sites may link to files of this one, but not embed them.
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
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
