"""The lake: one Parquet file of bars per symbol, appended to atomically and idempotently."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import DataError, StoreError
from features.bars.merge import Appended, between, fingerprint, merge
from features.bars.period import UNKNOWN
from features.bars.quarantine import Quarantine
from features.bars.schema import Dates, SymbolBars
from features.store.bar_table import from_table, serialise, to_table
from features.store.parquet import from_frame, read_parquet, to_frame
from features.store.store import Store, decode_symbol, encode_symbol

_BARS, _QUARANTINE, _CONTEXT = "lake/bars", "lake/quarantine", "lake/context.parquet"
_READ_ERRORS = (pa.ArrowInvalid, pa.ArrowKeyError, OSError)


@dataclass(frozen=True, slots=True)
class SymbolInfo:
    """Rows, first and last date, file size in bytes and period of the bars of a symbol in the lake."""

    symbol: str
    rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    size: int
    period: str = UNKNOWN


class Lake:
    """Bars, quarantined rows and market series under ``<store>/lake/``.

    Processes may append to one symbol concurrently; no bar is lost.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def symbols(self) -> list[str]:
        """Return the symbols in the lake, sorted."""
        names = self.store.names(_BARS)
        return sorted(decode_symbol(name.removesuffix(".parquet")) for name in names if name.endswith(".parquet"))

    def stamp(self) -> str:
        """Return a text that changes when any symbol's bars change, without reading them."""
        return self.store.stamp(_BARS)

    def context_stamp(self) -> str:
        """Return a text that changes when the market series change, without reading them."""
        return self.store.stamp(_CONTEXT)

    def append(
        self,
        bars: SymbolBars,
        quarantine: Quarantine | None = None,
        on_steps: Literal["rebase", "keep", "refuse"] = "rebase",
    ) -> Appended:
        """Merge bars into the lake by date; return what changed. Where both have a bar, the new one replaces the old.

        Appending the same bars again changes no byte. A constant price ratio over the common dates means that adjusted
        prices have a new basis (a split or dividend since): see :func:`features.bars.merge.merge`.

        Parameters
        ----------
        bars
            One symbol's valid bars.
        quarantine
            The rows that this import left out; rows of other symbols are ignored. They replace the rows quarantined
            earlier on the dates of this import.
        on_steps
            As for :func:`features.bars.merge.merge`.

        Raises
        ------
        DataError
            The stored bars are of another period, or as ``on_steps`` says.
        StoreError
            The store cannot be written (permission, full disk) or the symbol's file is damaged.
        """
        attempts: list[Appended] = []

        def change(data: bytes | None) -> bytes | None:
            stored = None if data is None else self._parsed(bars.symbol, data)
            merged, appended = merge(stored, bars, on_steps)
            attempts.append(appended)
            same = stored is not None and fingerprint(merged) == fingerprint(stored)
            return None if same else serialise(to_table(merged))

        self.store.update(_file(bars.symbol), change)
        if quarantine is not None:
            self.record(quarantine.of(bars.symbol), {bars.symbol: bars.dates})
        return attempts[-1]

    def remove(self, symbol: str) -> None:
        """Delete a symbol's bars and quarantined rows; :class:`DataError` if the lake does not have it."""
        if not self.store.exists(_file(symbol)):
            raise _not_stored(symbol, self.store.uri)
        self.store.delete(_file(symbol))
        self.store.delete(f"{_QUARANTINE}/{encode_symbol(symbol)}.parquet")

    def record(self, quarantine: Quarantine, covered: Mapping[str, Dates]) -> None:
        """Store the quarantined rows of an import.

        ``covered`` gives the dates of the imported bars by symbol. Rows quarantined earlier on a date of this import
        are removed: the import has replaced them.
        """
        rows = {str(symbol): frame for symbol, frame in quarantine.frame.groupby("symbol", sort=False)}
        no_dates = np.array([], "datetime64[ns]")
        for symbol in {**rows, **covered}:
            new = Quarantine(rows[symbol]) if symbol in rows else Quarantine.empty()
            self._record(symbol, new, covered.get(symbol, no_dates))

    def read(self, symbol: str, start: date | None = None, end: date | None = None) -> SymbolBars:
        """Return a symbol's bars from ``start`` to ``end``, both days included.

        Raises
        ------
        DataError
            The symbol is not in the lake.
        StoreError
            The file is damaged.
        """
        try:
            data = self.store.read(_file(symbol))
        except FileNotFoundError as error:
            raise _not_stored(symbol, self.store.uri) from error
        return between(self._parsed(symbol, data), start, end)

    def info(self) -> list[SymbolInfo]:
        """Return rows, dates and size of each symbol from the files' footers, without reading the bars."""
        return [self._info(symbol) for symbol in self.symbols()]

    def quarantined(self) -> frozenset[str]:
        """Return the symbols that have quarantined rows."""
        names = self.store.names(_QUARANTINE)
        return frozenset(decode_symbol(name.removesuffix(".parquet")) for name in names)

    def quarantine(self, symbol: str | None = None) -> Quarantine:
        """Return the quarantined rows of one symbol, or of all."""
        names = self.store.names(_QUARANTINE) if symbol is None else [f"{encode_symbol(symbol)}.parquet"]
        return Quarantine.concat(self._read_quarantine(f"{_QUARANTINE}/{name}") for name in names)

    def write_context(self, frame: pd.DataFrame) -> None:
        """Store market series in long form ``date, series, value``, replacing the stored ones."""
        missing = {"date", "series", "value"} - set(frame.columns)
        if missing:
            raise DataError(f"context has no column {', '.join(sorted(missing))}; expected date, series and value.")
        series = frame[["date", "series", "value"]].sort_values(["series", "date"], kind="stable")
        series = series.astype({"date": "datetime64[ns]", "series": "str", "value": "float64"})
        self.store.write(_CONTEXT, serialise(from_frame(series)))

    def read_context(self) -> pd.DataFrame | None:
        """Return the stored market series, sorted by series and date, or ``None``."""
        try:
            frame = to_frame(read_parquet(self.store.read(_CONTEXT)))
        except FileNotFoundError:
            return None
        except _READ_ERRORS as error:
            raise _damaged(self.store.path(_CONTEXT), error) from error
        return frame

    def _parsed(self, symbol: str, data: bytes) -> SymbolBars:
        try:
            return from_table(symbol, read_parquet(data))
        except _READ_ERRORS as error:
            raise _damaged(self.store.path(_file(symbol)), error) from error

    def _info(self, symbol: str) -> SymbolInfo:
        path = self.store.path(_file(symbol))
        try:
            with self.store.open(_file(symbol)) as handle:
                metadata, size = pq.read_metadata(handle), handle.size()
            groups = [metadata.row_group(i).column(0).statistics for i in range(metadata.num_row_groups)]
            first, last = min(group.min for group in groups), max(group.max for group in groups)
        except (*_READ_ERRORS, ValueError, AttributeError) as error:
            raise _damaged(path, error) from error
        period = (metadata.metadata or {}).get(b"period", UNKNOWN.encode()).decode()
        return SymbolInfo(symbol, int(metadata.num_rows), pd.Timestamp(first), pd.Timestamp(last), int(size), period)

    def _read_quarantine(self, relative: str) -> Quarantine:
        try:
            data = self.store.read(relative)
        except FileNotFoundError:
            return Quarantine.empty()
        return self._parsed_quarantine(relative, data)

    def _parsed_quarantine(self, relative: str, data: bytes) -> Quarantine:
        try:
            frame = to_frame(read_parquet(data))
            return Quarantine(frame[list(Quarantine.empty().frame.columns)])
        except (*_READ_ERRORS, KeyError) as error:
            raise _damaged(self.store.path(relative), error) from error

    def _record(self, symbol: str, new: Quarantine, dates: Dates) -> None:
        relative = f"{_QUARANTINE}/{encode_symbol(symbol)}.parquet"
        if not len(new) and not self.store.exists(relative):
            return

        def change(data: bytes | None) -> bytes | None:
            stored = Quarantine.empty() if data is None else self._parsed_quarantine(relative, data)
            covered = stored.frame["date"].isin(dates) | stored.frame["date"].isin(new.frame["date"])
            uncovered = Quarantine(stored.frame[~covered | stored.frame["date"].isna()])
            merged = Quarantine.concat([uncovered, new]).frame.drop_duplicates()
            merged = merged.sort_values(["date", "rule"], kind="stable").reset_index(drop=True)
            written = serialise(from_frame(merged))
            return None if written == data else written

        self.store.update(relative, change)


def _not_stored(symbol: str, uri: str) -> DataError:
    return DataError(f"symbol {symbol!r} is not in the lake at {uri!r}. Import it: fleetcast data import PATH.")


def _file(symbol: str) -> str:
    return f"{_BARS}/{encode_symbol(symbol)}.parquet"


def _damaged(path: str, error: Exception) -> StoreError:
    reason = " ".join(str(error).split())[:120].rstrip(".")
    return StoreError(
        f"{path!r} is not a readable Parquet file of the lake ({reason}). Delete it and import its data again."
    )
