"""Login rate limiting when a client guesses many passwords at once, or a new name each time."""

import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlencode

import pytest
from support.client import HTTPS, Client, form, head, status_of
from support.generated import wait_until

pytestmark = pytest.mark.slow

TOKEN = "a" * 32
LOGIN = "/accounts/login/"


def guess(dyno, name, address="198.51.100.7"):
    """Try to log in; return the status."""
    fields = urlencode({"csrfmiddlewaretoken": TOKEN, "username": name, "password": "wrong"})
    request = head(f"POST {LOGIN}", *form(len(fields)), f"X-Forwarded-For: {address}")
    return status_of(dyno, request, fields.encode(), seconds=60)


def test_concurrent_guesses_are_limited(deployed, tell):
    """Allow more than ten evaluated guesses, because guesses in flight are not counted yet."""
    dyno = deployed.dynos[0]
    with ThreadPoolExecutor(50) as pool:
        statuses = [*pool.map(lambda _: guess(dyno, "ada", "198.51.100.8"), range(50))]

    tell(
        "50 guesses at once for a name",
        f"{statuses.count(200)} evaluated, {statuses.count(429)} not",
    )
    assert 9 <= statuses.count(200) <= 17
    assert statuses.count(200) + statuses.count(429) == 50


@pytest.mark.exotic
def test_guesses_for_new_names_are_limited(deployed, tell):
    """Guess over fifty connections from one address, while another client requests pages."""
    statuses, enough = [], threading.Event()

    def attack(number):
        count = 0
        while not enough.is_set():
            count += 1
            statuses.append(guess(dyno, f"name{number}-{count}"))

    def request(_):
        began = time.monotonic()
        Client(dyno.port).get(**HTTPS)
        return time.monotonic() - began

    with deployed.alone() as dyno, ThreadPoolExecutor(51) as pool:
        calm = statistics.median(map(request, range(50)))
        attackers = [pool.submit(attack, number) for number in range(50)]
        try:
            wait_until(lambda: len(statuses) >= 100, 60)  # the first fifty are evaluated
            seconds = statistics.median(map(request, range(50)))
        finally:
            enough.set()
        for attacker in attackers:
            attacker.result()

    evaluated = statuses.count(200)
    tell(
        "guesses for new names, 50 connections", f"{evaluated} guesses of {len(statuses)} evaluated"
    )
    tell(
        "other client's median meanwhile", f"{1000 * seconds:.0f} ms; {1000 * calm:.0f} ms without"
    )
    assert 49 <= evaluated <= 70
    assert seconds < 1
