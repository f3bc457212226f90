"""What the Procfile's web line leaves open. Each number with its reason."""

import gc
import os

from gunicorn.workers import gthread

# Threads: while one waits for a slow visitor or for the database, the others answer.
worker_class = "gthread"
threads = 4

# A connection on which nothing comes is set aside after this many seconds. With gunicorn's 5, fifty
# of them hold all threads for half a minute; there is no setting for it yet:
# https://github.com/benoitc/gunicorn/pull/3635
gthread.DEFAULT_WORKER_DATA_TIMEOUT = 0.05

# Longer than the 90 seconds that Heroku's router keeps a connection open: closed from this end
# first, a request that is just then on its way would be lost.
keepalive = 95

# Heroku gives up a request after 30 seconds, and kills 30 seconds after SIGTERM: be done by then.
timeout = 20
graceful_timeout = 20

# The application is loaded once and shared: two workers take a fifth less memory to start with.
preload_app = True

# Each worker has a queue of its own; without it all kept connections may end up at one of them.
# The price: a worker that stops resets what waits in its queue, so nothing recycles workers here.
reuse_port = True

# The control socket of gunicorn 27 wants a file in the home folder, which may be read-only.
control_socket_disable = True

# Heroku's router logs each request already. Where GUNICORN_CMD_ARGS turns this log on all the
# same, as Heroku's buildpack does, the request id tells which line belongs to which error.
access_log_format = "%(m)s %(U)s %(s)s %(M)sms request_id=%({x-request-id}i)s"


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
