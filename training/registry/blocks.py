"""The block: what one worker fits for a few symbols, and the three files that hold it.

``<prefix>.safetensors`` holds the arrays, ``<prefix>.test.parquet`` the test predictions and losses, and
``<prefix>.json``, written last, the symbols, metadata, metrics and the other files' SHA-256. Arrays that a block has in
common with the pooled one beside it lie there only (:mod:`.shared`). Equal blocks give byte-equal files, and nothing is
ever unpickled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load, save

from configs.errors import ModelError
from features.store.store import Store
from training.registry.block_index import (
    ARRAYS,
    BLOCK_SCHEMA,
    INDEX,
    RESTORE,
    TEST,
    BlockIndex,
    FileRecord,
    parse_index,
)
from training.registry.jsonable import to_json
from training.registry.shared import Shared, pooled_beside

TEST_COLUMNS = ("symbol", "date", "loss")

_DTYPES = frozenset("?" + "bBhHiIqQ" + "efd" + "lL")


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
        JSON-able numbers; one that is not finite is kept as ``None``.
    test : pyarrow.Table or None
        One row per (symbol, date) of the test period with at least ``symbol``, ``date`` and ``loss``.
        Dictionary columns are read back as plain ones, and a table's metadata is not kept.
    """

    kind: str
    symbols: tuple[str, ...]
    arrays: dict[str, npt.NDArray[Any]]
    meta: dict[str, Any] = field(default_factory=dict)
    metrics: dict[str, Any] = field(default_factory=dict)
    test: pa.Table | None = None


