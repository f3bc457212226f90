"""gunicorn's settings, except those on the Procfile's web line."""

import gc
import os
import resource
import socket
import struct
import sys
import warnings
from functools import partial

from gunicorn import glogging, util
from gunicorn.workers import gthread

from project.logs import Formatter

# Seconds after which a client that sends or reads nothing is disconnected.
IDLE_TIMEOUT = 10

# Threads: while one waits for a slow client or the database, the others respond.
worker_class = "gthread"
threads = 4

# gunicorn has no settings for these two.
if hasattr(gthread, "DEFAULT_WORKER_DATA_TIMEOUT") and hasattr(util, "close_graceful"):
    # Seconds that a thread waits for the first byte of a request. With gunicorn's 5, fifty idle
    # connections block all threads for half a minute: github.com/benoitc/gunicorn/pull/3635
    gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.02
    # Seconds that a whole worker waits for a client to close its end. With gunicorn's 2, twenty
    # clients that stay connected stop the site for 28.
    util.close_graceful = partial(util.close_graceful, timeout=0.001)
else:
    warnings.warn("gunicorn has changed: see gunicorn.conf.py.", RuntimeWarning, stacklevel=1)

# An idle connection takes no thread, but an open file.
worker_connections = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 10_000) - 64

# More than the 90 seconds of Heroku's router: if gunicorn closes first, it may drop a request.
keepalive = 95

# Heroku kills 30 seconds after SIGTERM: in-flight requests are finished or dropped before.
graceful_timeout = 20
# For a worker whose main thread hangs. It does not end slow requests.
timeout = 20

# The application is loaded once: two workers use a fifth less memory.
preload_app = True

# A queue for each worker; without it, one worker may get all kept connections. The drawback: a
# worker that stops resets the connections in its queue, so nothing recycles workers here.
reuse_port = True

# The control socket is a file in the home folder, which may be read-only.
control_socket_disable = True

# Only X-Forwarded-Proto is trusted, which the router sets.
forwarder_headers = ""
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}

# Heroku's buildpack turns this log on, although the router logs requests.
access_log_format = "%(m)s %(U)s %(s)s %(M)sms request_id=%({http_x_request_id}e)s"


class Logger(glogging.Logger):
    """gunicorn's log, with project.logs.Formatter."""

    def setup(self, cfg):
        super().setup(cfg)
        for log, fmt in ((self.error_log, self.error_fmt), (self.access_log, self.access_fmt)):
            for handler in log.handlers:
                handler.setFormatter(Formatter(fmt, self.datefmt))

    def atoms(self, resp, req, environ, request_time):
        """Log the path as it was sent; gunicorn decodes it."""
        path = environ["RAW_URI"].partition("?")[0]
        return super().atoms(resp, req, environ, request_time) | {"U": path}

    def exception(self, *args, **kwargs):
        """Log a client's timeout in one line, without a traceback."""
        if isinstance(sys.exc_info()[1], BlockingIOError | TimeoutError):
            self.warning("A slow or idle client was disconnected")
        else:
            super().exception(*args, **kwargs)


logger_class = Logger


def when_ready(server):
    """Warn that WEB_CONCURRENCY, if set by hand, has no effect with --workers."""
    workers = str(server.cfg.workers)
    wanted = os.environ.get("WEB_CONCURRENCY") or workers
    if wanted != workers and "WEB_CONCURRENCY_SET_BY" not in os.environ:
        has_no_effect = "WEB_CONCURRENCY=%s has no effect: the Procfile says --workers %s"
        server.log.warning(has_no_effect, wanted, workers)


def pre_fork(server, worker):
    """Keep the garbage collector off shared memory, which it would copy to each worker."""
    gc.freeze()


def post_fork(server, worker):
    """Set IDLE_TIMEOUT on the listeners: connections inherit it."""
    seconds = struct.pack("ll", IDLE_TIMEOUT, 0)
    for listener in worker.sockets:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, seconds)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # in milliseconds; not on macOS
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * IDLE_TIMEOUT)
