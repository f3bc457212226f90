"""The site with a tracker that is down, and in a burst of errors."""

import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from support.failing_site import FailingSite
from support.fake_tracker import FakeTracker

pytestmark = [pytest.mark.slow, pytest.mark.exotic]

# Expected lines of the log: the site's errors, and other lines of gunicorn and the site.
ERROR = r"(?s:ERROR django\.request .*?\n  RuntimeError: crash in view\n)"
OWN = rf"{ERROR}|\[\d{{4}}-.*\n|INFO project .*\n"


@pytest.fixture
def failing_site(site, make_copy, serve, free_port):
    """Return a function that starts a FailingSite which reports to a tracker."""

    def start(tracker):
        failing = FailingSite(make_copy(site(tracker.kind)), tracker, free_port)
        failing.start(serve)
        return failing

    return start


def seconds_to_fail(failing):
    """Cause an error, and return the seconds until the 500 page."""
    began = time.monotonic()
    assert failing.request("/crash/secret/")[0] == 500
    return time.monotonic() - began


@pytest.mark.parametrize("kind", ["rollbar", "sentry"])
@pytest.mark.parametrize("mode", ["hanging", "refusing", "413", "429", "500", "503"])
def test_tracker_that_is_down_delays_no_response(failing_site, kind, mode):
    """Cause three errors. The log must have at most three lines about the tracker."""
    with FakeTracker(kind, mode) as tracker:
        failing = failing_site(tracker)
        seconds = [seconds_to_fail(failing) for _ in range(3)]
        time.sleep(4 if mode == "hanging" else 1)  # the tracker's clients time out after 3 seconds
        failing.stop()

    log = failing.log()
    lines = re.sub(OWN, "", log).splitlines()
    print(f"{kind}, {mode}: pages after {seconds} s, {len(tracker.items)} items, log: {lines}")
    assert max(seconds) < 1
    assert log.count("RuntimeError: crash in view\n") == 3
    assert 1 <= len(lines) <= 3
    assert tracker.key not in log


@pytest.mark.parametrize("kind", ["rollbar", "sentry"])
@pytest.mark.parametrize("mode", ["hanging", "ok"])
def test_burst_of_errors_is_rate_limited(failing_site, kind, mode):
    """Cause 800 errors by eight clients at once, and count items and threads."""
    with FakeTracker(kind, mode) as tracker:
        failing = failing_site(tracker)
        began = time.monotonic()
        with ThreadPoolExecutor(8) as clients:
            bursts = [clients.submit(hundred_errors, failing) for _ in range(8)]
            threads = []
            while not all(burst.done() for burst in bursts):
                threads.append(threads_of(failing.server.pid))
                time.sleep(0.05)
        lasted = time.monotonic() - began
        slowest = max(burst.result() for burst in bursts)
        status, seconds = failing.stop()

    items = len(tracker.items)
    print(f"{kind}, {mode}: 800 errors in {lasted:.1f} s, slowest page {slowest:.2f} s")
    print(f"{items} items, {max(threads)} threads, exit code {status} after {seconds:.1f} s")
    assert max(threads) <= 100
    assert 0 < items <= 60
    assert status == 0 and seconds < 10
    assert tracker.key not in failing.log()


def hundred_errors(failing):
    """Cause a hundred errors, and return the seconds of the slowest response."""
    return max(seconds_to_fail(failing) for _ in range(100))


def threads_of(master):
    """Return the number of threads of gunicorn's master and its workers together."""
    workers = Path(f"/proc/{master}/task/{master}/children").read_text().split()
    statuses = [Path(f"/proc/{pid}/status").read_text() for pid in (master, *workers)]
    return sum(int(re.search(r"Threads:\s+(\d+)", status)[1]) for status in statuses)
