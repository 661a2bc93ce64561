"""Alternative data in the store: append-only tables, one sealed Parquet file for each symbol or scorer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from configs.errors import DataError
from features.alternative.groups import column_of
from features.alternative.quarantine import COLUMNS, RECEIVED, RefusedRows
from features.alternative.schemas import TABLES, TableSpec
from features.store import lake_files as files
from features.store.parquet import from_frame, to_frame
from features.store.store import Store, decode_symbol, encode_symbol

_FOLDER = "lake/alternative"
_QUARANTINE = f"{_FOLDER}/quarantine"
_MARKET = "market"  # no symbol's file: lower-case letters of symbols are escaped


@dataclass(frozen=True, slots=True)
class AppendedRows:
    """What an append changed: rows added, rows stored afterwards by symbol or scorer concerned, and refused rows.

    Rows are refused if the same key is stored with another content (a value that was revised without a publication
    time), or if their name would be the same features as another name that is stored.
    """

    added: int
    stored_by_part: Mapping[str, int]
    refused: RefusedRows

    @property
    def stored(self) -> int:
        """The number of rows stored afterwards of the symbols or scorers concerned."""
        return sum(self.stored_by_part.values())


class AlternativeLake:
    """The tables of :mod:`features.alternative.schemas` under ``<store>/lake/alternative/``.

    Rows are appended and never changed; a wrong import is removed as a whole. Appending the same rows again changes no
    byte. Processes may append concurrently; no row is lost.
    """

    def __init__(self, store: Store) -> None:
        self.store = store

    def append(self, table: str, rows: pa.Table) -> AppendedRows:
        """Add rows of a table; of rows with the same key the stored one, or else the first, is kept.

        Raises
        ------
        DataError
            The rows have not the columns and types of the table.
        StoreError
            The store cannot be written, or a file is damaged.
        """
        spec = TABLES[table]
        try:
            frame = to_frame(rows.select(spec.schema.names).cast(spec.schema))
        except (KeyError, pa.ArrowException) as error:
            names = ", ".join(f"{one.name} {one.type}" for one in spec.schema)
            raise DataError(f"rows of {table} do not fit its schema ({error}); expected {names}.") from error
        part = _part(spec)
        added, stored = 0, dict[str, int]()
        refused = [RefusedRows.empty().frame]
        for name, some in frame.groupby(part, sort=True):
            counts, others = self._append(spec, str(name), some)
            added, stored[str(name)] = added + counts[0], counts[1]
            refused.append(others)
        found = RefusedRows(pd.concat(refused, ignore_index=True))
        self.record(found)
        return AppendedRows(added, stored, found)

    def read(self, table: str, part: str) -> pd.DataFrame:
        """Return the rows of one symbol (``""`` is the market) or scorer, by publication; empty if there are none."""
        spec, relative = TABLES[table], self.file(table, part)
        try:
            return self._frame(spec, relative, self.store.read(relative))
        except FileNotFoundError:
            return to_frame(spec.schema.empty_table())

    def remove(self, table: str, part: str, column: str | None, name: str) -> int:
        """Delete the rows of one symbol (``""`` is the market) or scorer with a name in a column; return their number.

        Without a ``column`` all rows of the part are deleted. An append of another process ends before, or comes after.
        """
        spec, relative, removed = TABLES[table], self.file(table, part), list[int]()

        def change(data: bytes | None) -> bytes | None:
            if data is None:
                return None
            rows = self._frame(spec, relative, data)
            kept = rows[np.full(len(rows), False) if column is None else rows[column] != name]
            removed.append(len(rows) - len(kept))
            if not removed[-1]:
                return None
            return files.serialised(pa.Table.from_pandas(kept, spec.schema, preserve_index=False, nthreads=1))

        self.store.update(relative, change)
        with self.store.lock(relative):
            if removed and self.read(table, part).empty:
                self.store.delete(relative)
        return max(removed, default=0)

    def parts(self, table: str) -> list[str]:
        """Return the symbols (``""`` is the market) or scorers that have rows of a table, sorted."""
        names = [name.removesuffix(".parquet") for name in self.store.names(f"{_FOLDER}/{table}")]
        return sorted("" if name == _MARKET else decode_symbol(name) for name in names)

    def file(self, table: str, part: str) -> str:
        """Return where the rows of a symbol or scorer are in the store."""
        return f"{_FOLDER}/{table}/{encode_symbol(part) if part else _MARKET}.parquet"

    def read_all(self, table: str) -> pd.DataFrame:
        """Return all rows of a table, by symbol or scorer and publication."""
        frames = [self.read(table, part) for part in self.parts(table)]
        return pd.concat(frames, ignore_index=True) if frames else to_frame(TABLES[table].schema.empty_table())

    def stamp(self) -> str:
        """Return a text that changes when any row is added, without reading them."""
        return " ".join(self.store.stamp(f"{_FOLDER}/{table}") for table in TABLES)

    def record(self, refused: RefusedRows) -> None:
        """Store rows that were refused; each is stored once."""
        for table, rows in refused.frame.groupby("table", sort=True):
            relative = f"{_QUARANTINE}/{table}.parquet"

            def change(data: bytes | None, rows: pd.DataFrame = rows, relative: str = relative) -> bytes | None:
                known = RefusedRows.empty().frame if data is None else self._refused(relative, data)
                merged = pd.concat([known, rows], ignore_index=True).drop_duplicates(ignore_index=True)
                return None if len(merged) == len(known) else files.serialised(from_frame(merged))

            self.store.update(relative, change)

    @property
    def quarantine(self) -> str:
        """The folder with a file of refused rows for each table, as a path or URI."""
        return self.store.path(_QUARANTINE)

    def refused(self) -> RefusedRows:
        """Return all rows that were refused."""
        return RefusedRows(pd.concat([RefusedRows.empty().frame, *self._all_refused()], ignore_index=True))

    def _all_refused(self) -> Iterator[pd.DataFrame]:
        for name in self.store.names(_QUARANTINE):
            relative = f"{_QUARANTINE}/{name}"
            yield self._refused(relative, self.store.read(relative))

    def _append(self, spec: TableSpec, part: str, rows: pd.DataFrame) -> tuple[tuple[int, int], pd.DataFrame]:
        relative, outcome = self.file(spec.name, part), list[tuple[tuple[int, int], pd.DataFrame]]()

        def change(data: bytes | None) -> bytes | None:
            old = None if data is None else self._frame(spec, relative, data)
            merged, refused = _merged(spec, old, rows)
            before = 0 if old is None else len(old)
            outcome.append(((len(merged) - before, len(merged)), refused))
            if len(merged) == before:
                return None
            return files.serialised(pa.Table.from_pandas(merged, spec.schema, preserve_index=False, nthreads=1))

        self.store.update(relative, change)
        return outcome[-1]

    def _frame(self, spec: TableSpec, relative: str, data: bytes) -> pd.DataFrame:
        try:
            return to_frame(files.parsed(data).select(spec.schema.names).cast(spec.schema))
        except files.READ_ERRORS as error:
            raise files.damaged(self.store.path(relative), error) from error

    def _refused(self, relative: str, data: bytes) -> pd.DataFrame:
        try:
            return to_frame(files.parsed(data))[list(COLUMNS)].astype("str")
        except files.READ_ERRORS as error:
            raise files.damaged(self.store.path(relative), error) from error


def _part(spec: TableSpec) -> str:
    return "symbol" if "symbol" in spec.schema.names else "scorer"


def _merged(spec: TableSpec, old: pd.DataFrame | None, rows: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the stored rows with the new ones, and the new ones that are refused."""
    taken = rows[spec.name_column].isin(_other_spellings(spec, old, rows)) if spec.name_column else rows.index < 0
    refused = [_refused_rows(spec, rows[taken], "name_taken")]
    rows = rows[~np.asarray(taken)]
    both = rows if old is None else pd.concat([old, rows], ignore_index=True)
    repeated = both.duplicated(list(spec.key)).to_numpy()
    contents = [name for name in spec.schema.names if name not in RECEIVED]
    differs = repeated & ~both.duplicated(contents).to_numpy()
    merged = both[~repeated].sort_values([spec.order, *spec.key], kind="stable", ignore_index=True)
    refused.append(_refused_rows(spec, both[differs], "revised_without_vintage"))
    return merged, pd.concat(refused, ignore_index=True)


def _other_spellings(spec: TableSpec, old: pd.DataFrame | None, rows: pd.DataFrame) -> list[str]:
    """Return new names that would be the features of a name that is stored, or that comes earlier."""
    stored = [] if old is None else old[spec.name_column].unique().tolist()
    first = dict[str, str]()
    for name in (*stored, *rows[spec.name_column].unique()):
        first.setdefault(column_of(spec.name, name), name)
    return [name for name in set(rows[spec.name_column]).difference(stored) if name not in first.values()]


def _refused_rows(spec: TableSpec, rows: pd.DataFrame, rule: str) -> pd.DataFrame:
    rows = rows.drop(columns=list(RECEIVED), errors="ignore")
    text = rows.to_json(orient="records", lines=True, date_format="iso", date_unit="ns", double_precision=15)
    source = rows["source"] if "source" in rows else "scores"
    names = {"table": np.full(len(rows), spec.name, object), "rule": np.full(len(rows), rule, object)}
    lines = text.strip("\n").split("\n") if len(rows) else []
    return pd.DataFrame({**names, "row": lines, "source": np.asarray(source)}).astype("str")
