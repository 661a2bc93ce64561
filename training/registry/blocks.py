"""The block: what one worker fits for a few symbols, and the three files that hold it.

``<prefix>.safetensors`` holds the arrays, ``<prefix>.test.parquet`` the test predictions and losses, and
``<prefix>.json``, written last, the symbols, metadata, metrics and the other files' SHA-256. Equal blocks give
byte-equal files, and nothing is ever unpickled.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load, save

from configs.errors import ModelError
from configs.schema import Frozen
from features.store import Store
from training.registry.jsonable import to_json

BLOCK_SCHEMA = 1
INDEX, ARRAYS, TEST = ".json", ".safetensors", ".test.parquet"
TEST_COLUMNS = ("symbol", "date", "loss")

_DTYPES = frozenset("?" + "bBhHiIqQ" + "efd" + "lL")
_RESTORE = "Restore it from a copy, or train again"


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


class FileRecord(Frozen):
    """Name a file's content: SHA-256 (hexadecimal) and size in bytes."""

    sha256: str
    size: int

    @classmethod
    def of(cls, data: bytes) -> FileRecord:
        """Return the record of these bytes."""
        return cls(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


class BlockIndex(Frozen):
    """Everything of a block but its arrays and table; ``files`` maps a suffix to its record."""

    schema_version: int
    kind: str
    symbols: tuple[str, ...]
    meta: dict[str, Any]
    metrics: dict[str, Any]
    files: dict[str, FileRecord]


def write_block(store: Store, prefix: str, block: Block) -> None:
    """Write a block's files; its index comes last, so a block with an index is whole.

    Raises
    ------
    ModelError
        The block cannot be stored (repeated symbols, an array of objects or dates, a test table without
        ``symbol``, ``date`` and ``loss``).
    StoreError
        The store cannot be written.
    """
    if len(set(block.symbols)) != len(block.symbols):
        raise ModelError(
            f"block {prefix!r} names a symbol twice: {', '.join(block.symbols)}. Give each symbol one row."
        )
    payload = {ARRAYS: save({name: _storable(prefix, name, block.arrays[name]) for name in sorted(block.arrays)})}
    if block.test is not None:
        payload[TEST] = _parquet(prefix, block.test)
    index = {
        "schema_version": BLOCK_SCHEMA,
        "kind": block.kind,
        "symbols": list(block.symbols),
        "meta": to_json(block.meta),
        "metrics": to_json(block.metrics),
        "files": {suffix: FileRecord.of(data).model_dump() for suffix, data in payload.items()},
    }
    store.delete(prefix + INDEX)
    for suffix, data in payload.items():
        store.write(prefix + suffix, data)
    store.write_json(prefix + INDEX, index)


def read_block(store: Store, prefix: str, verify: bool = True, test: bool = True) -> Block:
    """Return the block written under ``prefix``; ``verify`` checks SHA-256, ``test=False`` leaves the table out.

    Raises
    ------
    ModelError
        A file is missing, truncated or corrupt (the message names it), or of another schema.
    """
    index = read_index(store, prefix)
    data = _read(store, prefix, ARRAYS, index, verify)
    try:
        arrays = load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise ModelError(f"{store.path(prefix + ARRAYS)!r} is not a safetensors file ({error}). {_RESTORE}.") from error
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


def verify_block(store: Store, prefix: str) -> tuple[BlockIndex, dict[str, FileRecord]]:
    """Check every file of a block and return its index and the records of all its files, by suffix.

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
    """Whether a block is in the store, whole and undamaged."""
    try:
        verify_block(store, prefix)
    except ModelError:
        return False
    return True


def parse_index(path: str, data: bytes) -> BlockIndex:
    """Return the index that these bytes spell; ``path`` is named in errors."""
    try:
        value = json.loads(data)
        found = value.get("schema_version") if isinstance(value, dict) else None
        if found != BLOCK_SCHEMA and found is not None:
            raise ModelError(
                f"{path!r} has block schema {found}; this Fleetcast reads {BLOCK_SCHEMA}. "
                "Use the Fleetcast that wrote it, or train again."
            )
        index = BlockIndex.model_validate(value)
    except (ValueError, ValidationError) as error:
        raise ModelError(f"{path!r} is not a block's index. {_RESTORE}.") from error
    if ARRAYS not in index.files or not set(index.files) <= {ARRAYS, TEST}:
        raise ModelError(f"{path!r} lists files {sorted(index.files)}; expected {ARRAYS} and {TEST}. {_RESTORE}.")
    return index


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
            f"{store.path(prefix + suffix)!r} holds {len(data)} bytes instead of {record.size}. {_RESTORE}."
        )
    if verify and FileRecord.of(data) != record:
        raise ModelError(f"{store.path(prefix + suffix)!r} is corrupt: its SHA-256 differs from its index. {_RESTORE}.")
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
        raise ModelError(f"{store.path(prefix + TEST)!r} is not a Parquet file ({error}). {_RESTORE}.") from error


def _bytes(store: Store, relative: str) -> bytes:
    try:
        return store.read(relative)
    except FileNotFoundError as error:
        raise ModelError(f"{store.path(relative)!r} is missing. {_RESTORE}.") from error
