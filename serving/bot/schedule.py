"""When a task is due: wall-clock schedules in UTC or a named zone, and what to run after a delay or a clock change.

Pure functions of the times that are given; nothing here reads a clock.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from configs.errors import ConfigError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_MOST_COUNTED = 10_000  # ticks of a cron schedule that are counted one by one
_LONGEST_S = 366 * 86_400


class Schedule(Protocol):
    """Instants (ticks) at which a task is due."""

    def after(self, instant: datetime) -> datetime:
        """Return the first tick after an instant, UTC."""
        ...

    def passed(self, last: datetime, now: datetime) -> tuple[datetime | None, int]:
        """Return the newest tick in ``(last, now]``, and how many ticks there are; None and 0 without any."""
        ...

    def __str__(self) -> str:
        """Return the text that :func:`parse_schedule` reads."""
        ...


@dataclass(frozen=True, slots=True)
class Every:
    """Ticks at whole multiples of a period since 1970-01-01 00:00 UTC: ``every 10m`` is at :00, :10, :20 and so on."""

    period_s: float

    def __str__(self) -> str:
        """Return the text that :func:`parse_schedule` reads, such as ``every 10m``."""
        unit = next(name for name in "dhms" if self.period_s % _SECONDS[name] == 0 or name == "s")
        return f"every {self.period_s / _SECONDS[unit]:.12g}{unit}"

    def after(self, instant: datetime) -> datetime:
        """Return the first tick after an instant, UTC."""
        return self._tick(self._number(instant) + 1)

    def passed(self, last: datetime, now: datetime) -> tuple[datetime | None, int]:
        """Return the newest tick in ``(last, now]``, and how many ticks there are; None and 0 without any."""
        newest = self._number(now)
        count = max(0, newest - self._number(last))
        return (self._tick(newest) if count else None), count

    def _number(self, instant: datetime) -> int:
        return int((instant - _EPOCH) // timedelta(seconds=self.period_s))

    def _tick(self, number: int) -> datetime:
        return _EPOCH + number * timedelta(seconds=self.period_s)


@dataclass(frozen=True, slots=True)
class Cron:
    """Ticks of a cron expression of five fields in a time zone, with Debian cron's rules where clocks change.

    A run at a time that a change to summer time skips comes at the change; one at a time that occurs twice comes once,
    at the first. More than 10,000 passed ticks count as 10,000.
    """

    expression: str
    zone: str = "UTC"

    def __str__(self) -> str:
        """Return the text that :func:`parse_schedule` reads."""
        return f"{self.expression} {self.zone}"

    def after(self, instant: datetime) -> datetime:
        """Return the first tick after an instant, UTC."""
        return next(self._ticks(instant))

    def passed(self, last: datetime, now: datetime) -> tuple[datetime | None, int]:
        """Return the newest tick in ``(last, now]``, and how many ticks there are; None and 0 without any."""
        newest, count = None, 0
        for tick in self._ticks(last):
            if tick > now:
                return newest, count
            newest, count = tick, count + 1
            if count == _MOST_COUNTED:
                break
        return max(self._newest(now), newest or last), count

    def _ticks(self, instant: datetime) -> Iterator[datetime]:
        for tick in CronSim(self.expression, instant.astimezone(ZoneInfo(self.zone))):
            # Where clocks go back, cronsim may return the first of two equal local times, which lies before.
            if (found := tick.astimezone(UTC)) > instant:
                yield found

    def _newest(self, now: datetime) -> datetime:
        local = (now + timedelta(seconds=1)).astimezone(ZoneInfo(self.zone))
        for tick in CronSim(self.expression, local, reverse=True):
            if (found := tick.astimezone(UTC)) <= now:
                return found
        raise ConfigError(f"schedule {self.expression!r} has no time in 50 years. Give another.")


class Due(NamedTuple):
    """A run that is due since the tick ``at``, and the number of earlier ticks that had none."""

    at: datetime
    missed: int


class Progress(NamedTuple):
    """The newest tick that needs no run any more, and the run that is due now, if any."""

    last: datetime
    due: Due | None


def advance(schedule: Schedule, last: datetime, now: datetime) -> Progress:
    """Return what is due at the time ``now``.

    A delay of several ticks, because the task before it was slow or the computer slept, is made up by one run for the
    newest tick; the others are counted as missed. After a clock was set back no tick is repeated unless it was set back
    by more than a tick: then the schedule goes on at the next tick from the new time.

    Parameters
    ----------
    last
        The tick of the last run, or when the task was first known.
    """
    if last > now:
        behind = last > schedule.after(schedule.after(now))
        return Progress(now if behind else last, None)
    newest, count = schedule.passed(last, now)
    return Progress(last, None if newest is None else Due(newest, count - 1))


def parse_schedule(text: str) -> Schedule:
    """Return the schedule of a text: ``every 10m``, or ``30 2 * * *`` with a time zone behind it if not UTC.

    Raises
    ------
    ConfigError
        The text is neither, or the time zone is not known.

    Examples
    --------
    >>> parse_schedule("every 10m").after(datetime(2026, 1, 1, 9, 5, tzinfo=UTC)).isoformat()
    '2026-01-01T09:10:00+00:00'
    >>> parse_schedule("30 2 * * * America/New_York").after(datetime(2026, 3, 8, tzinfo=UTC)).isoformat()
    '2026-03-08T07:00:00+00:00'
    """
    parts = text.split()
    if parts[:1] == ["every"]:
        found = re.fullmatch(r"(\d+(?:\.\d+)?)([smhd])", "".join(parts[1:]))
        period_s = float(found[1]) * _SECONDS[found[2]] if found else 0.0
        if not 1.0 <= period_s <= _LONGEST_S:
            raise ConfigError(f"schedule {text!r} is no period from 1s to 366d. Give one such as 'every 10m'.")
        return Every(period_s)
    if len(parts) not in (5, 6):
        raise ConfigError(
            f"schedule {text!r} is not understood. Give 'every 10m', or the five fields of cron and a time zone, such "
            "as '30 16 * * mon-fri America/New_York'."
        )
    schedule = Cron(" ".join(parts[:5]), parts[5] if len(parts) == 6 else "UTC")
    try:
        ZoneInfo(schedule.zone)
        schedule.after(_EPOCH)
    except (CronSimError, StopIteration) as error:
        reason = str(error) or "there is no such day"
        raise ConfigError(f"schedule {text!r} is no cron expression ({reason}). See `man 5 crontab`.") from error
    except (LookupError, ValueError, OSError) as error:
        raise ConfigError(
            f"schedule {text!r} has the time zone {schedule.zone!r}, which is not known. Give one such as UTC or "
            "America/New_York."
        ) from error
    return schedule
