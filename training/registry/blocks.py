"""The block: what one worker fits for a few symbols, stored in three files.

``<prefix>.safetensors`` holds the arrays, ``<prefix>.test.parquet`` the test predictions and losses, and
``<prefix>.json``, written last, the symbols, metadata, metrics and the SHA-256 of the other files. Arrays equal to
those of the pooled block in the same folder are stored there only. Equal blocks give byte-equal files, and nothing is
ever unpickled.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors.numpy import save

from configs.errors import ModelError
from features.store.store import Store
from training.registry.block_files import find_pooled, read_arrays, read_index, read_test
from training.registry.block_index import (
    ARRAYS,
    BLOCK_SCHEMA,
    INDEX,
    TEST,
    BlockIndex,
    FileRecord,
    Shared,
    pooled_sibling,
    to_json,
)

TEST_COLUMNS = ("symbol", "date", "loss")

_DTYPES = frozenset("?bBhHiIlLqQefd")


@dataclass(frozen=True, eq=False)
class Block:
    """The fitted state of a few symbols.

    Attributes
    ----------
    kind : str
        ``"direction"`` or ``"volatility"``.
    symbols : tuple of str
        Unique; row *i* of an array with a leading symbol axis belongs to ``symbols[i]``.
    arrays : dict of str to ndarray
        Booleans, integers or floats of any shape; read back little-endian and C-ordered.
    meta : dict
        JSON-able facts that a predictor needs (configuration, feature names …).
    metrics : dict
        JSON-able numbers; those that are not finite are stored as ``None``.
    test : pyarrow.Table or None
        One row per (symbol, date) of the test period with at least ``symbol``, ``date`` and ``loss``.
        Dictionary columns are read back as plain ones; the table's metadata is not stored.
    """

    kind: str
    symbols: tuple[str, ...]
    arrays: dict[str, npt.NDArray[Any]]
    meta: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    test: pa.Table | None = None


def write_block(store: Store, prefix: str, block: Block, share: bool = False) -> None:
    """Write a block's files; the index comes last, so a block that has an index is complete.

    With ``share``, arrays that are equal to those of the pooled block in the same folder are not stored again.

    Raises
    ------
    ModelError
        The block cannot be stored (repeated symbols, an array of objects or dates, a test table without
        ``symbol``, ``date`` and ``loss``), or the pooled block cannot be read.
    StoreError
        The store cannot be written.
    """
    if len(set(block.symbols)) != len(block.symbols):
        raise ModelError(
            f"block {prefix!r} names a symbol twice: {', '.join(block.symbols)}. Give each symbol one row."
        )
    arrays = {name: _storable(prefix, name, block.arrays[name]) for name in sorted(block.arrays)}
    shared = None
    if share:
        pooled = pooled_sibling(prefix)
        index = read_index(store, pooled)
        shared = Shared.of(index.files[ARRAYS].sha256, arrays, read_arrays(store, pooled, index))
    omitted = frozenset(shared.arrays if shared else ())
    payload = {ARRAYS: save({name: array for name, array in arrays.items() if name not in omitted})}
    if block.test is not None:
        payload[TEST] = _parquet(prefix, block.test)
    index = BlockIndex(
        schema_version=BLOCK_SCHEMA,
        kind=block.kind,
        symbols=block.symbols,
        meta=to_json(block.meta),
        metrics=to_json(block.metrics),
        files={suffix: FileRecord.of(data) for suffix, data in payload.items()},
        shared=shared,
    )
    store.delete(prefix + INDEX)
    for suffix, data in payload.items():
        store.write(prefix + suffix, data)
    store.write_json(prefix + INDEX, index.model_dump(mode="json"))


def read_block(store: Store, prefix: str, test: bool = True) -> Block:
    """Return the block stored under ``prefix`` with the arrays that it shares; ``test=False`` leaves the table out.

    Raises
    ------
    ModelError
        A file is missing, truncated or corrupt (the message names it), or of another schema.
    """
    index = read_index(store, prefix)
    arrays = read_arrays(store, prefix, index)
    if index.shared is not None:
        pooled = find_pooled(store, prefix, index.shared)
        common = read_arrays(store, pooled, read_index(store, pooled))
        arrays |= {name: common[name] for name in index.shared.arrays}
    table = read_test(store, prefix, index) if test else None
    return Block(index.kind, index.symbols, dict(sorted(arrays.items())), index.meta, index.metrics, table)


def _storable(prefix: str, name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    values = np.asarray(array)
    if values.dtype.char not in _DTYPES or name == "__metadata__":
        raise ModelError(
            f"block {prefix!r}: array {name!r} of type {values.dtype} cannot be stored; expected booleans, "
            "integers or floats of at most 64 bits. Store dates as int64."
        )
    return np.asarray(values, dtype=values.dtype.newbyteorder("<"), order="C")


def _parquet(prefix: str, table: pa.Table) -> bytes:
    missing = [name for name in TEST_COLUMNS if name not in table.column_names]
    if missing:
        raise ModelError(f"block {prefix!r}: the test table lacks {', '.join(missing)}; it has {table.column_names}.")
    fields = []
    for column in table.schema:
        plain = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        fields.append(pa.field(column.name, plain, column.nullable))
    sink = pa.BufferOutputStream()
    pq.write_table(table.cast(pa.schema(fields)).combine_chunks(), sink, compression="zstd", row_group_size=1 << 20)
    return bytes(sink.getvalue().to_pybytes())
