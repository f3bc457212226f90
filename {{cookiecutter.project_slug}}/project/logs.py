import logging
import random
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar, copy_context
from types import MethodType

# What routers send; a client may send anything.
ID = re.compile(r"[\w+/=.:-]{1,200}", re.ASCII)

request_id = ContextVar("request_id", default="")
logger = logging.getLogger("project")


def set_request_id(text):
    """Set the request ID of the lines to come: the router's, or a new one. Return it."""
    request_id.set(text if ID.fullmatch(text) else f"{random.getrandbits(128):032x}")
    return request_id.get()


def watch_threads():
    """Make threads log their errors, and the ID of the request that starts them."""
    start, submit = threading.Thread.start, ThreadPoolExecutor.submit

    def start_in_context(self):
        context, run = copy_context(), self.run
        self.run = MethodType(lambda self: context.run(run), self)  # other wrappers want a method
        start(self)

    def submit_in_context(self, fn, /, *args, **kwargs):
        return submit(self, copy_context().run, fn, *args, **kwargs)

    threading.Thread.start, ThreadPoolExecutor.submit = start_in_context, submit_in_context
    if threading.excepthook is threading.__excepthook__:  # pytest has its own
        threading.excepthook = log_crash


def log_crash(args):
    """Log the exception that ended a thread: a threading.excepthook."""
    if args.exc_type is not SystemExit:
        logger.error("Thread %s failed", args.thread and args.thread.name, exc_info=args[:3])


class Formatter(logging.Formatter):
    """Adds the request ID, and makes sure that no text can look like another record."""

    def format(self, record):
        record.request_id = f"[{request_id.get()}] " if request_id.get() else ""
        text = super().format(record).replace("\n", "\n  ")
        return "".join(it if it.isprintable() or it in "\n\t" else ascii(it)[1:-1] for it in text)


def without_csp_reports(record):
    """Return whether to log a request to runserver: not if it is a CSP report."""
    return "/csp-report/" not in record.getMessage()
