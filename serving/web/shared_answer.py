"""An answer that takes long to compute: computed off the event loop, at most once in a time, for all clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from pydantic_core import to_json

from configs.errors import FleetcastError

_ERROR_S = 5.0
Opened = TypeVar("Opened")


class SharedAnswer:
    """The bytes of an answer, with the time for which they are given again.

    Parameters
    ----------
    compute
        Returns the answer; called in a thread, never twice at a time, although clients leave meanwhile.
    fresh_s
        Seconds for which an answer is given again. An error is given again for at most 5 s, so that clients that poll
        do not each wait for a database that does not answer.
    """

    def __init__(self, compute: Callable[[], bytes], fresh_s: float) -> None:
        self._compute, self._fresh_s = compute, fresh_s
        self._answer = b""
        self._error: FleetcastError | None = None
        self._until = float("-inf")
        self._running: asyncio.Future[None] | None = None

    async def answer(self) -> bytes:
        """Return the answer; concurrent requests share one computation.

        Raises
        ------
        FleetcastError
            That of ``compute``.
        """
        if self._running is None and time.monotonic() > self._until:
            self._running = asyncio.ensure_future(self._renewed())
        if self._running is not None:
            await asyncio.shield(self._running)
        if self._error is not None:
            raise self._error.with_traceback(None)
        return self._answer

    async def _renewed(self) -> None:
        try:
            self._answer, self._error = await asyncio.to_thread(self._compute), None
            self._until = time.monotonic() + self._fresh_s
        except FleetcastError as error:
            self._error = error
            self._until = time.monotonic() + min(self._fresh_s, _ERROR_S)
        finally:
            self._running = None


class OpenedAnswer(SharedAnswer, Generic[Opened]):
    """A shared JSON answer from something that is opened on first use, such as a database.

    Parameters
    ----------
    open_it
        Called in a thread on first use, and again if it raised.
    document
        Returns the answer as JSON-able values; called in a thread.
    fresh_s
        Seconds for which an answer is given again.
    """

    def __init__(self, open_it: Callable[[], Opened], document: Callable[[Opened], object], fresh_s: float) -> None:
        super().__init__(self._json, fresh_s)
        self._open, self._document = open_it, document
        self._opened: Opened | None = None

    def _json(self) -> bytes:
        if self._opened is None:
            self._opened = self._open()
        return to_json(self._document(self._opened))
