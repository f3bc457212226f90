"""Runs clients that request a page repeatedly, and counts the responses.

    python load.py URL CERTIFICATE HOST COOKIE STATUS AT_LEAST

They stop when standard input is closed and AT_LEAST requests are sent. A request fails if there is
no response or if its status is not STATUS.
"""

import http.client
import json
import ssl
import sys
import threading
import time
from collections import Counter
from urllib.parse import urlsplit

CLIENTS = 8
AT_MOST = 20_000  # requests, even if standard input stays open


def send_requests(url, context, headers, status, counts, goes_on):
    """Send requests over a kept-alive connection while `goes_on` is true; add to `counts`."""
    connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=40, context=context)
    while goes_on():
        counts["sent"] += 1
        began = time.monotonic()
        try:
            connection.request("GET", url.path, headers=headers)
            response = connection.getresponse()
            response.read()
            counts["answered" if response.status == status else "failed"] += 1
        except (OSError, http.client.HTTPException):
            counts["failed"] += 1
            connection.close()
        counts["slowest"] = max(counts["slowest"], time.monotonic() - began)
    connection.close()


def main(url, certificate, host, cookie, status, at_least):
    """Run all clients; print the sums of their counts as JSON."""
    enough = threading.Event()
    counts = [Counter(sent=0, answered=0, failed=0, slowest=0) for _ in range(CLIENTS)]

    def goes_on():
        sent = sum(count["sent"] for count in counts)
        return sent < AT_MOST and (sent < int(at_least) or not enough.is_set())

    context = ssl.create_default_context(cafile=certificate)
    arguments = [urlsplit(url), context, {"Host": host, "Cookie": cookie}, int(status)]
    threads = [
        threading.Thread(target=send_requests, args=[*arguments, count, goes_on])
        for count in counts
    ]
    for thread in threads:
        thread.start()
    sys.stdin.read()
    enough.set()
    for thread in threads:
        thread.join()
    totals = {name: sum(count[name] for count in counts) for name in ("sent", "answered", "failed")}
    print(json.dumps(totals | {"slowest": max(count["slowest"] for count in counts)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
