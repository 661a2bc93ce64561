"""Alerts of a scan: signals to act on, protections, dead data of symbols and sources, unknown calendars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from sqlalchemy import Connection

from configs.alerts import AlertsConfig
from features.alternative.stopped import StoppedSource
from features.bars.arrays import Dates
from serving.alerts.events import Alert
from serving.alerts.outbox import open_conditions, raise_alerts, resolve_alerts, settle
from serving.alerts.signals import signal_alerts
from serving.bot.closed_bars import ClosedBars
from serving.bot.step_result import StepAlert, StepResult
from serving.journal.database import Journal
from serving.journal.leases import Lease

_OF_SOURCES, _SOURCE = "dead_data", "source "
_EVENTS = {"stale": "dead_data", "no_bars": "dead_data", "calendar_unknown": "calendar_unknown"}


class DataState(NamedTuple):
    """What a scan found of its data: verdicts on the bars of each symbol, and sources of alternative data that stopped.

    ``stopped`` is None where sources were not judged.
    """

    verdicts: Mapping[str, tuple[ClosedBars, Dates]]
    stopped: Sequence[StoppedSource] | None = None


def alert_writer(
    data: DataState, settings: AlertsConfig
) -> Callable[[Connection, StepResult, Sequence[StepAlert]], None]:
    """Return what writes the alerts of a step in its transaction; ``data`` are those at its close."""
    repeat = timedelta(hours=settings.repeat_hours)

    def write(connection: Connection, result: StepResult, found: Sequence[StepAlert]) -> None:
        bot, at = result.bot, result.instant
        equity = result.account_row["equity"]
        held = {one["symbol"]: one["value"] / equity for one in result.position_rows} if equity else {}
        raised = signal_alerts(bot, result.signals, held, at, settings.signal_change, result.planned)
        for one in found:
            if one.is_over:
                resolve_alerts(connection, bot, one.event, [one.key], at)
            else:
                raised.append(Alert(bot, one.event, one.key, at, one.title, one.body, data=one.data or {}))
        raise_alerts(connection, raised, repeat)
        _settle(connection, bot, data, at, repeat)

    return write


def settle_data(
    journal: Journal, lease: Lease, bot: str, data: DataState, at: datetime, settings: AlertsConfig
) -> None:
    """Raise and end alerts on data where a scan makes no step, because all symbols may have a problem."""
    with journal.begin() as connection:
        lease.guard(connection)
        _settle(connection, bot, data, at, timedelta(hours=settings.repeat_hours))


def _settle(connection: Connection, bot: str, data: DataState, at: datetime, repeat: timedelta) -> None:
    for event in dict.fromkeys(_EVENTS.values()):
        current = [
            Alert(bot, event, name, at, f"{name}: {one.reason}")
            for name, (one, _) in data.verdicts.items()
            if one.problem is not None and _EVENTS[one.problem] == event
        ]
        judged = None
        if event == _OF_SOURCES:
            current += [Alert(bot, event, f"{_SOURCE}{one.name}", at, f"{one}.") for one in data.stopped or ()]
            if data.stopped is None:  # sources that have stopped stay as they are
                judged = {row.key for row in open_conditions(connection, bot, event)}
                judged = {key for key in judged if not key.startswith(_SOURCE)}
        settle(connection, bot, event, current, at, judged, repeat)