def write_block(store: Store, prefix: str, block: Block, share: bool = False) -> None:
    """Write a block's files; its index comes last, so a block with an index is whole.

    With ``share``, arrays that are equal to those of the pooled block beside it are left to that one.

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
        pooled = pooled_beside(prefix)
        other = read_index(store, pooled)
        shared = Shared.of(other.files[ARRAYS].sha256, arrays, _arrays(store, pooled, other, verify=True))
    left = frozenset(shared.arrays if shared else ())
    payload = {ARRAYS: save({name: array for name, array in arrays.items() if name not in left})}
    if block.test is not None:
        payload[TEST] = _parquet(prefix, block.test)
    index = {
        "schema_version": BLOCK_SCHEMA,
        "kind": block.kind,
        "symbols": list(block.symbols),
        "meta": to_json(block.meta),
        "metrics": to_json(block.metrics),
        "files": {suffix: FileRecord.of(data).model_dump() for suffix, data in payload.items()},
        "shared": shared.model_dump(mode="json") if shared else None,
    }
    store.delete(prefix + INDEX)
    for suffix, data in payload.items():
        store.write(prefix + suffix, data)
    store.write_json(prefix + INDEX, index)


def read_block(store: Store, prefix: str, verify: bool = True, test: bool = True) -> Block:
    """Return the block written under ``prefix``, with what it shares; ``test=False`` leaves the table out.

    ``verify`` checks SHA-256.

    Raises
    ------
    ModelError
        A file is missing, truncated or corrupt (the message names it), or of another schema.
    """
    index = read_index(store, prefix)
    arrays = _arrays(store, prefix, index, verify)
    if index.shared is not None:
        pooled = shared_with(store, prefix, index.shared)
        common = _arrays(store, pooled, read_index(store, pooled), verify)
        arrays |= {name: common[name] for name in index.shared.arrays}
    table = _table(store, prefix, index, None, verify) if test else None
    return Block(index.kind, index.symbols, dict(sorted(arrays.items())), index.meta, index.metrics, table)


def read_test(store: Store, prefix: str, columns: Sequence[str] | None = None, verify: bool = True) -> pa.Table | None:
    """Return a block's test table (only ``columns`` that it has, if given), or ``None`` if it was written without one.

    Raises
    ------
    ModelError
        As :func:`read_block`.
    """
    return _table(store, prefix, read_index(store, prefix), columns, verify)


def read_index(store: Store, prefix: str) -> BlockIndex:
    """Return a block's index.

    Raises
    ------
    ModelError
        There is none, it is corrupt, or it was written with another schema.
    """
    return parse_index(store.path(prefix + INDEX), _bytes(store, prefix + INDEX))


def shared_with(store: Store, prefix: str, shared: Shared) -> str:
    """Return the prefix of the pooled block that holds what this one shares, if it is the one that was meant.

    Raises
    ------
    ModelError
        It is missing, or holds other arrays.
    """
    pooled = pooled_beside(prefix)
    if read_index(store, pooled).files[ARRAYS].sha256 != shared.sha256:
        raise ModelError(
            f"{store.path(pooled + ARRAYS)!r} is not what {store.path(prefix + INDEX)!r} shares with it. {RESTORE}."
        )
    return pooled


def verify_block(store: Store, prefix: str) -> tuple[BlockIndex, dict[str, FileRecord]]:
    """Check every file of a block and return its index and the records of all its files, by suffix.

    The pooled block that holds what it shares is not checked: it is one for many.

    Raises
    ------
    ModelError
        As :func:`read_block`.
    """
    data = _bytes(store, prefix + INDEX)
    index = parse_index(store.path(prefix + INDEX), data)
    for suffix in index.files:
        _read(store, prefix, suffix, index, verify=True)
    return index, {INDEX: FileRecord.of(data), **index.files}


def is_finished(store: Store, prefix: str) -> bool:
    """Whether a block is in the store, whole and undamaged.

    One that shares arrays with a pooled block that is gone counts: a run makes that one again, and gets the same bytes.
    """
    try:
        index, _ = verify_block(store, prefix)
        if index.shared is not None and store.exists(pooled_beside(prefix) + INDEX):
            shared_with(store, prefix, index.shared)
    except ModelError:
        return False
    return True


def _arrays(store: Store, prefix: str, index: BlockIndex, verify: bool) -> dict[str, npt.NDArray[Any]]:
    data = _read(store, prefix, ARRAYS, index, verify)
    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{store.path(prefix + ARRAYS)!r} is not a safetensors file ({error}). {RESTORE}.") from error


def _storable(prefix: str, name: str, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    values = np.asarray(array)
    if values.dtype.char not in _DTYPES or name == "__metadata__":
        raise ModelError(
            f"block {prefix!r}: array {name!r} of type {values.dtype} cannot be stored; expected booleans, "
            "integers or floats of at most 64 bits. Store dates as int64."
        )
    return np.asarray(values, dtype=values.dtype.newbyteorder("<"), order="C")


def _parquet(prefix: str, table: pa.Table) -> pa.Buffer:
    missing = [name for name in TEST_COLUMNS if name not in table.column_names]
    if missing:
        raise ModelError(f"block {prefix!r}: the test table lacks {', '.join(missing)}; it has {table.column_names}.")
    fields = []
    for column in table.schema:
        plain = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        fields.append(pa.field(column.name, plain, column.nullable))
    sink = pa.BufferOutputStream()
    pq.write_table(table.cast(pa.schema(fields)).combine_chunks(), sink, compression="zstd", row_group_size=1 << 20)
    return sink.getvalue().to_pybytes()


def _read(store: Store, prefix: str, suffix: str, index: BlockIndex, verify: bool) -> bytes:
    data, record = _bytes(store, prefix + suffix), index.files[suffix]
    if len(data) != record.size:
        raise ModelError(
            f"{store.path(prefix + suffix)!r} holds {len(data)} bytes instead of {record.size}. {RESTORE}."
        )
    if verify and FileRecord.of(data) != record:
        raise ModelError(f"{store.path(prefix + suffix)!r} is corrupt: its SHA-256 differs from its index. {RESTORE}.")
    return data


def _table(
    store: Store, prefix: str, index: BlockIndex, columns: Sequence[str] | None, verify: bool
) -> pa.Table | None:
    if TEST not in index.files:
        return None
    data = _read(store, prefix, TEST, index, verify)
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        wanted = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
        return file.read(columns=wanted)
    except (pa.ArrowException, OSError) as error:
        raise ModelError(f"{store.path(prefix + TEST)!r} is not a Parquet file ({error}). {RESTORE}.") from error


def _bytes(store: Store, relative: str) -> bytes:
    try:
        return store.read(relative)
    except FileNotFoundError as error:
        raise ModelError(f"{store.path(relative)!r} is missing. {RESTORE}.") from error
