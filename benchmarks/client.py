"""Sends requests over several connections, which stay open if the server keeps them alive.

    python client.py PORT PATH SECONDS CONNECTIONS CERTIFICATE [HEADER ...]

CERTIFICATE is that of a server with TLS, otherwise empty. Each HEADER is like "Name: value". Prints
a JSON list: the number of responses, the number of errors, and the seconds. The client has one
thread and does little for each response, because it uses the CPU of the machine that is measured.
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
        raise ConnectionError("The server closed a connection in the middle of a response.")
    return part


def receive(connection):
    """Read a response; return its status, and whether the server closes the connection."""
    response = read(connection)
    while (end := response.find(b"\r\n\r\n")) < 0:
        response += read(connection)
    head = response[:end]
    length = LENGTH.search(head)
    if not length:
        raise ConnectionError(
            "A response has no Content-Length, so this client cannot find its end."
        )
    left = int(length[1]) + end + 4 - len(response)
    while left > 0:
        left -= len(read(connection))
    return int(head[9:12]), CLOSES.search(head)


def main(port, path, seconds, connections, certificate, *headers):
    """Send requests over each connection, one after the other, until the time is over."""
    lines = [f"GET {path} HTTP/1.1", *headers]
    request = "\r\n".join([*lines, "", ""]).encode()
    selector = DefaultSelector()

    def open_connection():
        connection = connect(int(port), certificate)
        selector.register(connection, EVENT_READ)
        connection.sendall(request)

    began = time.monotonic()
    for _ in range(int(connections)):
        open_connection()
    responses = errors = 0
    while time.monotonic() - began < float(seconds):
        for key, _ in selector.select(1):
            status, closed = receive(key.fileobj)
            responses += 1
            errors += status >= 400
            if closed:
                selector.unregister(key.fileobj)
                key.fileobj.close()
                open_connection()
            else:
                key.fileobj.sendall(request)
    print(json.dumps([responses, errors, time.monotonic() - began]))


if __name__ == "__main__":
    main(*sys.argv[1:])
