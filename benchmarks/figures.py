"""Measurements of a generated site and of plain startproject: most functions yield table rows."""

import json
import re
import shutil
import socket
import sys
import threading
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from sites import HOST
from support.fake_tracker import FakeTracker
from support.generated import CHECK_DEPLOY, cookiecutter, environment_in, run, variables

CLIENT = Path(__file__).with_name("client.py")
WRK = shutil.which("wrk")
HEADERS = [f"Host: {HOST}", "X-Forwarded-Proto: https", "Accept-Encoding: gzip, br"]
TURNS = 7
SECONDS = 2
GENERATION = ["", "by hand", "ours", "ratio", "wanted"]
REQUESTS = [
    "", "CPU, plain", "ours", "ratio", "wanted", "per second, plain", "ours", "ratio", "wanted",
]  # fmt: skip
WAITING = ["", "per second, plain", "ours", "ratio", "wanted"]
START = ["", "plain", "ours", "ratio", "wanted"]
IMPORTS = ["packages", "plain", "ours"]
BALANCE = ["run", "busiest worker's share of CPU, 16 kept connections", "wanted"]
LOADS = ["idle", "after empty responses", "after pages and logins"]
# Packages that are imported for the tracker.
OF_TRACKER = {"rollbar", "requests", "urllib3", "certifi", "charset_normalizer", "idna", "six"}


def send_requests(port, path, seconds=SECONDS, connections=16, certificate=""):
    """Send requests to a port, by wrk if it is installed; return the responses and the seconds."""
    client = by_wrk if WRK else by_ours
    sent, errors, seconds = client(port, path, seconds, connections, certificate)
    assert errors == (sent if path == "/failing/" else 0), f"{path}: {errors} errors of {sent}"
    return sent, seconds


def by_ours(*arguments):
    """Send requests by client.py; return the responses, the errors and the seconds."""
    done = run([sys.executable, CLIENT, *arguments, *HEADERS], CLIENT.parent)
    assert done.returncode == 0, done.out
    return json.loads(done.stdout)


def by_wrk(port, path, seconds, connections, certificate):
    """Send requests by wrk; return the responses, the errors and the seconds."""
    headers = [word for header in HEADERS for word in ("-H", header)]
    scheme = "https" if certificate else "http"
    url = f"{scheme}://127.0.0.1:{port}{path}"
    done = run([WRK, "-t1", f"-c{connections}", f"-d{seconds}s", *headers, url], CLIENT.parent)
    assert done.returncode == 0, done.out
    sent, seconds = re.search(r"(\d+) requests in ([\d.]+)s", done.out).groups()
    errors = re.search(r"Non-2xx or 3xx responses: (\d+)", done.out)
    return int(sent), int(errors[1]) if errors else 0, float(seconds)


def load(server, path, seconds=SECONDS):
    """Send requests to a server; return the CPU time per request in µs, and requests per second."""
    before = server.all_cpu()
    sent, seconds = send_requests(server.port, path, seconds)
    return (server.all_cpu() - before) / sent * 1e6, sent / seconds


def take_turns(first, second):
    """Call two functions alternately; return both medians, and the median of their ratios."""
    turns = [(first(), second()) for _ in range(TURNS)]
    return *(median(turn[n] for turn in turns) for n in (0, 1)), median(b / a for a, b in turns)


def generation(folder, python):
    """Time generation by hand and with the hook: rendering, `uv sync`, `check --deploy`."""
    environment = environment_in(folder)
    places = (folder / f"generated-{number}" for number in range(100))

    def by_hand():
        place = next(places)
        began = time.monotonic()
        cookiecutter(place, environment | {"COOKIECUTTER_SKIP_SETUP": "1"})
        site = place / "my-site"
        production = environment | variables(site / "tests" / "production.env")
        for command, env in (
            ([environment["UV"], "sync", "--python", python], environment),
            ([site / ".venv" / "bin" / "python", *CHECK_DEPLOY], production),
        ):
            done = run(command, site, env)
            assert done.returncode == 0, done.out
        return time.monotonic() - began

    def ours():
        place = next(places)
        began = time.monotonic()
        done = cookiecutter(place, environment)
        assert done.returncode == 0, done.out
        return time.monotonic() - began

    hand, mine, ratio = take_turns(by_hand, ours)
    yield [
        "from answers to a verified site",
        f"{hand:.1f} s",
        f"{mine:.1f} s",
        f"{ratio:.2f}",
        "≤ 1.20",
    ]


def hashed(site):
    """Return the path of one of the admin's style sheets, with its hashed name."""
    manifest = json.loads((site.folder / "staticfiles" / "staticfiles.json").read_text())
    return "/static/" + manifest["paths"]["admin/css/base.css"]


