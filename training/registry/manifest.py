"""The manifest: the content of one version of a kind. It is written last, so a version that has one is complete."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field, ValidationError

from configs.errors import ModelError, UnreadableError
from configs.values import Frozen
from features.store.store import Store
from training.registry.block_index import INDEX, BlockIndex, FileRecord, parse_index
from training.registry.layout import block_prefix
from training.registry.provenance import library_versions
from training.registry.versioned_json import RESTORE, parse_versioned

MANIFEST_SCHEMA = 7  # rises with BLOCK_SCHEMA: a manifest of older blocks is refused before they are read


class Description(Frozen):
    """What a run records of its version: resolved ``config``, hash of the data, headline ``metrics``, times."""

    config: dict[str, Any]
    data_hash: str
    libraries: dict[str, str] = Field(default_factory=library_versions)
    metrics: dict[str, Any] = Field(default_factory=dict)
    seconds: dict[str, float] = Field(default_factory=dict)
    notes: Any = None


class BlockRecord(Frozen):
    """The SHA-256 of a block's index, which contains those of its other files, and the bytes of all of them."""

    index: str
    size: int


class Manifest(Description):
    """Everything about a version but its arrays, tables and the names of its symbols.

    Attributes
    ----------
    content
        A SHA-256 that two versions have in common exactly when configuration, data and blocks are equal.
    symbols
        How many symbols have a model.
    roster
        The record of the file that names them.
    blocks
        The records of the blocks, in order.
    shared
        The record of the pooled block that stores the arrays they share, if any.
    """

    schema_version: int
    kind: str
    version: str
    created: datetime
    content: str
    symbols: int
    roster: FileRecord
    blocks: tuple[BlockRecord, ...]
    shared: BlockRecord | None = None

    @property
    def size(self) -> int:
        """Bytes of all files but the manifest."""
        blocks = self.blocks if self.shared is None else (*self.blocks, self.shared)
        return self.roster.size + sum(block.size for block in blocks)


def parse_manifest(path: str, data: bytes) -> Manifest:
    """Return the manifest in these bytes; ``path`` is named in errors.

    Raises
    ------
    UnreadableError
        The bytes are no manifest, are damaged, or of an incompatible schema.
    """
    value = parse_versioned(path, data, "manifest", MANIFEST_SCHEMA)
    try:
        return Manifest.model_validate(value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "manifest"
        raise UnreadableError(f"{path!r}: {place}: {first['msg']}. {RESTORE}.") from error


def block_of_version(store: Store, manifest: Manifest, number: int) -> tuple[str, BlockIndex]:
    """Return the prefix and the index of a version's block, after checking the index against the manifest.

    Raises
    ------
    ModelError
        There is no such block, or its index is missing or differs.
    """
    if not 0 <= number < len(manifest.blocks):
        raise ModelError(
            f"{manifest.kind} {manifest.version} has no block {number}; it has {len(manifest.blocks)}, from 0."
        )
    prefix = block_prefix(manifest.kind, manifest.version, number)
    path = store.path(prefix + INDEX)
    try:
        data = store.read(prefix + INDEX)
    except FileNotFoundError as error:
        raise UnreadableError(f"{path!r} is missing. {RESTORE}.") from error
    if FileRecord.of(data).sha256 != manifest.blocks[number].index:
        raise UnreadableError(f"{path!r} is corrupt: its SHA-256 differs from the manifest. {RESTORE}.")
    return prefix, parse_index(path, data)
