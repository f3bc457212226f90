"""How a site scales: memory with workers, connections with threads, responses with dynos.

Each function returns rows of numbers, for a table and for a plot.
"""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib
from figures import memory, send_requests
from matplotlib import pyplot
from support.router import https

THREADS = 4  # as in gunicorn.conf.py
ESSENTIAL_0 = 20  # connections that the smallest Heroku Postgres allows
MEMORY = ["workers", "plain, MiB", "ours, MiB"]
CONNECTIONS = ["dynos", "workers", "threads", "connections"]
RESPONSES = ["dynos", "responses per second"]


def memories(base, ours):
    """Measure the memory in MiB after load, by workers."""
    return [
        [workers, memory(base, workers)[-1], memory(ours, workers)[-1]] for workers in (1, 2, 4, 8)
    ]


def connections(ours, postgres):
    """Count the database connections after each thread has opened one."""
    rows = []
    count = f"SELECT count(*) FROM pg_stat_activity WHERE datname = '{ours.database}'"
    for dynos, workers in ((1, 1), (1, 2), (1, 4), (2, 2), (3, 2), (2, 4)):
        threads = dynos * workers * THREADS
        with ExitStack() as stack:
            for _ in range(dynos):
                server = stack.enter_context(ours.start(workers))
                send_requests(server.port, "/wait/", connections=4 * threads)
            rows.append([dynos, workers, THREADS, int(postgres.execute(count))])
    return rows


def responses(ours):
    """Measure the rate of a page that waits for the database, behind the router, by dynos."""
    rows = []
    for dynos in (1, 2, 3):
        with ExitStack() as stack, TemporaryDirectory() as folder:
            servers = [stack.enter_context(ours.start()) for _ in range(dynos)]
            router = stack.enter_context(https(Path(folder), *(server.port for server in servers)))
            sent, seconds = send_requests(router.server_port, "/wait/", 4, 48, router.certificate)
        rows.append([dynos, sent / seconds])
    return rows


def plot(memories, connections, responses, path):
    """Plot the three results as an SVG, which is the same for the same numbers."""
    matplotlib.rcParams |= {"svg.hashsalt": "growth", "font.size": 9, "axes.spines.top": False,
                            "axes.spines.right": False}  # fmt: skip
    figure, axes = pyplot.subplots(1, 3, figsize=(11, 3.2), layout="constrained")
    workers = [row[0] for row in memories]
    axes[0].plot(
        workers, [row[1] for row in memories], "o--", color="#8a8f98", label="startproject"
    )
    axes[0].plot(workers, [row[2] for row in memories], "o-", color="#0b6b4f", label="this")
    axes[0].set(title="Memory after load, MiB", xlabel="workers", xticks=workers, ylim=0)
    axes[0].legend(frameon=False)
    names = [f"{row[0]}×{row[1]}×{row[2]}" for row in connections]
    axes[1].bar(names, [row[3] for row in connections], color="#0b6b4f")
    axes[1].axhline(ESSENTIAL_0, color="#b3261e", linestyle="--")
    axes[1].annotate(
        "essential-0", (0, ESSENTIAL_0), (0, 3), textcoords="offset points", color="#b3261e"
    )
    axes[1].set(title="Database connections", xlabel="dynos × workers × threads")
    axes[1].tick_params("x", rotation=30)
    axes[2].plot(*zip(*responses, strict=True), "o-", color="#0b6b4f")
    axes[2].set(title="Responses per second, 0.1 s each", xlabel="dynos", xticks=[1, 2, 3], ylim=0)
    figure.savefig(path, metadata={"Date": None})
