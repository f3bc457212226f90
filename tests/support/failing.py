"""Views and middleware that fail. failing_site.py adds them to a generated site.

Source lines may be sent to the error tracker, so they do not contain the secrets. Most
variables are unused: the tests check whether their values are sent.
"""

# ruff: noqa: B904, F841

import json
import logging
import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass

from django.conf import settings
from django.contrib.auth import get_user_model, login
from django.core.exceptions import PermissionDenied, SuspiciousOperation
from django.db import connection
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.tasks import task
from django.urls import path
from django.views.decorators.csrf import csrf_exempt

from application import quoting

with suppress(ImportError):
    import rollbar
with suppress(ImportError):
    import sentry_sdk

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
def fail_with_secrets(request, token):
    """Fail with a secret in each place that a tracker's client might read."""
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


def stream(request):
    """Fail after a part of the response has been sent."""

    def parts():
        yield "part"
        raise RuntimeError("crash in stream")

    return StreamingHttpResponse(parts())


def leave(request, code):
    sys.exit(code)


def by_hand(request):
    """Report an exception and a message with the tracker's client, then raise the exception."""
    try:
        raise RuntimeError("by hand, 'quoted'\nsecond line")
    except RuntimeError:
        if hasattr(settings, "ROLLBAR"):
            rollbar.report_exc_info(extra_data={"order": 3})
            rollbar.report_message("A message by hand", "warning", extra_data={"order": 4})
        else:
            sentry_sdk.capture_exception(extras={"order": 3})
            sentry_sdk.capture_message("A message by hand", "warning", extras={"order": 4})
        raise


def logged(request):
    """Log an exception and warnings, crash in a thread and in a task, and return a response."""
    try:
        raise RuntimeError("crash that is caught")
    except RuntimeError:
        logger.exception("The %s was not charged", "card")
    logger.warning("line in view")
    threads = [threading.Thread(target=it) for it in (warn_in_thread, crash_in_thread)]
    for thread in threads:
        thread.start()
        thread.join()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(logger.warning, "line in pool").result()
    job.enqueue()
    return HttpResponse()


def warn_in_thread():
    logger.warning("line in thread")


def crash_in_thread():
    raise RuntimeError("crash in thread")


@task
def job():
    raise RuntimeError("crash in task")


def quote(request, name):
    getattr(quoting, name)(SECRETS[name])


class Unprintable(Exception):
    def __str__(self):
        raise ValueError("no text")


def large(request, what):
    """Report or raise a text of 5 MB, or raise an exception whose text cannot be computed."""
    if what == "message":
        text = "5 MB: " + 5_000_000 * "x"
        hasattr(settings, "ROLLBAR") and rollbar.report_message(text)
        hasattr(settings, "SENTRY_DSN") and sentry_sdk.capture_message(text)
        return HttpResponse()
    raise RuntimeError(5_000_000 * "x") if what == "exception" else Unprintable


class Crashing:
    """Middleware that fails if the header X-Crash names its place."""

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
    path("tell/<str:token>/", fail_with_secrets),
    path("crash/<str:token>/", crash),
    path("denied/", denied),
    path("missing/", missing),
    path("suspicious/", suspicious),
    path("stream/", stream),
    path("leave/<int:code>/", leave),
    path("by-hand/", by_hand),
    path("logged/", logged),
    path("large/<str:what>/", large),
    path("quote/<str:name>/", quote),
]
