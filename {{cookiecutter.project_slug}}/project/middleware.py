from django.db import OperationalError, connection
from django.http import HttpResponse


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


def policies(get_response):
    """Set the two security headers that Django has no setting for."""

    def middleware(request):
        response = get_response(request)
        # Other sites may link to this one's files, but not use them.
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault(
            "Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"
        )
        return response

    return middleware
