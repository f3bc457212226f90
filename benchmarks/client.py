"""Clients in a process of their own, whose connections stay open where the server keeps them.

    python client.py PORT PATH SECONDS CONNECTIONS CERTIFICATE [HEADER ...]

CERTIFICATE is that of a server which wants TLS, else empty; each HEADER is like "Name: value". Prints, as
JSON, how many answers came, how many of them were errors, and in how many seconds. One thread, and
next to nothing done for each answer: whoever measures takes part of the machine that is measured.
"""

import json
import re
import socket
import ssl
import sys
import time
from selectors import EVENT_READ, DefaultSelector

LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)
CLOSES = re.compile(rb"\r\nconnection: *close", re.I)


def connect(port, certificate):
    connection = socket.create_connection(("127.0.0.1", port), 60)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    if certificate:
        context = ssl.create_default_context(cafile=certificate)
        connection = context.wrap_socket(connection, server_hostname="localhost")
    return connection


def read(connection):
    part = connection.recv(65536)
    if not part:
        raise ConnectionError("The server closed a connection in the middle of an answer.")
    return part


def receive(connection):
    """Return the status of an answer, and whether the server closes its connection after it."""
    answer = read(connection)
    while (end := answer.find(b"\r\n\r\n")) < 0:
        answer += read(connection)
    head = answer[:end]
    length = LENGTH.search(head)
    if not length:
        raise ConnectionError("An answer has no Content-Length: this client cannot tell its end.")
    left = int(length[1]) + end + 4 - len(answer)
    while left > 0:
        left -= len(read(connection))
    return int(head[9:12]), CLOSES.search(head)


def main(port, path, seconds, connections, certificate, *headers):
    """Have each of so many connections ask, and ask again when it has been answered."""
    lines = [f"GET {path} HTTP/1.1", *headers]
    request = "\r\n".join([*lines, "", ""]).encode()
    selector = DefaultSelector()

    def ask():
        connection = connect(int(port), certificate)
        selector.register(connection, EVENT_READ)
        connection.sendall(request)

    began = time.monotonic()
    for _ in range(int(connections)):
        ask()
    answers = errors = 0
    while time.monotonic() - began < float(seconds):
        for key, _ in selector.select(1):
            status, closed = receive(key.fileobj)
            answers += 1
            errors += status >= 400
            if closed:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                ask()
            else:
                key.fileobj.sendall(request)
    print(json.dumps([answers, errors, time.monotonic() - began]))


if __name__ == "__main__":
    main(*sys.argv[1:])
