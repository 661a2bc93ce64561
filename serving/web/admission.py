"""How many requests a replica receives, queues and processes at the same time, in total and per API key."""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.types import Message, Receive

from serving.web.body_room import MAX_BODIES, BodyRoom

_MAX_READERS = 512


class BusyError(Exception):
    """Too many requests are in progress."""


class TooLargeError(Exception):
    """A body has more bytes than allowed."""


class SlowBodyError(Exception):
    """A body did not arrive in time."""


class Shares:
    """The requests in progress of each client, at most ``most`` each."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._count: Counter[str] = Counter()

    def enter(self, client: str | None) -> None:
        """Count a request of a client, which must :meth:`leave`; None is not counted.

        Raises
        ------
        BusyError
            The client has as many requests in progress as it may.
        """
        if client is None:
            return
        if self._count[client] >= self._most:
            raise BusyError(f"{self._most} requests of this key are in progress; more are not accepted")
        self._count[client] += 1

    def leave(self, client: str | None) -> None:
        """Count a request no more."""
        if client is not None:
            self._count[client] -= 1
            if not self._count[client]:
                del self._count[client]


class Slots:
    """Requests that are processed, at most ``running``, and those that wait for it, at most ``waiting``.

    ``async with slots:`` waits for a slot and occupies it, or raises ``BusyError`` if too many requests wait.
    """

    def __init__(self, running: int, waiting: int) -> None:
        self._free = asyncio.Semaphore(running)
        self._waiting, self._most = 0, waiting

    async def __aenter__(self) -> None:
        if not self._free.locked():
            await self._free.acquire()
            return
        if self._waiting >= self._most:
            raise BusyError(f"{self._waiting} requests are waiting; more are not accepted")
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1

    async def __aexit__(self, *_: object) -> None:
        self._free.release()


class BodyReader:
    """Receives bodies before their requests are processed.

    At most 512 bodies are received at the same time, and all bodies in memory have at most 16 times ``max_body`` bytes.
    Beyond that the body that has been arriving for the longest time is given up, so that clients which never complete
    theirs cannot keep others out.

    Parameters
    ----------
    max_body
        Maximum bytes of a body.
    timeout_s
        Seconds in which a body must arrive.
    """

    def __init__(self, max_body: int, timeout_s: float) -> None:
        self._max_body, self._timeout_s = max_body, timeout_s
        self._room = BodyRoom[asyncio.Timeout](MAX_BODIES * max_body, _expire)

    async def read(self, receive: Receive) -> bytes | None:
        """Return a body, or None if the client closed the connection; every body must be released.

        Raises
        ------
        TooLargeError
            It has more bytes than allowed.
        SlowBodyError
            It did not arrive in time, or was given up for others.
        BusyError
            The bodies of requests that are being processed leave no room for it.
        """
        chunks: list[bytes] = []
        complete = False
        deadline = asyncio.timeout(self._timeout_s)
        try:
            async with deadline:
                self._room.add(deadline, 0)
                if len(self._room.arriving) > _MAX_READERS:
                    self._room.give_up_oldest(deadline)
                while not complete:
                    message: Message = await receive()
                    if message["type"] == "http.disconnect":
                        return None
                    chunk = message.get("body", b"")
                    self._add(deadline, len(chunk))
                    chunks.append(chunk)
                    complete = not message.get("more_body", False)
        except TimeoutError:
            raise SlowBodyError from None
        finally:
            if complete:
                self._room.complete(deadline)
            else:
                self._room.remove(deadline)
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    def release(self, body: bytes) -> None:
        """Count a body no more: its request has been answered."""
        self._room.release(len(body))

    def _add(self, reader: asyncio.Timeout, count: int) -> None:
        """Count bytes that arrived, and give up older bodies until all are within the limit."""
        if reader not in self._room.arriving:  # given up while these bytes arrived: its deadline has passed
            raise SlowBodyError
        if self._room.arriving[reader] + count > self._max_body:
            raise TooLargeError
        if not self._room.add(reader, count):
            raise BusyError("too many large requests are in progress")


def _expire(reader: asyncio.Timeout) -> None:
    reader.reschedule(asyncio.get_running_loop().time())
