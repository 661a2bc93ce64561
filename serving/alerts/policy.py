"""Decisions on alerts, without side effects: which are reported, through which channels, and when."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from configs.alerts import EventsConfig, Mode, Severity
from serving.alerts.events import SEVERITIES, Phase

_FIRST_BACKOFF_S = 5.0
_LAST_BACKOFF_S = 600.0
_LONGEST_HOLD = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Lasting:
    """The newest report of a condition that lasts: when it was made, and its severity."""

    at: datetime
    severity: Severity


def phase_of(at: datetime, severity: Severity, last: Lasting | None, repeat: timedelta) -> Phase | None:
    """Return how a condition that is found at a time is reported; None if it is silent.

    It is ``raised`` when it begins or becomes more severe, and ``repeated`` when its last report is older than
    ``repeat``.
    """
    if last is None or (SEVERITIES.index(severity) > SEVERITIES.index(last.severity) and at >= last.at):
        return "raised"
    return "repeated" if at - last.at >= repeat else None


def mode_of(event: str, severity: Severity, minimum: Severity, events: EventsConfig) -> Mode:
    """Return whether an alert is sent through a channel with this least severity: ``on``, ``silent`` or ``off``."""
    mode: Mode = getattr(events, event)
    return mode if SEVERITIES.index(severity) >= SEVERITIES.index(minimum) else "off"


def backoff_s(failures: int) -> float:
    """Return the seconds to wait after this many failed attempts in a row: 5, 10, 20 … at most 600."""
    return min(_FIRST_BACKOFF_S * 2.0 ** min(failures - 1, 16), _LAST_BACKOFF_S) if failures > 0 else 0.0


@dataclass(frozen=True, slots=True)
class History:
    """What is recorded of a channel.

    Attributes
    ----------
    attempts
        Times of the attempts of the last minute or more.
    failures
        Attempts since the last message that was sent.
    retry_at
        Until when the service wants no message; None if it did not say.
    """

    attempts: Sequence[datetime] = ()
    failures: int = 0
    retry_at: datetime | None = None


def next_attempt(now: datetime, history: History, pace: Sequence[tuple[int, float]]) -> datetime:
    """Return when the next message may be sent, ``now`` or later.

    Parameters
    ----------
    now
        The present.
    history
        Attempts so far. Times after ``now``, from before a clock was set back, are ignored.
    pace
        ``(count, seconds)`` pairs: at most ``count`` messages in any ``seconds``.
    """
    attempts = sorted(at for at in history.attempts if at <= now)
    times = [now]
    times += [attempts[-count] + timedelta(seconds=window) for count, window in pace if len(attempts) >= count]
    if attempts:
        times.append(attempts[-1] + timedelta(seconds=backoff_s(history.failures)))
    if history.retry_at is not None and history.retry_at - now <= _LONGEST_HOLD:
        times.append(history.retry_at)
    return max(times)
