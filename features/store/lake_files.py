"""The files of the lake: their names, and bars as Parquet."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import StoreError
from features.bars.merge import VALUES
from features.bars.schema import SymbolBars
from features.store.store import Store, encode_symbol

BARS, QUARANTINE, CONTEXT = "lake/bars", "lake/quarantine", "lake/context.parquet"
READ_ERRORS = (pa.ArrowInvalid, pa.ArrowKeyError, OSError)


def bars_file(symbol: str) -> str:
    """Return the file of a symbol's bars."""
    return f"{BARS}/{encode_symbol(symbol)}.parquet"


def quarantine_file(symbol: str) -> str:
    """Return the file of a symbol's quarantined rows."""
    return f"{QUARANTINE}/{encode_symbol(symbol)}.parquet"


def to_table(bars: SymbolBars, read_as: Sequence[str] = ()) -> pa.Table:
    """Return bars as a table; its metadata has the symbol, what the bars have, and how they were read."""
    columns = {"date": pa.array(bars.dates.astype("datetime64[ns]"), pa.timestamp("ns"))}
    columns |= {name: pa.array(getattr(bars, name), pa.float64()) for name in VALUES}
    flags = {"has_range": str(int(bars.has_range)), "has_volume": str(int(bars.has_volume)), "symbol": bars.symbol}
    if read_as:
        flags["read_as"] = json.dumps(list(read_as))
    return pa.table(columns).replace_schema_metadata(flags)


def read_as(store: Store, symbol: str) -> tuple[str, ...]:
    """Return how a symbol's bars were read, in lines."""
    with store.open(bars_file(symbol)) as handle:
        metadata = pq.read_schema(handle).metadata or {}
    return tuple(json.loads(metadata.get(b"read_as", b"[]")))


def from_table(symbol: str, table: pa.Table) -> SymbolBars:
    """Invert :func:`to_table`."""
    metadata = table.schema.metadata or {}
    return SymbolBars(
        symbol=symbol,
        dates=table["date"].to_numpy().astype("datetime64[ns]"),
        **{name: np.asarray(table[name].to_numpy(), dtype=np.float64) for name in VALUES},
        has_range=metadata.get(b"has_range") == b"1",
        has_volume=metadata.get(b"has_volume") == b"1",
    )


def serialised(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())


def damaged(path: str, error: Exception) -> StoreError:
    """Return the error of a file that cannot be read."""
    reason = " ".join(str(error).split())[:120].rstrip(".")
    return StoreError(
        f"{path!r} is not a readable Parquet file of the lake ({reason}). Delete it and import its data again."
    )
