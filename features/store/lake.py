"""The lake: one Parquet file of bars per symbol, appended to atomically and idempotently."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from typing import Literal

import numpy as np
import pandas as pd

from configs.errors import DataError
from features.bars.arrays import Dates
from features.bars.merge import Appended, between, fingerprint, merge
from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars
from features.store import lake_files as files
from features.store.parquet import from_frame, to_frame
from features.store.store import Store, decode_symbol, encode_symbol

_SERIES = ("date", "series", "value")


class Lake:
    """Bars, quarantined rows and market series under ``<store>/lake/``.

    Processes may append to one symbol concurrently; no bar is lost.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def symbols(self) -> list[str]:
        """Return the symbols in the lake, sorted."""
        names = self.store.names(files.BARS)
        return sorted(decode_symbol(name.removesuffix(".parquet")) for name in names if name.endswith(".parquet"))

    def stamp(self) -> str:
        """Return a text that changes when any symbol's bars change, without reading them."""
        return self.store.stamp(files.BARS)

    def context_stamp(self) -> str:
        """Return a text that changes when the market series change, without reading them."""
        return self.store.stamp(files.CONTEXT)

    def append(
        self,
        bars: SymbolBars,
        quarantine: Quarantine | None = None,
        read_as: Sequence[str] = (),
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
        read_as
            How the imported table was read, in lines; stored with the bars.
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
            return None if same else files.serialised(files.to_table(merged, read_as))

        self.store.update(files.bars_file(bars.symbol), change)
        if quarantine is not None:
            self.record(quarantine.of(bars.symbol), {bars.symbol: bars.dates})
        return attempts[-1]

    def has_quarantine(self, symbol: str) -> bool:
        """Whether rows of a symbol are quarantined."""
        return self.store.exists(files.quarantine_file(symbol))

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

    def remove(self, symbols: Sequence[str]) -> None:
        """Delete the bars and quarantined rows of symbols. An import of another process ends before, or comes after.

        Raises
        ------
        DataError
            A symbol is not in the lake; none is removed.
        """
        for symbol in symbols:
            if not self.store.exists(files.bars_file(symbol)):
                raise self._absent(symbol)
        for symbol in symbols:
            with self.store.lock(files.bars_file(symbol)):
                self.store.delete(files.bars_file(symbol))
                self.store.delete(files.quarantine_file(symbol))

    def rename(self, symbol: str, name: str) -> None:
        """Give a symbol another name; a second process sees one of them, or both, but never neither.

        Repeat it if it was interrupted. On an object store, bars that are imported under the old name at the same time
        may be lost.

        Raises
        ------
        DataError
            The symbol is not in the lake, or has bars under the new name that differ.
        """
        first, second = sorted((symbol, name))
        with (
            self.store.lock(files.bars_file(first)),
            self.store.lock(files.bars_file(second)) if first != second else nullcontext(),
        ):
            bars = replace(self.read(symbol), symbol=name)
            table = files.to_table(bars, files.read_as(self.store, symbol))
            if not self.store.create(files.bars_file(name), files.serialised(table)):
                there = self.read(name)
                if symbol == name or fingerprint(there) != fingerprint(bars):
                    raise DataError(
                        f"symbol {name!r} is in the lake already. Give another name, or remove it first: fleetcast "
                        "data remove."
                    )
            rows = self.quarantine(symbol).frame.assign(symbol=name)
            self.record(Quarantine(rows), {})
            self.store.delete(files.bars_file(symbol))
            self.store.delete(files.quarantine_file(symbol))

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
            data = self.store.read(files.bars_file(symbol))
        except FileNotFoundError as error:
            raise self._absent(symbol) from error
        return between(self._parsed(symbol, data), start, end)

    def info(self) -> list[files.SymbolInfo]:
        """Return rows, dates, size and period of each symbol from the files' footers, without reading the bars."""
        return [self.info_of(symbol) for symbol in self.symbols()]

    def info_of(self, symbol: str) -> files.SymbolInfo:
        """Return the same of one symbol."""
        return files.read_info(self.store, symbol)

    def quarantined(self) -> frozenset[str]:
        """Return the symbols that have quarantined rows."""
        names = self.store.names(files.QUARANTINE)
        return frozenset(decode_symbol(name.removesuffix(".parquet")) for name in names)

    def quarantine(self, symbol: str | None = None) -> Quarantine:
        """Return the quarantined rows of one symbol, or of all."""
        names = self.store.names(files.QUARANTINE) if symbol is None else [f"{encode_symbol(symbol)}.parquet"]
        return Quarantine.concat(self._read_quarantine(f"{files.QUARANTINE}/{name}") for name in names)

    def write_context(self, frame: pd.DataFrame) -> None:
        """Store market series in long form ``date, series, value``, replacing the stored ones."""
        missing = set(_SERIES) - set(frame.columns)
        if missing:
            raise DataError(f"context has no column {', '.join(sorted(missing))}; expected date, series and value.")
        series = frame[list(_SERIES)].sort_values(["series", "date"], kind="stable")
        series = series.astype({"date": "datetime64[ns]", "series": "str", "value": "float64"})
        self.store.write(files.CONTEXT, files.serialised(from_frame(series)))

    def read_context(self) -> pd.DataFrame | None:
        """Return the stored market series, sorted by series and date, or ``None``."""
        try:
            return to_frame(files.parsed(self.store.read(files.CONTEXT)))[list(_SERIES)]
        except FileNotFoundError:
            return None
        except files.READ_ERRORS as error:
            raise files.damaged(self.store.path(files.CONTEXT), error) from error

    def _absent(self, symbol: str) -> DataError:
        near = get_close_matches(symbol.upper(), self.symbols(), 1)
        hint = f"Did you mean {near[0]!r}?" if near else "Import it: fleetcast data import PATH."
        return DataError(f"symbol {symbol!r} is not in the lake at {self.store.uri!r}. {hint}")

    def _parsed(self, symbol: str, data: bytes) -> SymbolBars:
        try:
            return files.from_table(symbol, files.parsed(data))
        except files.READ_ERRORS as error:
            raise files.damaged(self.store.path(files.bars_file(symbol)), error) from error

    def _read_quarantine(self, relative: str) -> Quarantine:
        try:
            data = self.store.read(relative)
        except FileNotFoundError:
            return Quarantine.empty()
        return self._parsed_quarantine(relative, data)

    def _parsed_quarantine(self, relative: str, data: bytes) -> Quarantine:
        try:
            frame = to_frame(files.parsed(data))[list(Quarantine.empty().frame.columns)]
            if others := set(frame["symbol"]) - {decode_symbol(relative.rpartition("/")[2].removesuffix(".parquet"))}:
                raise ValueError(f"it has rows of {', '.join(map(repr, sorted(others)))}")
            return Quarantine(frame)
        except files.READ_ERRORS as error:
            raise files.damaged(self.store.path(relative), error) from error

    def _record(self, symbol: str, new: Quarantine, dates: Dates) -> None:
        relative = files.quarantine_file(symbol)
        if not len(new) and not self.has_quarantine(symbol):
            return

        def change(data: bytes | None) -> bytes | None:
            stored = Quarantine.empty() if data is None else self._parsed_quarantine(relative, data)
            covered = stored.frame["date"].isin(dates) | stored.frame["date"].isin(new.frame["date"])
            uncovered = Quarantine(stored.frame[~covered | stored.frame["date"].isna()])
            merged = Quarantine.concat([uncovered, new]).frame.drop_duplicates()
            merged = merged.sort_values(["date", "rule"], kind="stable").reset_index(drop=True)
            written = files.serialised(from_frame(merged))
            return None if written == data else written

        self.store.update(relative, change)
