"""Predictions in the journal: each is written once, however often and by however many processes it is made."""

from __future__ import annotations

import json
import math
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from operator import itemgetter
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Integer, String, Update, bindparam, case, cast, func, select, update

from configs.errors import DataError, shown
from serving.journal.schema import predictions, row_id
from serving.journal.types import aware
from serving.journal.upsert import insert_new

SERVED = "serve"  # which program makes the predictions of servers
_CHUNK = 500  # rows of one statement
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionRow:
    """One prediction: what a version forecasts for a symbol from the bar of ``bar_date``.

    The bar was complete at ``bar_close``; ``target_close`` is when the last of the ``horizon_bars`` next ones will be,
    if that is known. All times are aware. Direction has probabilities ``p_*``, the conformal label set ``in_set_*`` and
    ``band``, the half width of *sideways* as a log return; volatility has the mean ``variance`` a bar, its interval
    from ``low`` to ``high`` and ``bars_per_year``. ``level`` is the nominal coverage of set or interval.
    ``baselines`` are the forecasts of the version's baselines: by name a variance, or three probabilities.
    ``is_shadow`` marks those that no one acts on.
    """

    symbol: str
    kind: str
    bar_date: datetime
    bar_close: datetime
    horizon_bars: int
    version: str
    made_at: datetime
    made_by: str
    close: float
    basis: str = "own"
    fallback: bool = False
    band: float | None = None
    p_down: float | None = None
    p_sideways: float | None = None
    p_up: float | None = None
    in_set_down: bool | None = None
    in_set_sideways: bool | None = None
    in_set_up: bool | None = None
    variance: float | None = None
    low: float | None = None
    high: float | None = None
    level: float | None = None
    bars_per_year: float | None = None
    target_close: datetime | None = None
    baselines: Mapping[str, Any] = field(default_factory=dict)
    is_shadow: bool = False

    @property
    def id(self) -> str:
        """The identifier, by symbol, kind, bar, horizon and version: equal wherever the prediction is made."""
        return row_id(self.symbol, self.kind, aware(self.bar_date).isoformat(), self.horizon_bars, self.version)


_NAMES = tuple(one.name for one in fields(PredictionRow))
_NUMBERS = tuple(name for name in _NAMES if name in predictions.c and predictions.c[name].type.python_type is float)


@dataclass(frozen=True, slots=True)
class Served:
    """How often a prediction was served between two times."""

    count: int
    first: datetime
    last: datetime

    def __add__(self, other: Served) -> Served:
        """Return both together."""
        return Served(self.count + other.count, min(self.first, other.first), max(self.last, other.last))


def record(
    connection: Connection, rows: Sequence[PredictionRow], instead_of: Container[str] = ()
) -> list[PredictionRow]:
    """Write predictions that the journal does not have, and return what it has now, in the order of the rows.

    A prediction that exists stays as it is, so a process that starts again goes on from the numbers of before. Call it
    in a transaction of :meth:`.Journal.begin`.

    Parameters
    ----------
    connection, rows
        Where to write what.
    instead_of
        Programs whose predictions are replaced where the numbers differ; how often they were served stays.

    Raises
    ------
    DataError
        A number is not finite.
    """
    if not rows:
        return []
    values = sorted(map(_values, rows), key=itemgetter("id"))  # one order in every process, as in count_served
    written = connection.execute(insert_new(connection, predictions), values).rowcount
    if written == len(rows):
        return list(rows)
    ids = [value["id"] for value in values]
    stored = {row.id: row for row in _stored(connection, ids)}
    others = {
        row.id: row
        for row in rows
        if (old := stored.get(row.id)) is not None
        and old.made_by in instead_of
        and row != replace(old, made_at=row.made_at, made_by=row.made_by)
    }
    if others:
        changes = [{"key": one, **_values(row)} for one, row in sorted(others.items())]
        connection.execute(update(predictions).where(predictions.c.id == bindparam("key")), changes)
    return [others.get(row.id) or stored.get(row.id) or _of_same_close(connection, row) for row in rows]


def made_before(connection: Connection, made_by: str, bar_date: datetime) -> list[PredictionRow]:
    """Return the predictions of the bars of a date that ``made_by`` has made, without shadows."""
    columns = [predictions.c[name] for name in _NAMES]
    own = predictions.c.bar_date == bar_date, predictions.c.made_by == made_by, predictions.c.is_shadow.is_(False)
    ordered = select(*columns).where(*own).order_by(predictions.c.kind, predictions.c.symbol)
    return [PredictionRow(**row._mapping) for row in connection.execute(ordered)]


