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

# Threads: while one waits for a slow client or for the database, the others answer.
worker_class = "gthread"
threads = 4

# Two protections below change gunicorn's own code: tell when it no longer has that.
if not hasattr(gthread, "DEFAULT_WORKER_DATA_TIMEOUT") or not hasattr(util, "close_graceful"):
    warnings.warn("gunicorn has changed: see gunicorn.conf.py.", RuntimeWarning, stacklevel=1)

# An idle connection takes no thread, but an open file.
worker_connections = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 10_000) - 64

# Seconds that a thread waits for the first byte of a request. With gunicorn's 5, fifty idle
# connections block all threads for half a minute. There is no setting for it yet:
# https://github.com/benoitc/gunicorn/pull/3635
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.02

# Seconds that a worker waits, doing nothing else, for a client to close its end. With gunicorn's 2,
# twenty clients that stay connected stop the site for 28.
if hasattr(util, "close_graceful"):
    util.close_graceful = partial(util.close_graceful, timeout=0.001)

# Seconds of silence after which a client is disconnected, within a request or a response.
SILENCE = 10

# Longer than the 90 seconds that Heroku's router keeps a connection: closed here first, a request
# that is on its way would be lost.
keepalive = 95

# Heroku kills 30 seconds after SIGTERM: requests are finished or dropped before that.
graceful_timeout = 20
# It ends no request: it is for a worker whose main thread hangs.
timeout = 20

# The application is loaded once: two workers take a fifth less memory.
preload_app = True

# A queue for each worker; without it, one worker may get all kept connections. The drawback: a
# worker that stops resets the connections in its queue, so nothing recycles workers here.
reuse_port = True

# The control socket is a file in the home folder, which may be read-only.
control_socket_disable = True

# Clients can send SCRIPT_NAME and other headers for https. Only X-Forwarded-Proto is believed,
# which the router sets.
forwarder_headers = ""
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}

# Heroku's router logs requests. Heroku's buildpack turns this log on all the same.
access_log_format = "%(m)s %(U)s %(s)s %(M)sms request_id=%({http_x_request_id}e)s"


class Logger(glogging.Logger):
    """gunicorn's log, with project.logs.Formatter: no client can write a line of its own."""

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
        """Log a client's silence in one line, without a traceback."""
        if isinstance(sys.exc_info()[1], BlockingIOError | TimeoutError):
            self.warning("A client fell silent, and was disconnected")
        else:
            super().exception(*args, **kwargs)


logger_class = Logger


def when_ready(server):
    """Warn that WEB_CONCURRENCY, if set by hand, has no effect with --workers."""
    wanted = os.environ.get("WEB_CONCURRENCY")
    by_hand = "WEB_CONCURRENCY_SET_BY" not in os.environ
    if wanted and by_hand and wanted != str(server.cfg.workers):
        has_no_effect = "WEB_CONCURRENCY=%s has no effect: the Procfile says --workers %s"
        server.log.warning(has_no_effect, wanted, server.cfg.workers)


def pre_fork(server, worker):
    """Keep the garbage collector off shared memory, which it would copy to each worker."""
    gc.freeze()


def post_fork(server, worker):
    """Set SILENCE on the listeners: connections inherit it."""
    for listener in worker.sockets:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", SILENCE, 0))
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # in milliseconds; not on macOS
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * SILENCE)
