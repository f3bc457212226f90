"""What is sent to Sentry, which by default gets forms, headers and the values of variables.

What you send by hand, such as sentry_sdk.capture_message("…"), is sent with its text and `extra`.
"""

import logging
import os
from contextvars import Context

import sentry_sdk
from django.conf import settings
from django.core.checks import Error, register
from sentry_sdk.integrations.atexit import AtexitIntegration
from sentry_sdk.transport import HttpTransport
from sentry_sdk.utils import BadDsn, Dsn

from project import errors
from project.environment import Problem

logger = logging.getLogger(__name__)

# The parts of an event that are sent.
EVENT = "environment event_id exception extra fingerprint level logentry message platform".split()
EVENT += "release request sdk server_name tags timestamp transaction transaction_info".split()


class Handler(errors.Handler):
    """Starts Sentry's client, if it is on, and reports to it."""

    client = "sentry_sdk"

    def __init__(self):
        super().__init__()
        if not settings.ERROR_TRACKING.startswith("on"):
            return
        sentry_sdk.init(
            dsn=settings.SENTRY_DSN,
            environment=settings.SENTRY_ENVIRONMENT,
            release=os.environ.get("HEROKU_BUILD_COMMIT") or os.environ.get("HEROKU_SLUG_COMMIT"),
            before_send=scrub_event,
            transport=Transport,
            auto_session_tracking=False,
            send_client_reports=False,
            # The one for Django doubles the CPU of an empty response; the handler replaces the others.
            default_integrations=False,
            auto_enabling_integrations=False,
            integrations=[AtexitIntegration(callback=warn_unsent_events)],
            data_collection={"stack_frame_variables": False},
        )
        # Each try is a line. Transport logs one for all.
        pool = logging.getLogger("urllib3.connectionpool")
        pool.addFilter(lambda record: "/envelope/" not in record.getMessage())

    def report(self, error, extra, request):
        error.request_payload = request
        tags = {"request_id": extra.pop("request_id")}
        sentry_sdk.capture_exception(error, extras=extra, tags=tags)


class Transport(HttpTransport):
    """Logs a line about each event that is not sent, outside the context of a request."""

    def on_dropped_event(self, reason):
        Context().run(logger.warning, "An error was not sent to Sentry: %s", reason)


def warn_unsent_events(pending, timeout):
    """Log in one line that events may be lost at exit; the client prints three."""
    logger.warning("The last errors may not have reached Sentry")


def scrub_event(event, hint):
    """Return the part of an event that may be sent, or None if the event may not be sent."""
    error = hint.get("exc_info", (None, None))[1] or Exception()
    if not errors.may_send(error):
        return None
    if event.get("message"):
        event["message"] = event["message"][: errors.LONGEST_TEXT]
    event["request"] = request = getattr(error, "request_payload", None)
    if request:
        event |= {"transaction": request["url"][1:], "transaction_info": {"source": "route"}}
    return {name: event[name] for name in EVENT if event.get(name)}


def dsn(text):
    """Return SENTRY_DSN, if it is one."""
    try:
        Dsn(text)
    except BadDsn:
        raise Problem("is not a DSN such as https://key@o1.ingest.sentry.io/2") from None
    return text


def status(enabled, dsn, environment):
    """Return, for the log, whether errors are reported, and if not, why."""
    if not enabled:
        return "off, as SENTRY_ENABLED says"
    return f"on: Sentry, {environment}" if dsn else "off: SENTRY_DSN is not set"


@register(deploy=True)
def check(app_configs, **kwargs):
    is_example = not settings.SENTRY_DSN or "//your-key@" in settings.SENTRY_DSN
    if settings.SENTRY_ENABLED and is_example:
        yield Error(
            "SENTRY_DSN is not set, or is the example of README.md.",
            "heroku config:set SENTRY_DSN=… (the DSN of your project), or SENTRY_ENABLED=False.",
            id="deploy.E017",
        )
    options = sentry_sdk.get_client().options
    if options.get("dsn") and options["before_send"] is not scrub_event:
        yield Error(
            "Sentry is sent forms, headers and local variables, which may contain secrets.",
            "Remove sentry_sdk.init() from the settings: project.error_tracking starts Sentry.",
            id="deploy.E036",
        )
