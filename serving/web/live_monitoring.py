"""``/v1/monitoring``: what the journal's forecasts are worth, computed at most once a minute and off the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pydantic_core import to_json

if TYPE_CHECKING:
    from serving.monitoring.monitor import Monitor

_FRESH_S = 60.0


class LiveMonitoring:
    """Answers from a monitor that is opened on first use.

    Parameters
    ----------
    open_monitor
        Opens the journal and returns its monitor; called in a thread, and again after an error.
    fresh_s
        Seconds for which an answer is given again.
    """

    def __init__(self, open_monitor: Callable[[], Monitor], fresh_s: float = _FRESH_S) -> None:
        self._open, self._fresh_s = open_monitor, fresh_s
        self._monitor: Monitor | None = None
        self._answer: tuple[float, bytes] | None = None
        self._lock = asyncio.Lock()

    async def answer(self) -> bytes:
        """Return the JSON of :meth:`.MonitoringResult.to_json`; concurrent requests share one computation.

        Raises
        ------
        DatabaseError
            The journal cannot be read.
        """
        async with self._lock:
            if self._answer is None or time.monotonic() - self._answer[0] > self._fresh_s:
                self._answer = (time.monotonic(), await asyncio.to_thread(self._computed))
            return self._answer[1]

    def _computed(self) -> bytes:
        """Return the result; nothing is written, because the bot does that."""
        if self._monitor is None:
            self._monitor = self._open()
        return to_json(self._monitor.run(store=False).to_json())
