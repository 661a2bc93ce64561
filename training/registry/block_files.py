"""Reading the files of a block, each checked against the block's index."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from safetensors import SafetensorError
from safetensors.numpy import load

from configs.errors import ModelError, UnreadableError
from configs.safe_json import parse_json
from features.store.store import Store
from training.data.arrays import part_of
from training.registry.block_index import (
    ARRAYS,
    INDEX,
    TEST,
    BlockIndex,
    FileRecord,
    Shared,
    parse_index,
    pooled_sibling,
)
from training.registry.versioned_json import RESTORE


def read_index(store: Store, prefix: str) -> BlockIndex:
    """Return a block's index.

    Raises
    ------
    UnreadableError
        There is none, it is corrupt, or it was written with another schema.
    """
    return parse_index(store.path(prefix + INDEX), _bytes(store, prefix + INDEX))


def read_arrays(store: Store, prefix: str, index: BlockIndex) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays of a block's own file, without those that it shares.

    Raises
    ------
    UnreadableError
        The file is missing, truncated or corrupt.
    """
    return _arrays(store.path(prefix + ARRAYS), _checked(store, prefix, ARRAYS, index))


def read_part(store: Store, prefix: str, index: BlockIndex, part: str) -> dict[str, npt.NDArray[Any]]:
    """Return the arrays under ``part/`` of a block's own file, without ``part/`` in their names.

    The others are not read, so the SHA-256 of the file is not checked.

    Raises
    ------
    UnreadableError
        The file is missing, of another size, or its header is corrupt.
    """
    path, record = store.path(prefix + ARRAYS), index.files[ARRAYS]
    try:
        with _missing_explained(path), store.open(prefix + ARRAYS) as file:
            _check_size(path, file.size(), record)
            data = _excerpt(file, record.size, f"{part}/")
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise UnreadableError(f"{path!r} is not a safetensors file ({error}). {RESTORE}.") from error
    return part_of(_arrays(path, data), part)


def read_test(store: Store, prefix: str, index: BlockIndex, columns: Sequence[str] | None = None) -> pa.Table | None:
    """Return a block's test table, or those of ``columns`` that it has; ``None`` if the block has no table.

    Raises
    ------
    UnreadableError
        The file is missing, truncated or corrupt.
    """
    if TEST not in index.files:
        return None
    data = _checked(store, prefix, TEST, index)
    try:
        file = pq.ParquetFile(pa.BufferReader(data))
        wanted = None if columns is None else [name for name in file.schema_arrow.names if name in columns]
        return file.read(columns=wanted, use_threads=False)
    except (pa.ArrowException, OSError) as error:
        raise UnreadableError(f"{store.path(prefix + TEST)!r} is not a Parquet file ({error}). {RESTORE}.") from error


def find_pooled(store: Store, prefix: str, shared: Shared) -> str:
    """Return the prefix of the pooled block that stores the arrays that this one shares.

    Raises
    ------
    UnreadableError
        It is missing, or its arrays are not those that the block was written with.
    """
    pooled = pooled_sibling(prefix)
    if read_index(store, pooled).files[ARRAYS].sha256 != shared.sha256:
        raise UnreadableError(
            f"{store.path(pooled + INDEX)!r} is not what {store.path(prefix + INDEX)!r} shares with it. {RESTORE}."
        )
    return pooled


def verify_block(store: Store, prefix: str) -> tuple[BlockIndex, dict[str, FileRecord]]:
    """Check every file of a block, and return its index and the records of all its files by suffix.

    The pooled block that stores its shared arrays is not checked: many blocks have the same one.

    Raises
    ------
    UnreadableError
        A file is missing, truncated, corrupt or of another schema; the message names it.
    """
    data = _bytes(store, prefix + INDEX)
    index = parse_index(store.path(prefix + INDEX), data)
    for suffix in index.files:
        _checked(store, prefix, suffix, index)
    return index, {INDEX: FileRecord.of(data), **index.files}


def is_finished(store: Store, prefix: str) -> bool:
    """Whether all files of a block are in the store and intact.

    The pooled block may be missing: the run fits it again and gets the same bytes. Another one makes the block stale.
    """
    try:
        index, _ = verify_block(store, prefix)
        if index.shared is not None and store.exists(pooled_sibling(prefix) + INDEX):
            find_pooled(store, prefix, index.shared)
    except ModelError:
        return False
    return True


def _checked(store: Store, prefix: str, suffix: str, index: BlockIndex) -> bytes:
    data, record, path = _bytes(store, prefix + suffix), index.files[suffix], store.path(prefix + suffix)
    _check_size(path, len(data), record)
    if FileRecord.of(data) != record:
        raise UnreadableError(f"{path!r} is corrupt: its SHA-256 differs from its index. {RESTORE}.")
    return data


def _bytes(store: Store, relative: str) -> bytes:
    with _missing_explained(store.path(relative)):
        return store.read(relative)


@contextmanager
def _missing_explained(path: str) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError as error:
        raise UnreadableError(f"{path!r} is missing. {RESTORE}.") from error


def _check_size(path: str, size: int, record: FileRecord) -> None:
    if size != record.size:
        raise UnreadableError(f"{path!r} holds {size} bytes instead of {record.size}. {RESTORE}.")


def _arrays(path: str, data: bytes) -> dict[str, npt.NDArray[Any]]:
    try:
        return load(data)
    except (SafetensorError, KeyError, ValueError) as error:
        raise UnreadableError(f"{path!r} is not a safetensors file ({error}). {RESTORE}.") from error


def _excerpt(file: pa.NativeFile, size: int, start: str) -> bytes:
    """Return a safetensors file of the arrays whose names start so: 8 bytes of length, a JSON header, their data.

    The format: https://github.com/huggingface/safetensors#format.
    """
    length = int.from_bytes(file.read_at(8, 0), "little")
    if length > size - 8:
        raise ValueError(f"a header of {length} bytes")
    header, data, at = dict[str, Any](), list[bytes](), 0
    for name, entry in parse_json(file.read_at(length, 8)).items():
        if name.startswith(start):
            first, last = entry["data_offsets"]
            if not 0 <= first <= last <= size - 8 - length:
                raise ValueError(f"{name!r} is outside the file")
            data.append(file.read_at(last - first, 8 + length + first))
            header[name] = entry | {"data_offsets": [at, at := at + last - first]}
    text = json.dumps(header).encode()
    return b"".join([len(text).to_bytes(8, "little"), text, *data])
