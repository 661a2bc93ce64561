"""Deletes old rows of the journal; never what an open position, a running test or the next step needs."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, and_, delete, exists, func, or_, select

from serving.journal import schema
from serving.journal.types import aware

_UNSENT = ("waiting", "sending", "unknown")


def prune(connection: Connection, keep_days: int, now: datetime, *, dry_run: bool = False) -> dict[str, int]:
    """Delete rows older than ``keep_days``, and return how many of each table.

    Kept whatever their age: the last step, account and positions of each bot; orders that are open, and the orders,
    fills and signals of symbols in which a bot has a position; alerts that are not delivered, and conditions that
    last; shadows that are being tested, with the predictions of both versions since the test began; the newest shadow
    and the newest retraining of each kind, and those that run; the newest state of each test. A strategy measures the
    skill of its past predictions, so what it does afterwards may differ.

    Parameters
    ----------
    connection
        Of :meth:`.Journal.begin`; with ``dry_run`` nothing is deleted.
    now
        The time, aware.
    """
    cutoff = aware(now) - timedelta(days=keep_days)
    counts = {}
    for table, old in _old_rows(cutoff).items():
        if dry_run:
            counts[table.name] = connection.execute(select(func.count()).select_from(table).where(old)).scalar_one()
        else:
            counts[table.name] = connection.execute(delete(table).where(old)).rowcount
    return counts


def _old_rows(cutoff: datetime) -> Mapping[Table, ColumnElement[bool]]:
    """Return which rows to delete, in an order in which no row loses what it refers to."""
    s = schema
    prediction = and_(s.predictions.c.bar_close < cutoff, ~_of_running_test())
    order = and_(s.orders.c.bar_close < cutoff, s.orders.c.state != "open", ~_in_position(s.orders))
    alert = and_(s.alerts.c.created_at < cutoff, ~_needed_alert())
    return {
        s.outcomes: s.outcomes.c.prediction_id.in_(select(s.predictions.c.id).where(prediction)),
        s.predictions: prediction,
        s.fills: s.fills.c.order_id.in_(select(s.orders.c.id).where(order)),
        s.orders: order,
        s.signals: and_(s.signals.c.bar_close < cutoff, ~_in_position(s.signals)),
        s.positions: and_(s.positions.c.instant < cutoff, s.positions.c.instant < _newest(s.accounts, s.positions)),
        s.accounts: and_(s.accounts.c.instant < cutoff, s.accounts.c.instant < _newest(s.accounts)),
        s.steps: and_(s.steps.c.instant < cutoff, s.steps.c.instant < _newest(s.steps)),
        s.deliveries: s.deliveries.c.alert_id.in_(select(s.alerts.c.id).where(alert)),
        s.alerts: alert,
        s.task_runs: and_(s.task_runs.c.started_at < cutoff, s.task_runs.c.finished_at.is_not(None)),
        s.retrainings: and_(
            s.retrainings.c.started_at < cutoff,
            s.retrainings.c.finished_at.is_not(None),
            s.retrainings.c.started_at < _newest_of_kind(s.retrainings, "started_at"),
        ),
        s.shadows: and_(s.shadows.c.ended_at < cutoff, s.shadows.c.since < _newest_of_kind(s.shadows, "since")),
        s.monitor_states: and_(s.monitor_states.c.day < cutoff.date(), s.monitor_states.c.day < _newest_state()),
    }


def _newest(table: Table, of: Table | None = None) -> Any:
    """Return the newest instant of the same bot in a table, by default in its own."""
    other = table.alias()
    bot = (table if of is None else of).c.bot
    return select(func.max(other.c.instant)).where(other.c.bot == bot).scalar_subquery()


def _newest_of_kind(table: Table, time: str) -> Any:
    """Return the newest time of the same kind of models in a table."""
    other = table.alias()
    return select(func.max(other.c[time])).where(other.c.kind == table.c.kind).scalar_subquery()


def _newest_state() -> Any:
    other = schema.monitor_states.alias()
    same = other.c.name == schema.monitor_states.c.name
    return select(func.max(other.c.day)).where(same).scalar_subquery()


def _in_position(table: Table) -> ColumnElement[bool]:
    """Return whether a row's bot has a position in its symbol."""
    held = schema.positions.alias()
    other = schema.accounts.alias()
    newest = select(func.max(other.c.instant)).where(other.c.bot == held.c.bot).scalar_subquery()
    same = and_(held.c.bot == table.c.bot, held.c.symbol == table.c.symbol)
    return exists().where(same, held.c.quantity != 0.0, held.c.instant == newest)


def _of_running_test() -> ColumnElement[bool]:
    one, prediction = schema.shadows, schema.predictions
    version = or_(one.c.champion == prediction.c.version, one.c.shadow == prediction.c.version)
    running = and_(one.c.ended_at.is_(None), one.c.kind == prediction.c.kind)
    return exists().where(running, version, prediction.c.bar_close >= one.c.since)


def _needed_alert() -> ColumnElement[bool]:
    delivery, alert = schema.deliveries, schema.alerts
    waiting = exists().where(delivery.c.alert_id == alert.c.id, delivery.c.state.in_(_UNSENT))
    return or_(waiting, alert.c.resolved_at.is_(None))
