"""An answer that takes long to compute: computed off the event loop, at most once in a time, for all clients."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from configs.errors import FleetcastError

_ERROR_S = 5.0


class SharedAnswer:
    """The bytes of an answer, with the time for which they are given again.

    Parameters
    ----------
    compute
        Returns the answer; called in a thread, never twice at a time.
    fresh_s
        Seconds for which an answer is given again. An error is given again for at most 5 s, so that clients that poll
        do not each wait for a database that does not answer.
    """

    def __init__(self, compute: Callable[[], bytes], fresh_s: float) -> None:
        self._compute, self._fresh_s = compute, fresh_s
        self._answer = b""
        self._error: FleetcastError | None = None
        self._until = float("-inf")
        self._lock = asyncio.Lock()

    async def answer(self) -> bytes:
        """Return the answer; concurrent requests share one computation.

        Raises
        ------
        FleetcastError
            That of ``compute``.
        """
        async with self._lock:
            if time.monotonic() > self._until:
                try:
                    self._answer, self._error = await asyncio.to_thread(self._compute), None
                except FleetcastError as error:
                    self._error = error
                wait_s = self._fresh_s if self._error is None else min(self._fresh_s, _ERROR_S)
                self._until = time.monotonic() + wait_s
            if self._error is not None:
                raise self._error
            return self._answer
