"""What the Procfile's web line leaves open. Each number with its reason."""

import gc
import os
import resource
import socket
import struct
import sys
from functools import partial

from gunicorn import glogging, util
from gunicorn.workers import gthread

from project.logs import Formatter

# Threads: while one waits for a slow visitor or for the database, the others answer.
worker_class = "gthread"
threads = 4

# Connections that wait take no thread, but a file each.
worker_connections = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], 10_000) - 64

# A connection on which nothing comes is set aside after this many seconds. With gunicorn's 5, fifty
# of them hold all threads for half a minute; there is no setting for it yet:
# https://github.com/benoitc/gunicorn/pull/3635
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.02

# A worker that closes a connection waits for the client to do so, too, and does nothing else
# meanwhile. With gunicorn's 2 seconds, twenty clients that stay connected stop the site for 28.
util.close_graceful = partial(util.close_graceful, timeout=0.001)

# A client that falls silent in the middle of a request, or of reading the answer, is given up after
# so many seconds.
SILENCE = 10

# Longer than the 90 seconds that Heroku's router keeps a connection open: closed from this end
# first, a request that is just then on its way would be lost.
keepalive = 95

# Heroku kills 30 seconds after SIGTERM: what is then on its way is answered or dropped before. No
# number here ends a request: `timeout` is for a worker whose main thread hangs.
graceful_timeout = 20
timeout = 20

# The application is loaded once and shared: two workers take a fifth less memory to start with.
preload_app = True

# Each worker has a queue of its own; without it all kept connections may end up at one of them.
# The price: a worker that stops resets what waits in its queue, so nothing recycles workers here.
reuse_port = True

# The control socket of gunicorn 27 wants a file in the home folder, which may be read-only.
control_socket_disable = True

# Of what a client may send, only X-Forwarded-Proto counts: the router sets it anew. Not SCRIPT_NAME,
# by which each page would have a second address, and no other word for https.
forwarder_headers = ""
secure_scheme_headers = {"X-FORWARDED-PROTO": "https"}

# Heroku's router logs each request already. Where GUNICORN_CMD_ARGS turns this log on all the
# same, as Heroku's buildpack does, the request id tells which line belongs to which error.
access_log_format = "%(m)s %(U)s %(s)s %(M)sms request_id=%({http_x_request_id}e)s"


class Logger(glogging.Logger):
    """gunicorn's log, in which no client can write a line of its own."""

    def setup(self, cfg):
        super().setup(cfg)
        for log, fmt in ((self.error_log, self.error_fmt), (self.access_log, self.access_fmt)):
            for handler in log.handlers:
                handler.setFormatter(Formatter(fmt, self.datefmt))

    def atoms(self, resp, req, environ, request_time):
        """Have the path as it was sent; gunicorn decodes it."""
        path = environ["RAW_URI"].partition("?")[0]
        return super().atoms(resp, req, environ, request_time) | {"U": path}

    def exception(self, *args, **kwargs):
        """Say in a line what a client's silence is, instead of showing where it was noticed."""
        if isinstance(sys.exc_info()[1], BlockingIOError | TimeoutError):
            self.warning("A client fell silent, and was given up")
        else:
            super().exception(*args, **kwargs)


logger_class = Logger


def when_ready(server):
    """Say so where WEB_CONCURRENCY, set by hand, loses to --workers on the Procfile's line."""
    wanted = os.environ.get("WEB_CONCURRENCY")
    by_hand = "WEB_CONCURRENCY_SET_BY" not in os.environ
    if wanted and by_hand and wanted != str(server.cfg.workers):
        has_no_effect = "WEB_CONCURRENCY=%s has no effect: the Procfile says --workers %s"
        server.log.warning(has_no_effect, wanted, server.cfg.workers)


def pre_fork(server, worker):
    """Keep the garbage collector off what is shared: touching it would copy it to each worker."""
    gc.freeze()


def post_fork(server, worker):
    """Bound how long a thread waits for a client; a connection has these from its listener."""
    for listener in worker.sockets:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("ll", SILENCE, 0))
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # in milliseconds; not on macOS
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, 1000 * SILENCE)
