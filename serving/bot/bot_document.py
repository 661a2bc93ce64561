"""The state of all bots of a journal as one JSON document of bounded size."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from serving.alerts.events import finite
from serving.bot.known_bots import leased_bots
from serving.bot.status import BotStatus, read_status
from serving.journal.database import Journal
from serving.journal.schema import accounts, retrainings, shadows, steps

_STEPS = 500
_BOTS, _ROWS, _ALERTS, _MODELS = 10, 1_000, 100, 10
_LONGEST_TEXT = 2_000
_OF_SIGNALS = (
    "symbol action direction confidence strength position_size stop take_profit volatility regime reasons"
).split()
_OF_POSITIONS = "symbol quantity mark value realised_pnl unrealised_pnl costs".split()
_OF_ACCOUNTS = "instant cash equity gross net daily_return drawdown".split()
_OF_ALERTS = "event key severity since created_at title body".split()
_OF_TASKS = "task due_at started_at finished_at outcome missed error".split()


def read_bots(journal: Journal, now: datetime) -> dict[str, Any]:
    """Return the state of every bot, of the versions that are compared, and of the newest trainings.

    Times are ISO text in UTC, returns and weights shares, amounts money of the account; null is unknown. Lists that can
    be long are cut, and a field with ``_count`` in its name has the number of all.

    Parameters
    ----------
    now
        The time (aware) at which bots are judged to live.

    Raises
    ------
    DatabaseError
        The journal cannot be read.
    """
    with journal.connect() as connection:
        names = leased_bots(connection)
        found = [_bot(connection, name, now) for name in names[:_BOTS]]
        ended = shadows.c.ended_at
        compared = _rows(connection, select(shadows).order_by(ended.is_not(None), shadows.c.since.desc()))
        trained = _rows(connection, select(retrainings).order_by(retrainings.c.started_at.desc()))
    document = {
        "at": now,
        "bots": found,
        "bots_count": len(names),
        "shadows": _without(compared, "state"),
        "retrainings": _without(trained, "data"),
    }
    return {key: _plain(value) for key, value in document.items()}


def _bot(connection: Connection, name: str, now: datetime) -> dict[str, Any]:
    status = read_status(connection, name, now)
    first = select(accounts.c.instant, accounts.c.equity).where(accounts.c.bot == name)
    began = connection.execute(first.order_by(accounts.c.instant).limit(1)).mappings().one_or_none()
    trades = sorted(status.signals, key=lambda row: (row["action"] not in ("buy", "sell"), row["symbol"]))
    positions = sorted(status.positions, key=lambda row: (row["quantity"] == 0.0, row["symbol"]))
    alerts = sorted(status.alerts, key=lambda row: row["created_at"], reverse=True)
    return {
        "bot": name,
        "healthy": status.is_healthy,
        "problems": status.problems,
        "holder": status.holder,
        "lives_until": status.lives_until,
        "last_scan": status.last_scan,
        "silent_periods": status.silent_periods,
        "stopped_at": status.stopped_at,
        "schedule": status.schedule,
        "scan_period_s": status.scan_period_s,
        "next_scan": status.next_scan,
        "step": _newest_step(connection, status),
        "strategy": status.signals[0]["strategy"] if status.signals else None,
        "account": _fields(status.account, _OF_ACCOUNTS) if status.account else None,
        "began": None if began is None else dict(began),
        "series": _series(connection, name),
        "signals": [_fields(row, _OF_SIGNALS) for row in trades[:_ROWS]],
        "signals_count": len(trades),
        "orders": [_order(row) for row in status.orders[:_ROWS]],
        "orders_count": len(status.orders),
        "positions": [_fields(row, _OF_POSITIONS) for row in positions[:_ROWS]],
        "positions_count": len(positions),
        "alerts": [_fields(row, _OF_ALERTS) for row in alerts[:_ALERTS]],
        "alerts_count": len(alerts),
        "tasks": [_fields(row, _OF_TASKS) for row in status.tasks.values()],
    }


def _order(row: Mapping[str, Any]) -> dict[str, Any]:
    """Return an order that waits; ``quantity`` is what is not filled yet, without a sign."""
    return {
        "symbol": row["symbol"],
        "side": "buy" if row["quantity"] > 0.0 else "sell",
        "quantity": abs(row["left"]),
        "is_partly_filled": row["state"] == "part",
        "decided_at": row["bar_close"],
        "bar_date": row["bar_date"],
        "fills_at": row["fills_at"],
        "reason": row["reason"],
    }


def _newest_step(connection: Connection, status: BotStatus) -> dict[str, Any] | None:
    if status.step is None:
        return None
    own = select(steps.c.instant, steps.c.finished_at, steps.c.symbols, steps.c.notes)
    row = connection.execute(own.where(steps.c.bot == status.bot, steps.c.instant == status.step)).mappings().one()
    date = status.signals[0]["bar_date"] if status.signals else None
    return {**row, "bar_date": date}


def _series(connection: Connection, bot: str) -> dict[str, list[Any]]:
    """Return equity and drawdown of the last steps, the oldest first."""
    columns = (accounts.c.instant, accounts.c.equity, accounts.c.drawdown)
    newest = select(*columns).where(accounts.c.bot == bot).order_by(accounts.c.instant.desc()).limit(_STEPS)
    rows = list(connection.execute(newest))[::-1]
    return {column.name: [row[place] for row in rows] for place, column in enumerate(columns)}


def _rows(connection: Connection, statement: Select[Any]) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(statement.limit(_MODELS)).mappings()]


def _without(rows: Sequence[Mapping[str, Any]], name: str) -> list[dict[str, Any]]:
    return [{key: value for key, value in row.items() if key != name} for row in rows]


def _fields(row: Mapping[str, Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: row[name] for name in names}


def _plain(value: Any) -> Any:
    """Return a value as JSON with times as ISO text, numbers that are not finite as null, and long texts cut."""
    if isinstance(value, Mapping):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return value if len(value) <= _LONGEST_TEXT else value[: _LONGEST_TEXT - 1] + "…"
    return finite(value)
