"""Runs that were missed: one line in the log after a start, and whether scans that did not run are worth an alert."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime

from serving.bot.schedule import Due, Schedule

_log = logging.getLogger(__name__)


class MissedRuns:
    """Judges the gaps between the runs of a process, the first one being since the process before.

    Parameters
    ----------
    bot
        Its name.
    longest_s
        Seconds without a run after which missed runs are a warning, and missed scans an alert (``bot.missed_s``).
    stopped_at
        When the process before was stopped on purpose; None if it was not.
    """

    def __init__(self, bot: str, longest_s: float, stopped_at: datetime | None) -> None:
        self._bot, self._longest_s, self._stopped_at = bot, longest_s, stopped_at
        self._started: set[str] = set()

    def since_the_process_before(
        self, schedules: Mapping[str, Schedule], done: Mapping[str, datetime], now: datetime
    ) -> None:
        """Log in one line which runs were missed since the process before.

        Parameters
        ----------
        done
            The newest tick of each task that a run finished well.
        """
        passed = {name: schedules[name].passed(done[name], now)[1] - 1 for name in schedules if name in done}
        missed = {name: count for name, count in passed.items() if count > 0}
        if not missed:
            return
        counts = ", ".join(f"{name} {count}" for name, count in missed.items())
        if self._stopped_at is not None:
            _log.info("bot %s was stopped on purpose at %s; missed since: %s", self._bot, self._stopped_at, counts)
            return
        since = min(done[name] for name in missed)
        text = "bot %s did not run from %s to %s, without having been stopped; missed: %s"
        _log.log(self._level(since, now), text, self._bot, since, now, counts)

    def silent_since(self, task: str, last: datetime, due: Due) -> datetime | None:
        """Return ``last``, the tick of the run before, if so long a time without a run is worth an alert."""
        is_first = task not in self._started
        self._started.add(task)
        if not due.missed or (is_first and self._stopped_at is not None):
            return None
        level = self._level(last, due.at)
        if not is_first:
            _log.log(level, "%s: %d runs were missed before %s", task, due.missed, due.at)
        return last if level == logging.WARNING else None

    def _level(self, since: datetime, until: datetime) -> int:
        is_long = (until - since).total_seconds() > self._longest_s
        return logging.WARNING if is_long else logging.INFO
