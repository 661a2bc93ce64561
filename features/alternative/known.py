"""Alternative data as known at each bar: as-of joins of market-wide and per-symbol series, and of scheduled events."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import chain
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from configs.errors import DataError
from configs.feature_groups import group_of_column
from features.alternative.events import event_features
from features.alternative.groups import (
    EVENT_SUFFIXES,
    Kind,
    group_of,
    kind_of,
    prefix_of,
    series_columns_of,
)
from features.alternative.text.changes import TextChanges, text_changes
from features.alternative.text.windows import text_columns, text_features
from features.alternative.vintages import vintage_features
from features.bars.decisions import decision_times

if TYPE_CHECKING:
    import pandas as pd

Form = Literal["series", "event", "text"]
Float = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]

MARKET = ""
_MAX_AGE_DAYS = {"macro": 100, "options": 10, "weather": 10, "sentiment": 100}
_DAY_NS = 86_400e9
_CACHED_JOINS = 4


@dataclass(frozen=True, slots=True)
class KnownTable:
    """What was known of one series or event.

    ``prefix`` begins its ``columns``. ``instants`` (n,) datetime64[ns] are those from which a row counts. ``values`` of
    a series are its features (n, 4), of an event its times (n, 1) in nanoseconds since 1970, and of texts the changes
    of sums (n, 7) that :class:`.TextChanges` describes.
    """

    prefix: str
    columns: tuple[str, ...]
    instants: Dates
    values: Float | npt.NDArray[np.int64]
    form: Form = "series"

    def at(self, times: Dates, dates: Dates) -> Float:
        """Return the features at bars that are decided at ``times`` (N, columns); NaN where nothing is known."""
        if self.form == "text":
            return text_features(TextChanges(self.instants, self.values.astype(np.int64, copy=False)), times)
        if self.form == "event":
            return event_features(self.values[:, 0].astype("datetime64[ns]"), self.instants, times, dates)
        out = np.full((len(self.columns), len(times)), np.nan)
        if len(self.instants):
            position = np.searchsorted(self.instants, times, side="right") - 1
            row = np.maximum(position, 0)
            age = (times - self.instants[row]).astype(np.int64) / _DAY_NS
            usable = (position >= 0) & (age <= _MAX_AGE_DAYS[group_of_column(self.prefix) or "macro"])
            for column, values in zip(out, (*self.values.T, None), strict=True):
                np.copyto(column, age if values is None else values[row], where=usable)
        return out.T


class _Joined(NamedTuple):
    """The market-wide features (columns, N) of bars that are decided at these times."""

    times: Dates
    dates: Dates
    values: Float

    def rows(self, times: Dates, dates: Dates) -> slice | None:
        """Return the rows of these bars if they are a part of it without holes, else None."""
        if not len(dates):
            return slice(0, 0)
        first = int(np.searchsorted(self.dates, dates[0]))
        rows = slice(first, first + len(dates))
        same = np.array_equal(self.dates[rows], dates) and np.array_equal(self.times[rows], times)
        return rows if same else None


@dataclass(frozen=True, slots=True)
class KnownData:
    """All alternative data of a run; immutable.

    ``tables`` has the tables of each symbol, and of the market under ``""``. ``columns`` are those of all tables, and
    ``market_columns`` those that only tables of the market have: equal for all symbols with the same trading days.
    """

    columns: tuple[str, ...]
    tables: Mapping[str, tuple[KnownTable, ...]]
    market_columns: frozenset[str]
    _joined: list[_Joined] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, tables: Mapping[str, Iterable[KnownTable]]) -> KnownData:
        """Return the data of these tables by symbol."""
        stored = {symbol: tuple(some) for symbol, some in tables.items()}
        for symbol, some in stored.items():
            repeated = [one for one, count in Counter(table.prefix for table in some).items() if count > 1]
            if repeated:
                raise DataError(
                    f"{repeated[0]} of {symbol or 'the market'} has the names of two series or events that differ in "
                    "case or punctuation only. fleetcast data inspect --alternative lists both; remove one with "
                    "fleetcast data remove --alternative NAME."
                )
        by_prefix = {table.prefix: table.columns for some in stored.values() for table in some}
        names = tuple(name for prefix in sorted(by_prefix) for name in by_prefix[prefix])
        if len(set(names)) < len(names):
            raise DataError("two series of alternative data have features of one name. Rename one and import it.")
        own = {table.prefix for symbol, some in stored.items() if symbol != MARKET for table in some}
        market = (table.columns for table in stored.get(MARKET, ()) if table.prefix not in own)
        return cls(names, stored, frozenset(chain.from_iterable(market)))

    @classmethod
    def from_frames(
        cls,
        series: pd.DataFrame | None = None,
        events: pd.DataFrame | None = None,
        kinds: Mapping[str, Kind] | None = None,
        texts: pd.DataFrame | None = None,
    ) -> KnownData:
        """Return the data of rows of :data:`.SERIES`, :data:`.EVENTS` and :data:`.TEXT`.

        ``kinds`` overrides the kinds of series. ``texts`` have a further column ``tone`` in [−1, 1], NaN without score.
        """
        tables: dict[str, list[KnownTable]] = {}
        if series is not None:
            periods, known = series["period"].to_numpy("datetime64[ns]"), _utc(series["known_from"])
            numbers = series["value"].to_numpy(np.float64)
            for symbol, name, rows in _parts(series, "series"):
                kind = (kinds or {}).get(name, kind_of(name))
                prefix = prefix_of(group_of(name), name, is_market=symbol == MARKET)
                instants, values = vintage_features(periods[rows], known[rows], numbers[rows], kind)
                tables.setdefault(symbol, []).append(
                    KnownTable(prefix, series_columns_of(prefix, kind), instants, values)
                )
        if events is not None:
            at, known = _utc(events["at"]).astype(np.int64)[:, None], _utc(events["known_from"])
            for symbol, name, rows in _parts(events, "event"):
                prefix = prefix_of("events", name, is_market=symbol == MARKET)
                columns = tuple(f"{prefix}_{suffix}" for suffix in EVENT_SUFFIXES)
                tables.setdefault(symbol, []).append(KnownTable(prefix, columns, known[rows], at[rows], "event"))
        if texts is not None:
            for symbol, name, rows in _parts(texts, "kind"):
                prefix = prefix_of("sentiment", name, is_market=symbol == MARKET)
                some = texts.iloc[rows]
                changes = text_changes(some, some["tone"])
                table = KnownTable(prefix, text_columns(prefix), changes.instants, changes.values, "text")
                tables.setdefault(symbol, []).append(table)
        return cls.of(tables)

    def at(self, symbol: str, dates: Dates) -> Float:
        """Return the features of one symbol's bars (N, k), with NaN for what is not known of it."""
        times = decision_times(dates)
        out = np.full((len(self.columns), len(dates)), np.nan)
        place = {name: i for i, name in enumerate(self.columns)}
        market = [name for table in self.tables.get(MARKET, ()) for name in table.columns]
        out[[place[name] for name in market]] = self._of_market(times, dates)
        for table in self.tables.get(symbol, ()) if symbol != MARKET else ():
            out[[place[name] for name in table.columns]] = table.at(times, dates).T
        return out.T

    def _of_market(self, times: Dates, dates: Dates) -> Float:
        """Return the features of market-wide tables (columns, N); symbols of one calendar share one join."""
        for joined in list(self._joined):
            if (rows := joined.rows(times, dates)) is not None:
                return joined.values[:, rows]
        parts = [table.at(times, dates).T for table in self.tables.get(MARKET, ())]
        values = np.concatenate(parts) if parts else np.empty((0, len(dates)))
        self._joined.append(_Joined(times, dates, values))
        del self._joined[:-_CACHED_JOINS]
        return values

    def digest(self, until: np.datetime64) -> str:
        """Return a hash of what had become known by an instant."""
        digest = hashlib.sha256("\0".join(self.columns).encode())
        for symbol, tables in self.tables.items():
            for table in tables:
                order = np.argsort(table.instants, kind="stable")
                kept = order[: int(np.searchsorted(table.instants[order], until, side="right"))]
                digest.update(f"\0{symbol}\0{table.prefix}\0".encode())
                digest.update(table.instants[kept].astype("datetime64[ns]").astype(np.int64).tobytes())
                digest.update(np.ascontiguousarray(table.values[kept]).tobytes())
        return digest.hexdigest()

    def to_arrays(self) -> tuple[list[list[Any]], dict[str, npt.NDArray[Any]]]:
        """Return the tables as JSON facts and plain numeric arrays."""
        facts, arrays = list[list[Any]](), dict[str, npt.NDArray[Any]]()
        for symbol, tables in self.tables.items():
            for table in tables:
                arrays[f"known.{len(facts)}"] = table.instants.astype("datetime64[ns]").astype(np.int64)
                arrays[f"values.{len(facts)}"] = table.values
                facts.append([symbol, table.prefix, table.columns, table.form])
        return facts, arrays

    @classmethod
    def from_arrays(cls, facts: list[list[Any]], arrays: Mapping[str, npt.NDArray[Any]]) -> KnownData:
        """Invert :meth:`to_arrays`."""
        tables: dict[str, list[KnownTable]] = {}
        for i, (symbol, prefix, columns, form) in enumerate(facts):
            instants = arrays[f"known.{i}"].astype(np.int64).view("datetime64[ns]")
            table = KnownTable(prefix, tuple(columns), instants, arrays[f"values.{i}"], form)
            tables.setdefault(symbol, []).append(table)
        return cls.of(tables)


def _parts(frame: pd.DataFrame, name: str) -> Iterator[tuple[str, str, npt.NDArray[np.intp]]]:
    """Yield the positions of the rows of each symbol and name, sorted by both."""
    found: Mapping[Any, Any] = frame.groupby(["symbol", name], sort=True).indices
    for (symbol, one), rows in found.items():
        yield str(symbol), str(one), rows


def _utc(values: pd.Series) -> Dates:
    return np.asarray(values.dt.tz_convert("UTC").dt.tz_localize(None), "datetime64[ns]")
