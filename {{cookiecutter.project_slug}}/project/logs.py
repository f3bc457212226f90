import logging
import random
import re
from contextvars import ContextVar

# What Heroku's router and others write. Longer or with other characters, it is a client's invention.
ID = re.compile(r"[\w+/=.:-]{1,200}", re.ASCII)

request_id = ContextVar("request_id", default="")


def begin(text):
    """Take the id that a router gave a request for the lines to come, or a fresh one; return it."""
    request_id.set(text if ID.fullmatch(text) else f"{random.getrandbits(128):032x}")
    return request_id.get()


class RequestId(logging.Filter):
    """Gives each line the id under which the router knows the request, or a dash."""

    def filter(self, record):
        record.request_id = request_id.get() or "-"
        return True


class Formatter(logging.Formatter):
    """Writes a record so that nothing in it looks like another one, or drives the terminal."""

    def format(self, record):
        text = super().format(record)
        if not text.isprintable():
            text = "".join(
                it if it.isprintable() or it in "\n\t" else ascii(it)[1:-1] for it in text
            )
        return text.replace("\n", "\n  ")


class NoCspReports(logging.Filter):
    """Drops runserver's lines for CSP reports: project/views.py logs what is in them."""

    def filter(self, record):
        return "/csp-report/" not in record.getMessage()
