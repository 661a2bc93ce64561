"""The lake: bars as one Parquet file per symbol, appended atomically and idempotently."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import DataError, StoreError
from features.bars.merge import VALUES, Appended, between, fingerprint, merge
from features.bars.quarantine import Quarantine
from features.bars.schema import Dates, SymbolBars
from features.store.store import Store, decode_symbol, encode_symbol

__all__ = ["Appended", "Lake", "SymbolInfo", "between", "fingerprint"]

_BARS, _QUARANTINE, _CONTEXT = "lake/bars", "lake/quarantine", "lake/context.parquet"
_READING_ERRORS = (pa.ArrowInvalid, pa.ArrowKeyError, OSError)


@dataclass(frozen=True, slots=True)
class SymbolInfo:
    """Rows, first and last date of a symbol in the lake, and its size on disk in bytes."""

    symbol: str
    rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    size: int


class Lake:
    """Bars, quarantined rows and context series under ``<store>/lake/``.

    Two processes may append to one symbol at once: neither loses what the other adds.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def symbols(self) -> list[str]:
        """Return the names held, sorted."""
        names = self.store.names(_BARS)
        return sorted(decode_symbol(name.removesuffix(".parquet")) for name in names if name.endswith(".parquet"))

    def stamp(self) -> str:
        """Return a text that changes when a symbol's bars do; found without reading them."""
        return self.store.stamp(_BARS)

    def context_stamp(self) -> str:
        """Return a text that changes when the market series do."""
        return self.store.stamp(_CONTEXT)

    def append(self, bars: SymbolBars, quarantine: Quarantine | None = None) -> Appended:
        """Merge bars into the lake by date; the newer import wins, and what it changes is counted.

        The same bars again change no byte. When the overlap shows one constant price ratio, adjusted prices
        have moved to a new basis (a split or dividend since): older bars are multiplied by it, volume divided.

        Parameters
        ----------
        bars
            One symbol's clean bars.
        quarantine
            The rows that were left out with this import; those of other symbols are ignored. They replace what
            was quarantined on the dates that this import covers.

        Raises
        ------
        StoreError
            The store cannot be written (permission, full disk) or the file there is damaged.
        """
        outcome: list[Appended] = []

        def change(data: bytes | None) -> bytes | None:
            held = None if data is None else self._parsed(bars.symbol, data)
            merged, appended = merge(held, bars)
            outcome.append(appended)
            same = held is not None and fingerprint(merged) == fingerprint(held)
            return None if same else _serialise(_to_table(merged))

        self.store.update(_file(bars.symbol), change)
        if quarantine is not None:
            self.record(quarantine.of(bars.symbol), {bars.symbol: bars.dates})
        return outcome[-1]

    def record(self, quarantine: Quarantine, covered: Mapping[str, Dates]) -> None:
        """Keep quarantined rows beside the bars.

        ``covered`` gives the dates of the bars imported with them, by symbol: what was quarantined earlier on a date
        that this import covers is settled by it and replaced.
        """
        rows = {str(symbol): frame for symbol, frame in quarantine.frame.groupby("symbol", sort=False)}
        nothing = np.array([], "datetime64[ns]")
        for symbol in {**rows, **covered}:
            new = Quarantine(rows[symbol]) if symbol in rows else Quarantine.empty()
            self._record(symbol, new, covered.get(symbol, nothing))

    def read(self, symbol: str, start: date | None = None, end: date | None = None) -> SymbolBars:
        """Return a symbol's bars from ``start`` to ``end``, both days included.

        Raises
        ------
        DataError
            The lake does not hold the symbol.
        StoreError
            The file is damaged.
        """
        try:
            data = self.store.read(_file(symbol))
        except FileNotFoundError as error:
            raise DataError(
                f"symbol {symbol!r} is not in the lake at {self.store.uri!r}. Import it: fleetcast data import PATH."
            ) from error
        return between(self._parsed(symbol, data), start, end)

    def read_many(
        self, symbols: Iterable[str] | None = None, start: date | None = None, end: date | None = None
    ) -> Iterator[SymbolBars]:
        """Yield the bars of these symbols (all by default), one in memory at a time."""
        for symbol in self.symbols() if symbols is None else symbols:
            yield self.read(symbol, start, end)

    def info(self) -> list[SymbolInfo]:
        """Return rows, span and size by symbol from the files' footers, without reading the bars."""
        return [self._info(symbol) for symbol in self.symbols()]

    def quarantined(self) -> frozenset[str]:
        """Return the symbols that have quarantined rows."""
        names = self.store.names(_QUARANTINE)
        return frozenset(decode_symbol(name.removesuffix(".parquet")) for name in names)

    def quarantine(self, symbol: str | None = None) -> Quarantine:
        """Return the quarantined rows of a symbol, or of all."""
        names = self.store.names(_QUARANTINE) if symbol is None else [f"{encode_symbol(symbol)}.parquet"]
        return Quarantine.concat(self._read_quarantine(f"{_QUARANTINE}/{name}") for name in names)

    def write_context(self, frame: pd.DataFrame) -> None:
        """Keep market series in long form ``date, series, value``, replacing those held."""
        missing = {"date", "series", "value"} - set(frame.columns)
        if missing:
            raise DataError(f"context has no column {', '.join(sorted(missing))}; expected date, series and value.")
        kept = frame[["date", "series", "value"]].sort_values(["series", "date"], kind="stable")
        kept = kept.astype({"date": "datetime64[ns]", "series": "str", "value": "float64"})
        self.store.write(_CONTEXT, _serialise(pa.Table.from_pandas(kept, preserve_index=False)))

    def read_context(self) -> pd.DataFrame | None:
        """Return the market series held, sorted by series and date, or None."""
        try:
            frame: pd.DataFrame = pq.read_table(pa.BufferReader(self.store.read(_CONTEXT))).to_pandas()
        except FileNotFoundError:
            return None
        except _READING_ERRORS as error:
            raise _damaged(self.store.path(_CONTEXT), error) from error
        return frame

    def _parsed(self, symbol: str, data: bytes) -> SymbolBars:
        try:
            return _from_table(symbol, pq.read_table(pa.BufferReader(data)))
        except _READING_ERRORS as error:
            raise _damaged(self.store.path(_file(symbol)), error) from error

    def _info(self, symbol: str) -> SymbolInfo:
        path = self.store.path(_file(symbol))
        try:
            with self.store.open(_file(symbol)) as handle:
                metadata, size = pq.read_metadata(handle), handle.size()
            groups = [metadata.row_group(i).column(0).statistics for i in range(metadata.num_row_groups)]
            first, last = min(group.min for group in groups), max(group.max for group in groups)
        except (*_READING_ERRORS, ValueError, AttributeError) as error:
            raise _damaged(path, error) from error
        return SymbolInfo(symbol, int(metadata.num_rows), pd.Timestamp(first), pd.Timestamp(last), int(size))

    def _read_quarantine(self, relative: str) -> Quarantine:
        try:
            data = self.store.read(relative)
        except FileNotFoundError:
            return Quarantine.empty()
        return self._parsed_quarantine(relative, data)

    def _parsed_quarantine(self, relative: str, data: bytes) -> Quarantine:
        try:
            frame = pq.read_table(pa.BufferReader(data)).to_pandas()
            return Quarantine(frame[list(Quarantine.empty().frame.columns)])
        except (*_READING_ERRORS, KeyError) as error:
            raise _damaged(self.store.path(relative), error) from error

    def _record(self, symbol: str, new: Quarantine, dates: Dates) -> None:
        relative = f"{_QUARANTINE}/{encode_symbol(symbol)}.parquet"
        if not len(new) and not self.store.exists(relative):
            return

        def change(data: bytes | None) -> bytes | None:
            held = Quarantine.empty() if data is None else self._parsed_quarantine(relative, data)
            covered = held.frame["date"].isin(dates) | held.frame["date"].isin(new.frame["date"])
            open_still = Quarantine(held.frame[~covered | held.frame["date"].isna()])
            merged = Quarantine.concat([open_still, new]).frame.drop_duplicates()
            merged = merged.sort_values(["date", "rule"], kind="stable").reset_index(drop=True)
            fresh = _serialise(pa.Table.from_pandas(merged, preserve_index=False))
            return None if fresh == data else fresh

        self.store.update(relative, change)


