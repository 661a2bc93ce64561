"""Alerts of a scan: signals to act on, protections, dead data of symbols and sources, unknown calendars."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

from sqlalchemy import Connection

from configs.alerts import AlertsConfig
from features.alternative.stopped import StoppedSource
from features.bars.arrays import Dates
from serving.alerts.events import Alert
from serving.alerts.outbox import open_conditions, raise_alerts, resolve_alerts, settle
from serving.alerts.signals import signal_alerts
from serving.bot.closed_bars import ClosedBars
from serving.bot.result import StepAlert, StepResult
from serving.journal.database import Journal
from serving.journal.leases import Lease

Verdicts = Mapping[str, tuple[ClosedBars, Dates]]
Stopped = Sequence[StoppedSource] | None
_OF_SOURCES, _SOURCE = "dead_data", "source "
_EVENTS = {"stale": "dead_data", "no_bars": "dead_data", "calendar_unknown": "calendar_unknown"}


def alert_writer(
    verdicts: Verdicts, settings: AlertsConfig, stopped: Stopped = None
) -> Callable[[Connection, StepResult, Sequence[StepAlert]], None]:
    """Return what writes the alerts of a step in its transaction.

    Parameters
    ----------
    verdicts
        On the bars of each symbol at the close of the step.
    stopped
        Alternative data that have stopped; None where that was not judged.
    """
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
        _settle(connection, bot, verdicts, stopped, at, repeat)

    return write


def settle_data(
    journal: Journal,
    lease: Lease,
    bot: str,
    verdicts: Verdicts,
    at: datetime,
    settings: AlertsConfig,
    stopped: Stopped = None,
) -> None:
    """Raise and end alerts on data where a scan makes no step, because all symbols may have a problem."""
    with journal.begin() as connection:
        lease.guard(connection)
        _settle(connection, bot, verdicts, stopped, at, timedelta(hours=settings.repeat_hours))


def _settle(
    connection: Connection, bot: str, verdicts: Verdicts, stopped: Stopped, at: datetime, repeat: timedelta
) -> None:
    for event in dict.fromkeys(_EVENTS.values()):
        current = [
            Alert(bot, event, name, at, f"{name}: {one.reason}")
            for name, (one, _) in verdicts.items()
            if one.problem is not None and _EVENTS[one.problem] == event
        ]
        judged = None
        if event == _OF_SOURCES:
            current += [Alert(bot, event, f"{_SOURCE}{one.name}", at, f"{one}.") for one in stopped or ()]
            if stopped is None:  # sources that have stopped stay as they are
                judged = {row.key for row in open_conditions(connection, bot, event)}
                judged = {key for key in judged if not key.startswith(_SOURCE)}
        settle(connection, bot, event, current, at, judged, repeat)
