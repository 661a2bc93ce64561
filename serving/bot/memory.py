"""What a bot that starts again reads from its journal: its newest step, and the forecasts of all its steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
from sqlalchemy import Connection, select

from configs.values import Kind
from serving.answers import KINDS
from serving.journal.database import Journal
from serving.journal.kind_columns import KIND_COLUMNS, stored_name
from serving.journal.predictions import PredictionRow
from serving.journal.schema import orders, positions, predictions, steps


@dataclass(frozen=True, slots=True)
class Past:
    """The steps of a bot.

    Attributes
    ----------
    instant, date
        Of the newest step: its close, and the date of its bars.
    first
        By kind: the version that the bot forecast with first, and the date of the bars of that step. A kind whose
        first champion came later has a later date.
    open_symbols
        Symbols with a position or an open order.
    """

    instant: datetime
    date: np.datetime64
    first: Mapping[Kind, tuple[str, np.datetime64]]
    open_symbols: tuple[str, ...]

    @property
    def first_date(self) -> np.datetime64:
        """The date of the bars of the first step."""
        return min(date for _, date in self.first.values())


def newest_instant(journal: Journal, bot: str) -> datetime | None:
    """Return the close of a bot's newest step; None before its first."""
    newest = select(steps.c.instant).where(steps.c.bot == bot).order_by(steps.c.instant.desc()).limit(1)
    with journal.connect() as connection:
        return connection.execute(newest).scalar_one_or_none()


def past_of(journal: Journal, bot: str) -> Past | None:
    """Return where a bot is; None before its first step."""
    own = select(steps.c.instant, steps.c.notes).where(steps.c.bot == bot)
    with journal.connect() as connection:
        newest, first = None, dict[Kind, tuple[str, np.datetime64]]()
        for newest in connection.execute(own.order_by(steps.c.instant)):
            for kind, version in newest.notes["versions"].items():
                first.setdefault(kind, (version, _date(newest.notes["bar_date"])))
        if newest is None:
            return None
        symbols = _open_symbols(connection, bot, newest.instant)
        return Past(newest.instant, _date(newest.notes["bar_date"]), first, symbols)


def forecasts_of_steps(journal: Journal, bot: str) -> dict[Kind, pd.DataFrame]:
    """Return the forecasts that the steps of a bot were made from, by kind, as rows of a test table.

    Predictions that were journaled for the same bars afterwards, or by other versions, are not among them.
    """
    with journal.connect() as connection:
        own = select(steps.c.notes, steps.c.finished_at).where(steps.c.bot == bot)
        used = {
            (datetime.fromisoformat(notes["bar_date"]), kind): (version, finished_at)
            for notes, finished_at in connection.execute(own)
            for kind, version in notes["versions"].items()
        }
        if not used:
            return {}
        names = {name: predictions.c[name] for kind in KINDS for name in _stored(kind)}
        c = predictions.c
        wanted = select(c.symbol, c.kind, c.bar_date, c.version, c.made_at, *names.values())
        first = min(date for date, _ in used)
        rows = connection.execute(wanted.where(c.bar_date >= first)).all()
    found: dict[Kind, list[tuple[object, ...]]] = {}
    for row in rows:
        version, finished_at = used.get((row.bar_date, row.kind), ("", None))
        if row.version == version and row.made_at <= finished_at:
            values = (row._mapping[name] for name in _stored(row.kind))
            found.setdefault(row.kind, []).append((row.symbol, row.bar_date, *values))
    return {kind: _table(kind, some) for kind, some in found.items()}


def tables_of(rows: Sequence[PredictionRow]) -> dict[Kind, pd.DataFrame]:
    """Return predictions by kind, as rows of a test table."""
    found: dict[Kind, list[tuple[object, ...]]] = {}
    for row in rows:
        values = (getattr(row, name) for name in _stored(row.kind))  # type: ignore[arg-type]
        found.setdefault(row.kind, []).append((row.symbol, row.bar_date, *values))  # type: ignore[arg-type]
    return {kind: _table(kind, some) for kind, some in found.items()}


def own_versions(journal: Journal, made_by: str, date: datetime) -> dict[Kind, str]:
    """Return the versions by which a bot has forecast the bars of a date before, by kind."""
    c = predictions.c
    wanted = select(c.kind, c.version).where(c.bar_date == date, c.made_by == made_by, c.is_shadow.is_(False))
    with journal.connect() as connection:
        return {kind: version for kind, version in connection.execute(wanted.distinct().order_by(c.version))}


def _open_symbols(connection: Connection, bot: str, instant: datetime) -> tuple[str, ...]:
    own = select(positions.c.symbol).where(
        positions.c.bot == bot, positions.c.instant == instant, positions.c.quantity != 0.0
    )
    waiting = select(orders.c.symbol).where(orders.c.bot == bot, orders.c.state.in_(("open", "part")))
    return tuple(sorted(set(connection.execute(own.union(waiting)).scalars())))


def _stored(kind: Kind) -> list[str]:
    return [stored_name(name) for name in KIND_COLUMNS[kind].values]


def _table(kind: Kind, rows: Sequence[tuple[object, ...]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["symbol", "date", *KIND_COLUMNS[kind].values])
    table["date"] = pd.to_datetime(table["date"], utc=True).dt.tz_localize(None)
    return table


def _date(text: str) -> np.datetime64:
    return np.datetime64(datetime.fromisoformat(text).astimezone(UTC).replace(tzinfo=None), "ns")
