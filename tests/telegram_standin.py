"""A server on loopback that answers as Telegram's Bot API does, or fails as networks do."""

import json
import threading
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

import pytest

TOKEN = "123456789:AAF-stand_in-token-0123456789abcdef"


class Received(NamedTuple):
    """A request: when by the test's clock, its path and its JSON."""

    at: object
    path: str
    body: dict


class Standin:
    """Answers each request by the next entry of ``script``, then with success.

    ``200``; ``(429, seconds)``; another status, with Telegram's description; ``stall`` reads and does not answer;
    ``break`` reads and closes the connection; ``drip`` sends byte after byte; any other text is sent with status 200.
    """

    def __init__(self):
        self.script, self.received, self.acted = [], [], []
        self.clock = lambda: None
        self.ended = threading.Event()
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    @property
    def texts(self):
        return [one.body["text"] for one in self.received]

    def close(self):
        self.ended.set()
        self.server.shutdown()
        self.server.server_close()

    def _handler(self):
        standin = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                standin.received.append(Received(standin.clock(), self.path, body))
                act = standin.script.pop(0) if standin.script else 200
                standin.acted.append(act)
                with suppress(ConnectionError):
                    self._answer(act)

            def _answer(self, act):
                if act == "stall":
                    standin.ended.wait(20)
                elif act == "break":
                    self.close_connection = True
                elif act == "drip":
                    self.send_response(200)
                    self.end_headers()
                    while not standin.ended.wait(0.05):
                        self.wfile.write(b" ")
                elif isinstance(act, str):
                    self._send(200, act.encode())
                elif act == 200:
                    self._send(200, json.dumps({"ok": True, "result": {"message_id": 1}}).encode())
                else:
                    status, parameters = (act[0], act[1]) if isinstance(act, tuple) else (act, {})
                    text = f"Error {status} for {self.path}"
                    answer = {"ok": False, "error_code": status, "description": text, "parameters": parameters}
                    self._send(status, json.dumps(answer).encode())

            def _send(self, status, data):
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            def log_message(self, *arguments):
                pass

        return Handler


@pytest.fixture
def telegram_standin(monkeypatch):
    """A stand-in of Telegram, with a token for it in the environment."""
    monkeypatch.setenv("FLEETCAST_TELEGRAM_TOKEN", TOKEN)
    standin = Standin()
    yield standin
    standin.close()
