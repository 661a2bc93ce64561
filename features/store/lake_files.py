"""The files of the lake: their names, and bars as Parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import StoreError
from configs.safe_json import parse_json
from features.bars.arrays import VALUES
from features.bars.period import UNKNOWN, bar_period
from features.bars.schema import SymbolBars
from features.store.parquet import read_parquet
from features.store.sealed import check_parquet, checked_footer, seal_parquet
from features.store.store import Store, decode_symbol, encode_symbol

BARS, QUARANTINE, CONTEXT = "lake/bars", "lake/quarantine", "lake/context.parquet"
READ_ERRORS = (pa.ArrowException, OSError, ValueError, KeyError)  # what Arrow raises of a file that is none of the lake


@dataclass(frozen=True, slots=True)
class SymbolInfo:
    """Rows, first and last date, file size in bytes and period of the bars of a symbol in the lake."""

    symbol: str
    rows: int
    first: pd.Timestamp
    last: pd.Timestamp
    size: int
    period: str = UNKNOWN


def bars_file(symbol: str) -> str:
    """Return the file of a symbol's bars."""
    return f"{BARS}/{encode_symbol(symbol)}.parquet"


def quarantine_file(symbol: str) -> str:
    """Return the file of a symbol's quarantined rows."""
    return f"{QUARANTINE}/{encode_symbol(symbol)}.parquet"


def written(store: Store) -> dict[str, datetime]:
    """Return when the bars of each symbol were last changed, by the clock of the files, without reading them."""
    found = {one.name.removesuffix(".parquet"): one for one in store.entries(BARS) if one.name.endswith(".parquet")}
    return {decode_symbol(name): datetime.fromtimestamp(one.changed_ns / 1e9, UTC) for name, one in found.items()}


def to_table(bars: SymbolBars, read_as: Sequence[str] = ()) -> pa.Table:
    """Return bars as a table; its metadata has the symbol, flags, the period, and how the bars were read."""
    columns = {"date": pa.array(bars.dates.astype("datetime64[ns]"), pa.timestamp("ns"))}
    columns |= {name: pa.array(getattr(bars, name), pa.float64()) for name in VALUES}
    if bars.split_rows:
        columns["split"] = pa.array(bars.splits, pa.float64())
    flags = {"has_range": str(int(bars.has_range)), "has_volume": str(int(bars.has_volume)), "symbol": bars.symbol}
    period = bar_period(bars.dates)
    flags |= {"period": period.name, "bars_per_year": f"{period.bars_per_year:g}"}
    if read_as:
        flags["read_as"] = json.dumps(list(read_as))
    return pa.table(columns).replace_schema_metadata(flags)


def read_info(store: Store, symbol: str) -> SymbolInfo:
    """Return what the footer of a symbol's file says; :class:`StoreError` if the footer is damaged."""
    try:
        footer, size = _footer(store, symbol)
        metadata = pq.read_metadata(footer)
        facts = _facts(symbol, metadata.metadata)
        groups = [metadata.row_group(i).column(0).statistics for i in range(metadata.num_row_groups)]
        first = pd.Timestamp(min(group.min for group in groups))
        last = pd.Timestamp(max(group.max for group in groups))
    except (*READ_ERRORS, AttributeError, TypeError) as error:
        raise damaged(store.path(bars_file(symbol)), error) from error
    period = facts.get(b"period", UNKNOWN.encode()).decode()
    return SymbolInfo(symbol, int(metadata.num_rows), first, last, int(size), period)


def read_as(store: Store, symbol: str) -> tuple[str, ...]:
    """Return how a symbol's bars were read, in lines."""
    try:
        facts = _facts(symbol, pq.read_schema(_footer(store, symbol)[0]).metadata)
        return tuple(parse_json(facts.get(b"read_as", b"[]")))
    except READ_ERRORS as error:
        raise damaged(store.path(bars_file(symbol)), error) from error


def from_table(symbol: str, table: pa.Table) -> SymbolBars:
    """Invert :func:`to_table`; ``ValueError`` if the bars are another symbol's."""
    facts = _facts(symbol, table.schema.metadata)
    return SymbolBars(
        symbol=symbol,
        dates=table["date"].to_numpy().astype("datetime64[ns]"),
        **{name: np.asarray(table[name].to_numpy(), dtype=np.float64) for name in VALUES},
        has_range=facts.get(b"has_range") == b"1",
        has_volume=facts.get(b"has_volume") == b"1",
        splits=np.asarray(table["split"].to_numpy(), np.float64) if "split" in table.column_names else None,
    )


def serialised(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file with its SHA-256."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return seal_parquet(sink.getvalue().to_pybytes())


def parsed(data: bytes) -> pa.Table:
    """Return the table of :func:`serialised` bytes; one of ``READ_ERRORS`` if they are damaged."""
    check_parquet(data)
    return read_parquet(data)


def damaged(path: str, error: Exception) -> StoreError:
    """Return the error of a file that cannot be read."""
    reason = " ".join(str(error).split())[:120].rstrip(".")
    return StoreError(
        f"{path!r} is not a readable Parquet file of the lake ({reason}). Delete it and import its data again."
    )


def _facts(symbol: str, metadata: Mapping[bytes, bytes] | None) -> Mapping[bytes, bytes]:
    """Return the metadata that :func:`to_table` writes; ``ValueError`` if they are another symbol's."""
    found = metadata or {}
    if (owner := found.get(b"symbol", symbol.encode()).decode()) != symbol:
        raise ValueError(f"it holds the bars of {owner!r}")
    return found


def _footer(store: Store, symbol: str) -> tuple[pa.Buffer, int]:
    """Return the checked end of a symbol's file, and the file's size in bytes."""
    with store.open(bars_file(symbol)) as handle:
        size = handle.size()
        return pa.py_buffer(checked_footer(size, handle.read_at)), size
