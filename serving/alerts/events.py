"""Events that the bot reports, and an alert as the task that found it raises it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, get_args

from configs.alerts import Severity
from configs.errors import FleetcastError, shown

Phase = Literal["raised", "repeated", "resolved"]
SEVERITIES: tuple[Severity, ...] = get_args(Severity)
MAX_BOT = 64
MAX_KEY = 255
MAX_OCCURRENCE = 64
MAX_TITLE = 300
MAX_BODY = 4000


class AlertError(FleetcastError):
    """An alert, a channel of alerts or its credentials cannot be used as they were given."""


@dataclass(frozen=True, slots=True)
class Event:
    """A kind of alert.

    Attributes
    ----------
    heading
        What stands above its alerts in a message.
    severity
        That of an alert that names none.
    lasts
        Whether it is a condition that lasts until it is resolved: it is reported when it begins, every
        ``alerts.repeat_hours`` and when it ends. Other events happen once.
    """

    heading: str
    severity: Severity
    lasts: bool = False


EVENTS: dict[str, Event] = {
    "signal": Event("Signals", "info"),
    "retraining": Event("Retraining", "info"),
    "promotion": Event("New champion", "info"),
    "rollback": Event("Rollback to the former champion", "critical"),
    "drift": Event("Feature drift", "warning", lasts=True),
    "skill": Event("Loss of skill", "critical", lasts=True),
    "dead_data": Event("Dead data", "warning", lasts=True),
    "protection": Event("Trading stopped by a protection", "critical", lasts=True),
    "calendar_unknown": Event("Calendar unknown", "warning", lasts=True),
    "missed_scans": Event("Missed scans", "warning"),
    "task_failure": Event("Task failed", "warning", lasts=True),
}
"""Every event by its name; ``alerts.events`` has a setting for each."""


@dataclass(frozen=True, slots=True)
class Alert:
    """What a task found.

    Parameters
    ----------
    bot
        The bot's name.
    event
        A name in :data:`EVENTS`.
    key
        What it is about: a symbol, a kind of models, a task; empty for the bot as a whole.
    at
        When it was found (aware). Tasks of a scan give the scan's instant, so that one message has all of its alerts
        and a repeated scan raises the same ones.
    title, body
        One line, and further text. Longer texts than 300 and 4,000 characters are cut.
    severity
        By default the event's.
    data
        Further facts as JSON; numbers that are not finite become null.
    occurrence
        What distinguishes this alert from earlier ones of the same bot, event and key, at most 64 characters; by
        default ``at``. Of conditions that last it has no effect: they are one until they end.

    Raises
    ------
    AlertError
        There is no such event or severity, or ``at`` is naive.
    """

    bot: str
    event: str
    key: str
    at: datetime
    title: str
    body: str = ""
    severity: Severity | None = None
    data: Mapping[str, Any] = field(default_factory=dict)
    occurrence: str | None = None

    def __post_init__(self) -> None:
        if self.event not in EVENTS:
            raise AlertError(f"event {shown(self.event)} does not exist. Choose one of: {', '.join(EVENTS)}.")
        if self.severity is not None and self.severity not in SEVERITIES:
            raise AlertError(f"severity {shown(self.severity)} does not exist. Choose one of: {', '.join(SEVERITIES)}.")
        if self.at.utcoffset() is None:
            raise AlertError(f"the time {self.at} of an alert has no zone. Give an aware one, such as in UTC.")
        object.__setattr__(self, "at", self.at.astimezone(UTC))
        object.__setattr__(self, "bot", one_line(self.bot, MAX_BOT))
        object.__setattr__(self, "key", one_line(self.key, MAX_KEY))
        object.__setattr__(self, "occurrence", one_line(self.occurrence or self.at.isoformat(), MAX_OCCURRENCE))
        object.__setattr__(self, "title", one_line(self.title, MAX_TITLE))
        object.__setattr__(self, "body", plain_text(self.body)[:MAX_BODY])
        object.__setattr__(self, "severity", self.severity or EVENTS[self.event].severity)
        object.__setattr__(self, "data", finite(self.data))

    @property
    def level(self) -> Severity:
        """The severity, never None."""
        return self.severity or EVENTS[self.event].severity


def plain_text(text: str) -> str:
    """Return a text that can be encoded and shown: without lone surrogates and control characters but line breaks."""
    encodable = text.encode("utf-8", "replace").decode("utf-8")
    return "".join(one if one == "\n" or one.isprintable() else " " for one in encodable)


def one_line(text: str, most: int) -> str:
    """Return a text on one line, cut to at most ``most`` characters."""
    line = " ".join(plain_text(text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def finite(value: Any) -> Any:
    """Return a value as plain JSON; numbers that are not finite become None, unknown types their text."""
    if isinstance(value, Mapping):
        return {str(key): finite(one) for key, one in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [finite(one) for one in (sorted(value, key=str) if isinstance(value, set | frozenset) else value)]
    if isinstance(value, bool | int | str) or value is None:
        return value
    try:
        number = float(value)
    except (TypeError, ValueError):
        return str(value)
    return number if math.isfinite(number) else None
