"""A symbol's bars as a Parquet file, with its flags and period as metadata."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.bars.merge import VALUES
from features.bars.period import bar_period
from features.bars.schema import SymbolBars


def to_table(bars: SymbolBars) -> pa.Table:
    """Return bars as a table; its metadata have the symbol, the flags, the period and the bars a year."""
    columns = {"date": pa.array(bars.dates.astype("datetime64[ns]"), pa.timestamp("ns"))}
    columns |= {name: pa.array(getattr(bars, name), pa.float64()) for name in VALUES}
    flags = {"has_range": str(int(bars.has_range)), "has_volume": str(int(bars.has_volume)), "symbol": bars.symbol}
    period = bar_period(bars.dates)
    flags |= {"period": period.name, "bars_per_year": f"{period.bars_per_year:g}"}
    return pa.table(columns).replace_schema_metadata(flags)


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


def serialise(table: pa.Table) -> bytes:
    """Return a table as the bytes of a Parquet file."""
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink, compression="zstd")
    return bytes(sink.getvalue())