def count_served(connection: Connection, served: Mapping[str, Served]) -> set[str]:
    """Add to how often predictions were served, by identifier, and return the identifiers that have no row.

    Rows are missing after they were pruned, and in a database that was restored from an older copy.
    """
    if _add_counts(connection, sorted(served.items())) == len(served):
        return set()
    table, found = predictions.c, set[str]()
    for part in chunks(sorted(served), _CHUNK):
        found.update(connection.scalars(select(table.id).where(table.id.in_(part))))
    return set(served) - found


def _add_counts(connection: Connection, ordered: Sequence[tuple[str, Served]]) -> int:
    """Return how many rows there were; every process locks them in the same order, so that none waits for ever."""
    if connection.dialect.name != "sqlite":
        rows = [{"number": number, "count": one.count, "first": one.first, "last": one.last} for number, one in ordered]
        return connection.execute(_addition(bindparam("number"), bindparam("count")), rows).rowcount if rows else 0
    # One statement for all rows of the same times: SQLite's driver gives up the interpreter's lock for every statement,
    # waits 5 ms for it while another thread computes, and costs that thread what the processor has cached for it.
    # The limit has SQLite list the counts first: else it reads all of them again for every row of a table that an old
    # ANALYZE found small.
    each = func.json_each(bindparam("counts", type_=String)).table_valued("key", "value")
    by_number = select(each.c.key, cast(each.c.value, Integer).label("count")).limit(-1).subquery()
    statement = _addition(by_number.c.key, by_number.c.count)
    by_times: dict[tuple[datetime, datetime], dict[str, int]] = {}
    for number, one in ordered:
        by_times.setdefault((one.first, one.last), {})[number] = one.count
    return sum(
        connection.execute(statement, {"counts": json.dumps(counts), "first": first, "last": last}).rowcount
        for (first, last), counts in by_times.items()
    )


def _addition(number: ColumnElement[str], count: ColumnElement[int]) -> Update:
    """Return the statement that adds a count, between the times ``first`` and ``last``, to the row of a number."""
    table = predictions.c
    is_first = table.first_served.is_(None) | (table.first_served > bindparam("first"))
    is_last = table.last_served.is_(None) | (table.last_served < bindparam("last"))
    return (
        update(predictions)
        .where(table.id == number)
        .values(
            times_served=table.times_served + count,
            first_served=case((is_first, bindparam("first")), else_=table.first_served),
            last_served=case((is_last, bindparam("last")), else_=table.last_served),
        )
    )


def _stored(connection: Connection, ids: Sequence[str]) -> Iterator[PredictionRow]:
    columns = [predictions.c[name] for name in _NAMES]
    for part in chunks(sorted(set(ids)), _CHUNK):
        for row in connection.execute(select(*columns).where(predictions.c.id.in_(part))):
            yield PredictionRow(**row._mapping)


def _of_same_close(connection: Connection, row: PredictionRow) -> PredictionRow:
    """Return the stored prediction of the bar of the same close, whose date was another one.

    A source that changes how it dates bars gives one bar two dates, and there is one prediction of it.
    """
    table = predictions.c
    key = [table[name] == getattr(row, name) for name in ("symbol", "kind", "bar_close", "horizon_bars", "version")]
    found = connection.execute(select(*(table[name] for name in _NAMES)).where(*key)).one()
    return replace(PredictionRow(**found._mapping), bar_date=row.bar_date)


def _values(row: PredictionRow) -> dict[str, Any]:
    values = {name: getattr(row, name) for name in _NAMES}
    for name in _NUMBERS:
        value = values[name]
        if value is not None and not math.isfinite(value):
            raise DataError(
                f"the {row.kind} prediction of {row.symbol} on {row.bar_date:%Y-%m-%d} has {name} = {shown(value)}; "
                "expected a finite number. Leave out what is not known."
            )
    values["id"] = row.id
    return values


def chunks(items: Sequence[_T], size: int) -> Iterable[Sequence[_T]]:
    """Yield the items in parts of at most ``size``."""
    return (items[start : start + size] for start in range(0, len(items), size))


def as_shadow(rows: Iterable[PredictionRow]) -> list[PredictionRow]:
    """Return predictions marked as those of a shadow, which no one acts on."""
    return [replace(row, is_shadow=True) for row in rows]
