"""The journal's tables as Parquet files."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from sqlalchemy import JSON, BigInteger, Boolean, Column, Connection, Date, Double, SmallInteger, Table, select

from configs.errors import ConfigError, StoreError, did_you_mean, shortened
from serving.journal.schema import metadata
from serving.journal.types import UtcDateTime

_ROWS = 20_000  # of one row group
_SINCE = ("bar_close", "instant", "created_at", "started_at", "since")  # the first that a table has
_TYPES: tuple[tuple[type, pa.DataType], ...] = (
    (UtcDateTime, pa.timestamp("us", tz="UTC")),
    (Double, pa.float64()),
    (Boolean, pa.bool_()),
    (BigInteger, pa.int64()),
    (SmallInteger, pa.int8()),
    (Date, pa.date32()),
)


def table_names(names: Sequence[str] = ()) -> list[str]:
    """Return the tables of these names, in the order of the schema; all by default.

    Raises
    ------
    ConfigError
        There is no such table.
    """
    if unknown := [name for name in names if name not in metadata.tables]:
        hint = did_you_mean(unknown[0], metadata.tables)
        raise ConfigError(
            f"there is no table {unknown[0]!r}. {hint}Choose from {shortened(list(metadata.tables), 20)}."
        )
    return [table.name for table in metadata.sorted_tables if not names or table.name in names]


def export_tables(
    connection: Connection, folder: str | os.PathLike[str], names: Sequence[str] = (), since: datetime | None = None
) -> dict[str, int]:
    """Write tables to ``<folder>/<table>.parquet`` and return the rows of each; existing files are replaced.

    Times are UTC, JSON is text. A file appears whole or not at all.

    Parameters
    ----------
    connection
        Of :meth:`.Journal.connect`.
    names
        Which tables; all by default.
    since
        Leave out rows of before, by the close of the bar, the instant or the creation; tables without such a time are
        written whole.

    Raises
    ------
    ConfigError
        There is no such table.
    StoreError
        A file cannot be written.
    """
    chosen, target = table_names(names), Path(folder)
    counts = {}
    try:
        target.mkdir(parents=True, exist_ok=True)
        for name in chosen:
            unfinished = target / f".{name}.{os.getpid()}.tmp"
            try:
                counts[name] = _write(connection, metadata.tables[name], unfinished, since)
                os.replace(unfinished, target / f"{name}.parquet")
            finally:
                unfinished.unlink(missing_ok=True)
    except OSError as error:
        raise StoreError(f"tables cannot be written to {str(target)!r} ({error}). Check the folder.") from error
    return counts


def _write(connection: Connection, table: Table, file: Path, since: datetime | None) -> int:
    statement = select(table).order_by(*table.primary_key)
    column = next((table.c[name] for name in _SINCE if name in table.c), None)
    if since is not None and column is not None:
        statement = statement.where(column >= since)
    schema = pa.schema([pa.field(one.name, _arrow(one), one.nullable) for one in table.c])
    count = 0
    with pq.ParquetWriter(file, schema, compression="zstd") as writer:
        found = connection.execution_options(stream_results=True).execute(statement)
        for part in found.partitions(_ROWS):
            columns = zip(*part, strict=True)
            arrays = [_array(one, values) for one, values in zip(table.c, columns, strict=True)]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            count += len(part)
    return count


def _arrow(column: Column[Any]) -> pa.DataType:
    return next((arrow for kind, arrow in _TYPES if isinstance(column.type, kind)), pa.string())


def _array(column: Column[Any], values: Sequence[Any]) -> pa.Array:
    if isinstance(column.type, JSON):
        values = [None if value is None else json.dumps(value, sort_keys=True) for value in values]
    return pa.array(values, _arrow(column))
