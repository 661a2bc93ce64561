"""Limits of connections, for every HTTP server that Serve starts: its own proxy, and replicas behind HAProxy.

uvicorn has no time limit for headers and bodies and no limit of connections per address, and Serve does not pass
uvicorn's settings on. :func:`limit_connections` is Serve's hook in each process that is about to start a server.
"""

from __future__ import annotations

import asyncio
import os
import resource
from dataclasses import asdict, dataclass
from json import dumps, loads
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from configs.operation import ServeConfig

VARIABLE = "FLEETCAST_CONNECTIONS"
"""The environment variable with the limits, because Serve's proxy knows no setting of the application."""
HOOK = {"RAY_SERVE_HTTP_PROXY_CALLBACK_IMPORT_PATH": "serving.web.connections.limit_connections"}
_MAX_HEAD = 65_536  # bytes of headers, as HAProxy's buffer allows a quarter of
_WRITE_TIMEOUT_S = 30.0
_BODY_MARGIN_S = 1.0  # the guard's answer comes before the end of the connection
_OTHER_FILES = 512  # open files of a process besides its connections


@dataclass(frozen=True, slots=True)
class Limits:
    """Connections of a server at the same time, of which an address may have half, and the time of their requests."""

    connections: int = ServeConfig().max_connections
    header_s: float = ServeConfig().header_timeout_s
    body_s: float = ServeConfig().body_timeout_s

    @classmethod
    def of(cls, config: ServeConfig) -> Limits:
        """Return the limits of a configuration."""
        return cls(config.max_connections, config.header_timeout_s, config.body_timeout_s)

    @classmethod
    def here(cls) -> Limits:
        """Return the limits that this process was started with."""
        return cls(**loads(os.environ.get(VARIABLE, "{}")))

    def environment(self) -> dict[str, str]:
        """Return the environment variables by which a process of Serve has these limits."""
        return {VARIABLE: dumps(asdict(self)), **HOOK}


def limit_connections() -> list[Any]:
    """Make the servers of this process use :class:`LimitedProtocol`; return no middleware, which Serve asks for."""
    HTTP_PROTOCOLS["auto"] = f"{__name__}:LimitedProtocol"
    return []


class Connections:
    """The open connections by address, oldest first.

    Where there are too many, one that waits for its client is closed in favour of the new one. So an address full of
    unfinished requests still gets answers to finished ones.
    """

    def __init__(self, limits: Limits, files: int) -> None:
        self.limits = limits
        self._most = max(2, min(limits.connections, files - _OTHER_FILES))
        self._by_address: dict[str, dict[LimitedProtocol, None]] = {}
        self._count = 0

    def admit(self, new: LimitedProtocol, address: str) -> bool:
        """Add a connection; return False if there are too many and none can be closed."""
        own = self._by_address.setdefault(address, {})
        if len(own) >= self._most // 2 and not self._close_one(own):
            return False
        if self._count >= self._most and not any(map(self._close_one, self._largest_first())):
            return False
        self._by_address.setdefault(address, own)[new] = None
        self._count += 1
        return True

    def remove(self, one: LimitedProtocol, address: str) -> None:
        """Remove a connection; nothing happens if it is not there."""
        own = self._by_address.get(address, {})
        if one in own:
            del own[one]
            self._count -= 1
        if not own:
            self._by_address.pop(address, None)

    def _largest_first(self) -> list[dict[LimitedProtocol, None]]:
        return sorted(self._by_address.values(), key=len, reverse=True)

    @staticmethod
    def _close_one(own: dict[LimitedProtocol, None]) -> bool:
        waiting = next((one for one in own if one.is_waiting), None)
        if waiting is not None:
            waiting.end()
        return waiting is not None


class LimitedProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with time limits for headers, bodies and unread responses, and a limit of connections.

    A value of a header that is not ASCII is dropped: Serve fails to decode it, and no header of the interface has one.
    """

    _open: Connections | None = None  # of this process

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        if self._open is None:
            LimitedProtocol._open = Connections(Limits.here(), resource.getrlimit(resource.RLIMIT_NOFILE)[0])
        assert self._open is not None
        self._all = self._open
        self._receiving, self._has_headers, self._head = True, False, 0
        self._timer: asyncio.TimerHandle | None = None
        self._write_timer: asyncio.TimerHandle | None = None
        self._address = ""

    @property
    def is_waiting(self) -> bool:
        """Whether no request of the client is being answered."""
        return self.cycle is None or self.cycle.response_complete or self.transport.is_closing()

    def end(self) -> None:
        """Close the connection without waiting for the client."""
        self._all.remove(self, self._address)
        self.transport.abort()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Admit a connection, whose first headers must arrive in time."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        if self._all.admit(self, self._address):
            self._timer = self.loop.call_later(self._all.limits.header_s, self._too_slow)
        else:
            transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Count a connection no more."""
        self._stop_timer()
        self.resume_writing()
        self._all.remove(self, self._address)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data, and limit the time and size of what is still incomplete."""
        super().data_received(data)
        if self.transport.is_closing():
            return
        if not self._receiving:
            return
        if not self._has_headers:
            self._head += len(data)
            if self._head > _MAX_HEAD:
                self._refuse(431, "Request Header Fields Too Large")
                return
        if self._timer is None:
            limits = self._all.limits
            seconds = limits.body_s + _BODY_MARGIN_S if self._has_headers else limits.header_s
            self._timer = self.loop.call_later(seconds, self._too_slow)

    def on_message_begin(self) -> None:
        """Expect the headers of a request."""
        self._receiving, self._has_headers, self._head = True, False, 0
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header that is ASCII."""
        if value.isascii():
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Expect the body of a request."""
        self._has_headers = True
        self._stop_timer()
        super().on_headers_complete()
        if self.parser.should_upgrade():
            self.cycle.keep_alive = False  # the parser ends such a message here: its body must not be a request

    def on_message_complete(self) -> None:
        """Expect nothing until the next request."""
        self._receiving = False
        self._stop_timer()
        super().on_message_complete()

    def _should_upgrade_to_ws(self) -> bool:
        return False  # the interface has no WebSocket, and an upgraded connection would leave these limits

    def pause_writing(self) -> None:
        """Limit the time in which the client must read."""
        super().pause_writing()
        self._write_timer = self._write_timer or self.loop.call_later(_WRITE_TIMEOUT_S, self.transport.abort)

    def resume_writing(self) -> None:
        """End that time."""
        super().resume_writing()
        if self._write_timer is not None:
            self._write_timer.cancel()
            self._write_timer = None

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        self._timer = None
        if self._has_headers or not self.is_waiting:
            self.end()
        else:
            self._refuse(408, "Request Timeout")

    def _refuse(self, status: int, reason: str) -> None:
        head = f"HTTP/1.1 {status} {reason}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
        self.transport.write(head.encode())
        self.transport.close()
