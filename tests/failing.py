"""Views and middleware that fail, for a generated site; failing_site.py puts them in.

A tracker may be told these lines, so the secrets that they handle do not stand in them. Nothing is
done with most variables: they are there to be seen.
"""

# ruff: noqa: B904, F841

import json
import logging
import os
import sys
import traceback
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import connection
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

SECRETS = json.loads((settings.BASE_DIR / "secrets.json").read_text())
logger = logging.getLogger(__name__)


@dataclass
class Card:
    number: str


def log_in(request):
    user = get_user_model().objects.create(
        username=SECRETS["user name"], email=SECRETS["email"], last_name=SECRETS["last name"]
    )
    login(request, user)
    request.session["basket"] = SECRETS["session data"]
    return HttpResponse()


def find_payment(reference, *args, fallback=SECRETS["default"], **kwargs):
    in_cause = SECRETS["local of a cause"]
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s\nFROM nowhere", [SECRETS["SQL parameter"]])


def refund(customer):
    in_chain = [SECRETS["local in a chain"]]
    try:
        find_payment(SECRETS["argument"], SECRETS["one of *args"], word=SECRETS["one of **kwargs"])
    except Exception as error:
        raise LookupError("no such payment") from error


@csrf_exempt
def tell(request, token):
    """Fail with a secret in everything that a tracker's client might look at."""
    request.api_key = SECRETS["request attribute"]
    user = [str(request.user), request.user.email, request.user.last_name]
    session = dict(request.session)
    local = SECRETS["local"]
    password = SECRETS["local password"]
    nested = {"customer": {"password": SECRETS["nested password"], "name": SECRETS["nested"]}}
    listed = [SECRETS["in a list"], (SECRETS["in a tuple"],), {SECRETS["in a set"]}]
    encoded = SECRETS["bytes"].encode()
    card = Card(SECRETS["object"])
    from_environment = os.environ["PAYMENT_KEY"]
    configured = [settings.SECRET_KEY, settings.DATABASES["default"]["PASSWORD"]]
    is_json = request.content_type == "application/json"
    sent = json.loads(request.body) if is_json else request.POST.dict()
    uploads = [(file.name, file.read()) for file in request.FILES.values()]
    logger.warning("A card: %s", SECRETS["logged warning"])
    logger.error("A card: %s", SECRETS["logged error"])
    try:
        refund(nested)
    except LookupError:
        raise RuntimeError("told")


def crash(request, token):
    raise RuntimeError("crash in view")


def denied(request):
    raise PermissionDenied("denied")


def missing(request):
    raise Http404("missing")


def suspicious(request):
    raise SuspiciousOperation("suspicious")


def stack(request):
    """Show the files that a request comes through on its way to a view."""
    return HttpResponse("\n".join(frame.filename for frame in traceback.extract_stack()))


def stream(request):
    """Fail when a part of the answer has been sent."""

    def parts():
        yield "part"
        raise RuntimeError("crash in stream")

    return StreamingHttpResponse(parts())


def leave(request, code):
    sys.exit(code)


class Crashing:
    """Middleware that fails where the visitor wants it to."""

    place = None

    def __init__(self, get_response):
        self.get_response = get_response

    def __call__(self, request):
        if request.headers.get("X-Crash") == self.place:
            raise RuntimeError(f"crash in {self.place}")
        return self.get_response(request)


class First(Crashing):
    place = "first"


class Last(Crashing):
    place = "last"


urlpatterns = [
    path("log-in/", log_in),
    path("tell/<str:token>/", tell),
    path("crash/<str:token>/", crash),
    path("denied/", denied),
    path("missing/", missing),
    path("suspicious/", suspicious),
    path("stack/", stack),
    path("stream/", stream),
    path("leave/<int:code>/", leave),
]
