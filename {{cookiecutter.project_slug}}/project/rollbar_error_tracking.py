"""What is sent to Rollbar, whose own middleware sends forms, headers and the values of variables.

What you send by hand, such as rollbar.report_message("…"), is sent as it is.
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
        rollbar.events.add_exception_info_handler(limit_exception)
        rollbar.events.add_message_handler(limit_message)
        rollbar.events.add_payload_handler(scrub_item)

    def report(self, error, extra, request):
        payload = {"request": request, "context": request["url"][1:]} if request else {}
        exc_info = (type(error), error, error.__traceback__)
        rollbar.report_exc_info(exc_info, extra_data=extra, payload_data=payload)


def limit_exception(exc_info, **kwargs):
    """Return the exception, or False if it may not be sent."""
    return errors.may_send(exc_info[1]) and exc_info


def limit_message(message, **kwargs):
    """Return the message, shortened, or False if it may not be sent."""
    return errors.may_send(Exception()) and str(message)[: errors.LONGEST_TEXT]


def scrub_item(payload, **kwargs):
    """Remove the token, which a header has, and the command line.

    Drop a failsafe item, which the client sends after a rejected one: the log says so already.
    """
    payload.pop("access_token", None)
    payload["data"].get("server", {}).pop("argv", None)
    return "failsafe" not in payload["data"] and payload


def in_one_line(record):
    """Shorten to a line what Rollbar's client logs about an item that was not sent."""
    record.msg, record.args = record.getMessage().partition("\n")[0], None
    record.exc_info = record.exc_text = None
    return not record.msg.startswith(("Could not decode", "Exception while posting item Api"))


def endpoint(text):
    """Return ROLLBAR_ENDPOINT without item/, which Heroku's add-on appends."""
    if not re.match(r"https?://\w", text):
        raise Problem(f"is not an address such as {ENDPOINT}")
    return text.partition("/api/1")[0] + "/api/1/"


def status(config):
    """Return, for the log, whether errors are reported, and if not, why; `config` is ROLLBAR."""
    if not config["enabled"]:
        return "off, as ROLLBAR_ENABLED says"
    if not config["access_token"]:
        return "off: ROLLBAR_ACCESS_TOKEN is not set"
    return f"on: Rollbar, {config['environment']}"


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
            "Rollbar is sent forms, headers and local variables, which may contain secrets.",
            'Set "locals": {"enabled": False} in ROLLBAR. Remove rollbar from MIDDLEWARE.',
            id="deploy.E036",
        )
