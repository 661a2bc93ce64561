"""A proxy in front of an HTTP server that loses, delays, cuts and refuses some of its answers."""

from __future__ import annotations

import http.client
import random
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

FAULTS = ("lost", "late", "cut", "busy")
_LATE_S = 1.0
_HOP = {"connection", "transfer-encoding", "keep-alive"}


class _Proxy(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, upstream: str, share: float, seed: int) -> None:
        self.upstream, self.share, self.counts = urlsplit(upstream), share, Counter[str]()
        self._rng, self._lock = random.Random(seed), threading.Lock()
        super().__init__(("127.0.0.1", 0), _Handler)

    def fault(self) -> str:
        with self._lock:
            found = self._rng.choice(FAULTS) if self._rng.random() < self.share else ""
            self.counts[found or "passed"] += 1
        return found


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Proxy

    def do_GET(self) -> None:
        fault = self.server.fault()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if fault == "busy":  # the request does not arrive
            self._answer(503, {}, b"<Error><Code>SlowDown</Code><Message>Reduce your rate</Message></Error>")
            return
        upstream = self.server.upstream
        connection = http.client.HTTPConnection(upstream.hostname or "", upstream.port, timeout=30)
        headers = {key: value for key, value in self.headers.items() if key.lower() not in _HOP}
        connection.request(self.command, self.path, body, headers)
        response = connection.getresponse()
        data, answer = response.read(), {k: v for k, v in response.getheaders() if k.lower() not in _HOP}
        connection.close()
        if fault == "late":
            time.sleep(_LATE_S)
        if fault == "lost":  # the request has arrived
            self.close_connection = True
            return
        self._answer(response.status, answer, data, cut=fault == "cut")

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET

    def _answer(self, status: int, headers: dict[str, str], data: bytes, cut: bool = False) -> None:
        self.send_response_only(status)
        length = headers.pop("Content-Length", str(len(data)))
        for key, value in {**headers, "Content-Length": length}.items():
            self.send_header(key, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data[: len(data) // 2] if cut else data)
        self.close_connection = self.close_connection or (cut and len(data) > 0)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def faulty(upstream: str, share: float = 0.2, seed: int = 0) -> Iterator[tuple[str, Counter[str]]]:
    """Yield the URL of a proxy that spoils this share of answers, and how many it has spoilt in which way."""
    proxy = _Proxy(upstream, share, seed)
    thread = threading.Thread(target=proxy.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_address[1]}", proxy.counts
    finally:
        proxy.shutdown()
        proxy.server_close()