def requests(base, static, ours, none):
    """Measure the CPU time and the rate of requests; while requests fail, the tracker hangs."""
    with ExitStack() as stack, FakeTracker("rollbar", "hanging") as tracker:

        def start(site, **changes):
            return stack.enter_context(site.start(**changes))

        logged = {"GUNICORN_CMD_ARGS": "--access-logfile -"}
        plain, mine = start(base), start(ours)
        plain_logged, mine_logged = start(base, **logged), start(ours, **logged)
        with_static, without = start(static), start(none)
        tracked = start(ours, **tracker.variables)
        for name, first, first_path, second, path, cpu_bound, rate_bound in (
            ("an empty response", plain, "/empty/", mine, "/empty/", "≤ 1.20", ""),
            ("the same, access log on", plain_logged, "/empty/", mine_logged, "/empty/", "", ""),
            ("a page with one query", plain, "/page/", mine, "/page/", "≤ 0.60", "≥ 5.00"),
            ("the admin's login", plain, "/admin/login/", mine, "/admin/login/", "", ""),
            ("a static file, WhiteNoise in both", with_static, hashed(static), mine, hashed(ours), "", "≥ 1.00"),
            ("an error with a hanging tracker (plain has no tracker)", without, "/failing/", tracked, "/failing/", "≤ 2.00", ""),
        ):  # fmt: skip
            load(first, first_path, 1)  # warm
            load(second, path, 1)
            turns = [(load(first, first_path), load(second, path)) for _ in range(TURNS)]
            row = [name]
            for n, form, bound in ((0, "{:.0f} µs", cpu_bound), (1, "{:.0f}", rate_bound)):
                row += [form.format(median(turn[who][n] for turn in turns)) for who in (0, 1)]
                row += [f"{median(b[n] / a[n] for a, b in turns):.2f}", bound]
            yield row


def waiting(base, ours):
    """Measure the rate of a page that waits 100 ms for the database, also with slow clients."""
    with base.start() as plain, ours.start() as mine:

        def rate(server):
            sent, seconds = send_requests(server.port, "/wait/")
            return sent / seconds

        first, second, ratio = take_turns(lambda: rate(plain), lambda: rate(mine))
        row = ["a page that waits for 100 ms", f"{first:.0f}", f"{second:.0f}", f"{ratio:.2f}"]
        yield [*row, "≥ 3.50"]
        with slow_clients(plain.port), slow_clients(mine.port):
            first, second = rate(plain), rate(mine)
        row = ["the same, with two clients that send a form byte by byte"]
        yield [*row, f"{first:.0f}", f"{second:.0f}", "", "ours responds"]


@contextmanager
def slow_clients(port, clients=2):
    """Run clients that send a form to a server, a byte every tenth of a second."""
    head = ["POST /admin/login/ HTTP/1.1", *HEADERS, "Content-Length: 1000"]
    head += ["Content-Type: application/x-www-form-urlencoded", "", ""]
    stopped = threading.Event()
    with ExitStack() as stack:
        connections = [socket.create_connection(("127.0.0.1", port)) for _ in range(clients)]
        for connection in connections:
            stack.enter_context(connection).sendall("\r\n".join(head).encode())

        def send_slowly():
            while not stopped.wait(0.1):
                for connection in connections:
                    connection.sendall(b"a")

        thread = threading.Thread(target=send_slowly)
        thread.start()
        time.sleep(0.5)
        yield
        stopped.set()
        thread.join()


def start(base, ours, none):
    """Measure the seconds to the first response, and the memory (PSS) of all processes."""

    def boot(site):
        with site.start() as server:
            return server.boot

    for name, site, bound in (("ours", ours, "≤ 1.80"), ("ours without tracker", none, "")):
        plain, mine, ratio = take_turns(lambda: boot(base), lambda site=site: boot(site))
        yield [f"first response, {name}", f"{plain:.2f} s", f"{mine:.2f} s", f"{ratio:.2f}", bound]
    for workers, bound in ((2, "≤ 0.85"), (4, "≤ 0.60")):
        for when, plain, mine in zip(
            LOADS, memory(base, workers), memory(ours, workers), strict=True
        ):
            name = f"memory, {workers} workers, {when}"
            wanted = bound if when == "after empty responses" else ""
            yield [name, f"{plain:.0f} MiB", f"{mine:.0f} MiB", f"{mine / plain:.2f}", wanted]


def memory(site, workers):
    """Return the memory in MiB after each of LOADS."""
    with site.start(workers) as server:
        rows = [server.memory()]
        for paths in (["/empty/"], ["/page/", "/admin/login/"]):
            for path in paths:
                load(server, path)
            rows.append(server.memory())
    return rows


def imports(base, ours):
    """Measure how long django.setup() and the URLconf take to import each package."""

    def split(site):
        code = "import django; django.setup(); from django.urls import get_resolver; get_resolver().url_patterns"
        environment = site.environment | {"DJANGO_SETTINGS_MODULE": "project.settings"}
        runs = []
        for _ in range(TURNS):
            timed = run([site.python, "-X", "importtime", "-c", code], site.folder, environment)
            assert timed.returncode == 0, timed.out
            runs.append(Counter())
            for microseconds, module in re.findall(r":\s+(\d+) \|.+\| +(\S+)", timed.stderr):
                runs[-1][kind(module.partition(".")[0])] += int(microseconds) / 1000
        return {
            name: median(it[name] for it in runs) for name in ("django", "axes", "tracker", "other")
        }

    plain, mine = split(base), split(ours)
    for name, milliseconds in mine.items():
        yield [name, f"{plain[name]:.0f} ms", f"{milliseconds:.0f} ms"]


def kind(package):
    if package in ("django", "axes"):
        return package
    return "tracker" if package in OF_TRACKER else "other"


def balance(ours):
    """Measure how evenly two workers share the load of kept-alive connections, in six runs."""
    for number in range(1, 7):
        with ours.start() as server:
            before = {pid: server.cpu(pid) for pid in server.workers()}
            load(server, "/empty/")
            used = [server.cpu(pid) - before[pid] for pid in server.workers()]
        yield [number, f"{max(used) / sum(used):.2f}", "≤ 0.55"]
