"""The index of a block: everything of it but its arrays and table, and what vouches for those."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pydantic import ValidationError

from configs.errors import ModelError
from configs.values import Frozen
from training.registry.shared import Shared

BLOCK_SCHEMA = 4
INDEX, ARRAYS, TEST = ".json", ".safetensors", ".test.parquet"
RESTORE = "Restore it from a copy, or train again"


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
    shared: Shared | None = None


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
        raise ModelError(f"{path!r} is not a block's index. {RESTORE}.") from error
    if ARRAYS not in index.files or not set(index.files) <= {ARRAYS, TEST}:
        raise ModelError(f"{path!r} lists files {sorted(index.files)}; expected {ARRAYS} and {TEST}. {RESTORE}.")
    return index
