"""The index of a block: everything but its arrays and test table, and the SHA-256 of those."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import ValidationError
from pydantic_core import to_jsonable_python

from configs.errors import ModelError, UnreadableError
from configs.values import Frozen
from training.registry.versioned_json import RESTORE, parse_versioned

BLOCK_SCHEMA = 6
INDEX, ARRAYS, TEST = ".json", ".safetensors", ".test.parquet"
POOLED = "pooled"


class FileRecord(Frozen):
    """A file's SHA-256 (hexadecimal) and size in bytes."""

    sha256: str
    size: int

    @classmethod
    def of(cls, data: bytes) -> FileRecord:
        """Return the record of these bytes."""
        return cls(sha256=hashlib.sha256(data).hexdigest(), size=len(data))


class Shared(Frozen):
    """Names of arrays that only the pooled block in the same folder stores, and the SHA-256 of that block's arrays."""

    sha256: str
    arrays: tuple[str, ...]

    @classmethod
    def of(
        cls, sha256: str, arrays: Mapping[str, npt.NDArray[Any]], pooled: Mapping[str, npt.NDArray[Any]]
    ) -> Shared | None:
        """Return the arrays that are equal bit for bit to those of the pooled block, or ``None`` if there are none."""
        equal = tuple(sorted(name for name in arrays.keys() & pooled.keys() if _equal(arrays[name], pooled[name])))
        return cls(sha256=sha256, arrays=equal) if equal else None


class BlockIndex(Frozen):
    """The content of a block's ``.json`` file; ``files`` maps a suffix to its record."""

    schema_version: int
    kind: str
    symbols: tuple[str, ...]
    meta: dict[str, Any]
    metrics: dict[str, Any]
    files: dict[str, FileRecord]
    shared: Shared | None = None


def parse_index(path: str, data: bytes) -> BlockIndex:
    """Return the index in these bytes; ``path`` is named in errors.

    Raises
    ------
    UnreadableError
        The bytes are no index, are damaged, or of another schema.
    """
    value = parse_versioned(path, data, "block", BLOCK_SCHEMA)
    try:
        index = BlockIndex.model_validate(value)
    except ValidationError as error:
        raise UnreadableError(f"{path!r} is not a block's index. {RESTORE}.") from error
    if ARRAYS not in index.files or not set(index.files) <= {ARRAYS, TEST}:
        raise UnreadableError(f"{path!r} lists files {sorted(index.files)}; expected {ARRAYS} and {TEST}. {RESTORE}.")
    return index


def pooled_sibling(prefix: str) -> str:
    """Return the prefix of the pooled block in a block's folder, which is a run's or a version's."""
    folder, slash, _ = prefix.rpartition("/")
    return f"{folder}{slash}{POOLED}"


def to_json(value: Any) -> Any:
    """Return plain JSON values: arrays as lists, dates as ISO text, numbers that are not finite as ``None``.

    Raises
    ------
    ModelError
        A value cannot be written as JSON.

    Examples
    --------
    >>> to_json({"loss": (1.5, float("nan"))})
    {'loss': [1.5, None]}
    """
    return to_jsonable_python(value, inf_nan_mode="null", fallback=_plain)


def _plain(value: Any) -> Any:
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "biufUM":
        return (value.astype(str) if value.dtype.kind == "M" else value).tolist()
    raise ModelError(
        f"a {type(value).__name__} cannot be stored as JSON ({value!r:.80}). Store numbers, text or lists."
    )


def _equal(a: npt.NDArray[Any], b: npt.NDArray[Any]) -> bool:
    return a.dtype == b.dtype and a.shape == b.shape and a.tobytes() == b.tobytes()
