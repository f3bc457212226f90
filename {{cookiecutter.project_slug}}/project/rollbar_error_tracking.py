"""What is sent to Rollbar: no request, no variables, and of exceptions what project/errors.py allows.

Rollbar's own middleware sends forms, headers and variables, except where a name looks like a
secret. What you send by hand, such as rollbar.report_message("…"), is sent as it is.
"""

import re

import rollbar
from django.conf import settings
from django.core.checks import Error, register

from project import errors
from project.environment import Problem

ENDPOINT = "https://api.rollbar.com/api/1/"


class Handler(errors.Handler):
    """Starts Rollbar's client, and reports to it."""

    client = "rollbar"

    def __init__(self):
        super().__init__()
        is_on = status(settings.ROLLBAR).startswith("on")
        rollbar.init(**settings.ROLLBAR | {"enabled": is_on, "suppress_reinit_warning": True})
        rollbar.events.add_exception_info_handler(mark)
        rollbar.events.add_payload_handler(scrub_item)

    def report(self, error, extra, request):
        payload = {"request": request, "context": request["url"][1:]} if request else {}
        exc_info = (type(error), error, error.__traceback__)
        rollbar.report_exc_info(exc_info, extra_data=extra, payload_data=payload)


def mark(exc_info, **kwargs):
    """Mark an exception that was reported by hand, so that its crash is not reported again."""
    exc_info[1].is_reported = True
    return exc_info


def scrub_item(payload, **kwargs):
    """Remove the token, which a header has, and the command line; False if it is one too many.

    Or a failsafe, which the client sends when an item is rejected: the log has a line about that.
    """
    body = payload["data"]["body"]
    if "failsafe" in payload["data"] or not errors.count(kind_of(body)):
        return False
    payload.pop("access_token", None)
    payload["data"].get("server", {}).pop("argv", None)
    if "message" in body:
        body["message"]["body"] = str(body["message"]["body"])[: errors.LONGEST_TEXT]
    return payload


def kind_of(body):
    """Return the errors.kind_of() an item's exception; all messages are of one kind."""
    trace = body.get("trace") or body.get("trace_chain", [None])[0]
    if not trace or not trace["frames"]:
        return None
    last = trace["frames"][-1]
    return trace["exception"]["class"], (last["filename"], last["lineno"])


def in_one_line(record):
    """Shorten what Rollbar's client logs about an item that it could not send; drop repetitions."""
    record.msg, record.args = record.getMessage().partition("\n")[0], None
    record.exc_info = record.exc_text = None
    return not record.msg.startswith(("Could not decode", "Exception while posting item Api"))


def endpoint(text):
    """Return ROLLBAR_ENDPOINT as the client needs it: Heroku's add-on sets the address of an item."""
    if not re.match(r"https?://\w", text):
        raise Problem(f"is not an address such as {ENDPOINT}")
    return text.partition("/api/1")[0] + "/api/1/"


def status(settings):
    """Return, for the log, whether errors are reported, and if not, why; `settings` is ROLLBAR."""
    if not settings["enabled"]:
        return "off, as ROLLBAR_ENABLED says"
    if not settings["access_token"]:
        return "off: ROLLBAR_ACCESS_TOKEN is not set"
    return f"on: Rollbar, {settings['environment']}"


@register(deploy=True)
def check(app_configs, **kwargs):
    if settings.ROLLBAR["enabled"] and settings.ROLLBAR["access_token"] in ("", "your-token"):
        yield Error(
            "ROLLBAR_ACCESS_TOKEN is not set, or is the example of README.md.",
            "heroku config:set ROLLBAR_ACCESS_TOKEN=… (post_server_item), or ROLLBAR_ENABLED=False.",
            id="deploy.E017",
        )
    stock = [it for it in settings.MIDDLEWARE if it.startswith("rollbar.")]
    if stock or settings.ROLLBAR.get("locals", {}).get("enabled", True):
        yield Error(
            "Rollbar is sent forms, headers and the variables of code, with secrets in them.",
            'In ROLLBAR, "locals": {"enabled": False}; in MIDDLEWARE, no middleware of rollbar\'s.',
            id="deploy.E036",
        )
