"""Limits of connections, for every HTTP server that Serve starts: its own proxy, and replicas behind HAProxy.

uvicorn has no time limit for headers and bodies and no limit of connections per address, and Serve does not pass
uvicorn's settings on. Serve's proxy also receives bodies without a limit, faster than a replica takes them.
:func:`limit_connections` is Serve's hook in each process that is about to start a server.
"""

from __future__ import annotations

import asyncio
import resource
from collections import deque
from typing import Any

from uvicorn.config import HTTP_PROTOCOLS
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from serving.web.body_room import MAX_BODIES, BodyRoom
from serving.web.limits import Limits

_MAX_HEAD = 65_536  # bytes of headers, as HAProxy's buffer allows a quarter of
_WRITE_TIMEOUT_S = 30.0
_BODY_MARGIN_S = 1.0  # the guard's answer comes before the end of the connection
_OTHER_FILES = 512  # open files of a process besides its connections
_SPARE = 2  # times the guard's limit of all bodies, so that the guard refuses first, with a reason
_MAX_PIPELINE = 16  # requests of a connection that wait for the answer to another


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
        self.bodies = BodyRoom[LimitedProtocol](_SPARE * MAX_BODIES * limits.max_body, LimitedProtocol.give_up)
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

    Of a body that is too large one byte more than allowed is received, so that the application refuses it. All bodies
    in memory have at most 32 times the largest size; the oldest that is still arriving is given up for others (408).

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
        self._complete_bodies: deque[int] = deque()  # bytes, by request without an answer; 0 while the body arrives
        self._is_too_large = False

    @property
    def is_waiting(self) -> bool:
        """Whether no request of the client is being answered."""
        return self.cycle is None or self.cycle.response_complete or self.transport.is_closing()

    def end(self) -> None:
        """Close the connection without waiting for the client."""
        self._all.remove(self, self._address)
        self._forget_bodies()
        self.transport.abort()

    def give_up(self, status: int = 408, reason: str = "Request Timeout") -> None:
        """Close the connection because there is no room for its body."""
        if self.pipeline or self.cycle.response_started:
            self.end()
        else:
            self._refuse(status, reason)

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
        self._forget_bodies()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse data, and limit the time and size of what is still incomplete."""
        super().data_received(data)
        if self.transport.is_closing() or not self._receiving:
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
        """Expect the headers of a request; ``ValueError``, which uvicorn answers with 400, if too many wait."""
        if len(self.pipeline) >= _MAX_PIPELINE:
            raise ValueError("too many requests without waiting for an answer")
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
        self._complete_bodies.append(0)
        self._is_too_large = False

    def on_body(self, body: bytes) -> None:
        """Keep a part of a body, or stop reading where it is too large."""
        if not self.cycle.response_complete:
            room, limit = self._all.bodies, self._all.limits.max_body
            if self.transport.is_closing():
                return
            if self._is_too_large:
                self.flow.pause_reading()
                return
            body = body[: limit + 1 - room.arriving.get(self, 0)]
            if not room.add(self, len(body)):
                self.give_up(503, "Service Unavailable")
                return
            self._is_too_large = room.arriving[self] > limit
        super().on_body(body)

    def on_message_complete(self) -> None:
        """Expect nothing until the next request; a body that is too large never completes."""
        if not self.cycle.response_complete and self._complete_bodies:
            if self._is_too_large:
                self.cycle.keep_alive = False
                return
            self._complete_bodies[-1] = self._all.bodies.complete(self)
        self._receiving = False
        self._stop_timer()
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """Count the body of the request no more."""
        if self._complete_bodies:
            self._all.bodies.release(self._complete_bodies.popleft())
        if not self._complete_bodies:
            self._all.bodies.remove(self)
        super().on_response_complete()

    def _forget_bodies(self) -> None:
        self._all.bodies.remove(self)
        self._all.bodies.release(sum(self._complete_bodies))
        self._complete_bodies.clear()

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
