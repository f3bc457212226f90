"""Clients in a process of their own that request a page repeatedly, and count the responses.

    python load.py URL CERTIFICATE HOST COOKIE STATUS AT_LEAST

They stop after AT_LEAST requests, once standard input is closed. An answer with another status
than STATUS has failed, as one that does not come.
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
AT_MOST = 20_000  # requests, whatever happens


def send_requests(url, context, headers, status, counts, goes_on):
    """Ask, by a connection that is kept, for as long as it `goes_on`; add to `counts`."""
    connection = http.client.HTTPSConnection(url.hostname, url.port, timeout=40, context=context)
    while goes_on():
        counts["sent"] += 1
        began = time.monotonic()
        try:
            connection.request("GET", url.path, headers=headers)
            answer = connection.getresponse()
            answer.read()
            counts["answered" if answer.status == status else "failed"] += 1
        except (OSError, http.client.HTTPException):
            counts["failed"] += 1
            connection.close()
        counts["slowest"] = max(counts["slowest"], time.monotonic() - began)
    connection.close()


def main(url, certificate, host, cookie, status, at_least):
    """Have all clients send requests; print what they counted, together, as JSON."""
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
