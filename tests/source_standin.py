"""A server on loopback that answers as sources of alternative data do, or fails as networks do."""

import json
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, urlsplit


class Asked(NamedTuple):
    """A request: its path, its parameters and its headers in lower case."""

    path: str
    query: dict
    headers: dict


class Standin:
    """Answers a request by ``routes[path](query)``: a JSON value, or an ``act``.

    Before that, each request takes the next entry of ``script`` if there is one. Acts: a status; ``(status, headers,
    value)``; ``half`` announces more bytes than it sends, ``broken`` sends half a JSON text, ``close`` nothing,
    ``stall`` waits until the end, ``drip`` sends byte after byte; ``None`` answers by the route.
    """

    def __init__(self):
        self.routes, self.script, self.asked = {}, [], []
        self.ended = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(self):
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                parts = urlsplit(self.path)
                query = {name: values[-1] for name, values in parse_qs(parts.query).items()}
                headers = {name.lower(): value for name, value in self.headers.items()}
                standin.asked.append(Asked(parts.path, query, headers))
                act = standin.script.pop(0) if standin.script else None
                if act is None:
                    route = standin.routes.get(parts.path)
                    act = route(query) if route else 404
                with suppress(ConnectionError):
                    self._answer(act)

            def _answer(self, act):
                if act == "stall":
                    standin.ended.wait(20)
                elif act == "close":
                    self.close_connection = True
                elif act == "drip":
                    self._head(200, {"Content-Length": "1000000"})
                    while not standin.ended.wait(0.01):
                        self.wfile.write(b" ")
                elif act == "half":
                    self._send(200, {"Content-Length": "500"}, b'{"observations": [')
                elif act == "broken":
                    self._send(200, {}, b'{"observations": [')
                elif isinstance(act, int):
                    self._send(act, {}, json.dumps({"message": f"error {act} of {self.path}"}).encode())
                elif isinstance(act, tuple):
                    status, headers, value = act
                    self._send(status, headers, json.dumps(value).encode())
                else:
                    self._send(200, {}, json.dumps(act).encode())

            def _head(self, status, headers):
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()

            def _send(self, status, headers, data):
                self._head(status, {"Content-Length": str(len(data)), **headers})
                self.wfile.write(data)
                self.close_connection = self.close_connection or int(headers.get("Content-Length", 0)) > len(data)

            def log_message(self, *arguments):
                pass

        return Handler


@contextmanager
def source_standin():
    """Run a stand-in."""
    standin = Standin()
    try:
        yield standin
    finally:
        standin.close()
