"""What is sent to the error tracker about an error, and how often."""

import logging
import re
import threading
import time
from collections import defaultdict, deque
from contextlib import suppress
from smtplib import SMTPException
from subprocess import SubprocessError
from traceback import walk_tb

from django.conf import settings
from django.core.checks import Error, register
from django.core.exceptions import ValidationError
from django.core.signing import BadSignature
from django.db import DatabaseError, DataError
from django.template import VariableDoesNotExist
from django.urls import NoReverseMatch, resolve

from project import logs
from project.checks import is_own

HEADERS = ["accept", "content-length", "content-type", "user-agent"]
ITEMS_A_MINUTE = 30  # of each kind of error, and of each process
LONGEST_TEXT = 10_000  # both trackers reject larger items
# What these exceptions quote in their text: data of a user, a row, a template, a command or a URL.
DATA = {
    (DataError, ValidationError, ValueError): """['"“{].*""",
    (BadSignature, SMTPException, SubprocessError): """['"“{].*""",
    NoReverseMatch: " with (keyword )?arguments .*",
    VariableDoesNotExist: r" in \[.*",
    Exception: r"(?<=\?)\S+|(?<=//)[^\s/@]+@",
}

sent = defaultdict(lambda: deque(maxlen=ITEMS_A_MINUTE))
lock = threading.Lock()


class Handler(logging.Handler):
    """Reports each error that is logged with its traceback, once, by report() of a subclass."""

    def __init__(self):
        super().__init__(logging.ERROR)

    def emit(self, record):
        error = record.exc_info[1] if record.exc_info else None
        if error is None or hasattr(error, "is_reported") or record.name.startswith(self.client):
            return
        if getattr(record, "status_code", 500) < 500 or not may_send(error):
            return
        extra = {"logger": record.name, "request_id": logs.request_id.get()}
        if is_own(record.pathname):  # the messages of packages may contain data
            extra["log_message"] = record.getMessage()[:LONGEST_TEXT]
        request = getattr(record, "request", None)
        self.report(scrubbed(error), extra, request and request_payload(request))


def may_send(error):
    """Return whether an error may be sent now, and count it; a message counts as Exception()."""
    if hasattr(error, "is_scrubbed"):  # the handler has counted the original
        return True
    places = [(frame.f_code.co_filename, line) for frame, line in walk_tb(error.__traceback__)]
    kind = type(error).__name__, *places[-1:]  # so a burst of one error does not hide another
    with lock:
        times = sent[kind]
        if len(times) == ITEMS_A_MINUTE and time.monotonic() - times[0] < 60:
            return False
        times.append(time.monotonic())
    error.is_reported = True
    return True


def scrubbed(error, depth=5):
    """Return a copy of an exception and its causes, with the text that may be sent."""
    cause = error.__cause__ or getattr(error, "exceptions", [None])[0]
    if isinstance(error, DatabaseError):  # caused by the driver's, which has the same text
        cause = None
    elif cause is None and not error.__suppress_context__:
        cause = error.__context__
    kind = type(error)
    names = {"__module__": kind.__module__, "__qualname__": kind.__qualname__, "is_scrubbed": True}
    copy = type(kind.__name__, (Exception,), names)(scrubbed_text(error))
    copy.__cause__ = scrubbed(cause, depth - 1) if cause and depth else None
    return copy.with_traceback(error.__traceback__)


def scrubbed_text(error):
    """Return the first line of an exception's text, without the data that it quotes."""
    try:
        text = str(error)
    except Exception:
        return "(its __str__ fails)"
    if settings.ERROR_TRACKING_FULL_TEXT:
        return text[:LONGEST_TEXT]
    text = text.strip().partition("\n")[0]  # the others are often a row of the database
    for kinds, data in DATA.items():
        if isinstance(error, kinds):
            text = re.sub(data, "…", text)
    return text[:200]


def request_payload(request):
    """Return what is sent about a request: its route, for the path may contain a secret."""
    route = "?"
    with suppress(Exception):
        route = (request.resolver_match or resolve(request.path_info)).route
    headers = {name: request.headers[name] for name in HEADERS if name in request.headers}
    return {"method": request.method, "url": f"/{route}", "headers": headers}


@register(deploy=True)
def check(app_configs, **kwargs):
    is_on = settings.ERROR_TRACKING.startswith("on")
    if is_on and not any(isinstance(it, Handler) for it in logging.getLogger().handlers):
        yield Error(
            "The error tracker is on, but its handler is not in LOGGING: no error is reported.",
            'Put "error_tracking" back into the handlers of root.',
            id="deploy.E018",
        )