def _file(symbol: str) -> str:
    return f"{_BARS}/{encode_symbol(symbol)}.parquet"


def _to_table(bars: SymbolBars) -> pa.Table:
    columns = {"date": pa.array(bars.dates.astype("datetime64[ns]"), pa.timestamp("ns"))}
    columns |= {name: pa.array(getattr(bars, name), pa.float64()) for name in VALUES}
    flags = {"has_range": str(int(bars.has_range)), "has_volume": str(int(bars.has_volume)), "symbol": bars.symbol}
    return pa.table(columns).replace_schema_metadata(flags)


def _from_table(symbol: str, table: pa.Table) -> SymbolBars:
    metadata = table.schema.metadata or {}
    return SymbolBars(
        symbol=symbol,
        dates=table["date"].to_numpy().astype("datetime64[ns]"),
        **{name: np.asarray(table[name].to_numpy(), dtype=np.float64) for name in VALUES},
        has_range=metadata.get(b"has_range") == b"1",
        has_volume=metadata.get(b"has_volume") == b"1",
    )


def _serialise(table: pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def _damaged(path: str, error: Exception) -> StoreError:
    reason = " ".join(str(error).split())[:120].rstrip(".")
    return StoreError(
        f"{path!r} is not a readable Parquet file of the lake ({reason}). Delete it and import its data again."
    )
