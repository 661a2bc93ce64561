"""Raw sockets: requests that stop, and the statuses of answers."""

import json
import socket
import time
from contextlib import ExitStack, contextmanager, suppress

from waiting import BOUND_S


def address_of(url):
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)


@contextmanager
def stalled(url, count, text, source="127.0.0.1"):
    """Open connections that send a text and then nothing; yield those that the server does not refuse immediately."""
    with ExitStack() as end:
        sockets = []
        for _ in range(count):
            with suppress(ConnectionError):
                one = end.enter_context(socket.create_connection(address_of(url), BOUND_S, (source, 0)))
                one.sendall(text)
                sockets.append(one)
        yield sockets


def answer(one, seconds=BOUND_S):
    """Return the status of an answer and its JSON, or 0 and None if the connection is closed without one."""
    one.settimeout(seconds)
    data = b""
    with suppress(ConnectionError):
        while part := one.recv(65536):
            data += part
            if data.startswith(b"HTTP/1.1 100"):
                data = data.partition(b"\r\n\r\n")[2]
            head, _, body = data.partition(b"\r\n\r\n")
            length = head.lower().partition(b"content-length:")[2].split(b"\r\n")[0].strip()
            if length.isdigit() and len(body) >= int(length):
                break
    head, _, body = data.partition(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1."):
        return 0, None
    return int(head[9:12]), json.loads(body) if body.strip().startswith(b"{") else None


def ask(url, path="/v1/health/live", *headers, method="GET", body=b"", source="127.0.0.1"):
    """Send one request on a new connection; return its status, 0 if it is closed, and the seconds that it took."""
    start = time.perf_counter()
    lines = [f"{method} {path} HTTP/1.1", "Connection: close", *headers]
    if not any(line.lower().startswith("host:") for line in headers):
        lines.append("Host: 127.0.0.1")
    if body:
        lines.append(f"Content-Length: {len(body)}")
    status = 0
    with suppress(ConnectionError), socket.create_connection(address_of(url), BOUND_S, (source, 0)) as one:
        one.sendall("\r\n".join([*lines, "", ""]).encode("latin-1") + body)
        status = answer(one)[0]
    return status, time.perf_counter() - start
