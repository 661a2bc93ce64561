"""Notices that the clock of this host was set: schedules follow it, and the log says why runs come at other times."""

from __future__ import annotations

import logging
from datetime import datetime

_LEAST_S = 60.0  # less is the usual correction of a clock
_log = logging.getLogger(__name__)


class ClockWatch:
    """Compares the clock with a counter that no one sets."""

    def __init__(self) -> None:
        self._clock: datetime | None = None
        self._counter_s = 0.0

    def look(self, now: datetime, counter_s: float) -> float:
        """Return by how many seconds the clock was set since the last look, and log it; 0 if it was not.

        Parameters
        ----------
        now
            The clock, aware.
        counter_s
            Seconds of :func:`time.monotonic`, which do not pass while the computer sleeps.
        """
        passed = 0.0 if self._clock is None else (now - self._clock).total_seconds() - (counter_s - self._counter_s)
        self._clock, self._counter_s = now, counter_s
        if abs(passed) < _LEAST_S:
            return 0.0
        if passed > 0.0:
            text = "the clock went ahead by %.0f s, or the computer slept: runs since are missed"
        else:
            text = "the clock was set back by %.0f s: no run is repeated, and schedules go on from the new time"
        _log.warning(f"{text} (it is %s)", abs(passed), now)
        return passed
