"""Visitors in a process of their own, whose connections stay open where the server keeps them.

    python load.py PORT PATH COUNT CONNECTIONS CERTIFICATE [NAME:VALUE ...]

CERTIFICATE is that of a server which wants TLS, else empty; each NAME:VALUE is a header. Prints, as
JSON, how many answers came, by status, and in how many seconds.
"""

import json
import socket
import ssl
import sys
import threading
import time
from collections import Counter


def connect(port, certificate):
    connection = socket.create_connection(("127.0.0.1", port), 60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if certificate:
        context = ssl.create_default_context(cafile=certificate)
        connection = context.wrap_socket(connection, server_hostname="localhost")
    return connection


def visit(port, certificate, request, count, statuses):
    """Send a request `count` times, one after the other; count the answers in `statuses`."""
    connection = None
    for _ in range(count):
        if connection is None:
            connection = connect(port, certificate)
            answers = connection.makefile("rb")
        connection.sendall(request)
        status = int(answers.readline().split()[1])
        length, closes = 0, False
        while (line := answers.readline().lower()) not in (b"\r\n", b""):
            name, _, value = line.partition(b":")
            length = int(value) if name == b"content-length" else length
            closes |= name == b"connection" and value.strip() == b"close"
        answers.read(length)
        statuses[status] += 1
        if closes:
            answers.close()
            connection.close()
            connection = None


def main(port, path, count, connections, certificate, *headers):
    """Have `connections` share `count` requests; print what came of them."""
    lines = [f"GET {path} HTTP/1.1", *(header.replace(":", ": ", 1) for header in headers)]
    request = "\r\n".join([*lines, "", ""]).encode()
    statuses = [Counter() for _ in range(int(connections))]
    share = int(count) // len(statuses)
    threads = [
        threading.Thread(target=visit, args=[int(port), certificate, request, share, counter])
        for counter in statuses
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.monotonic() - began
    print(json.dumps({"statuses": sum(statuses, Counter()), "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
