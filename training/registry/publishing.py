"""From the blocks of a run to a version that appears whole or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from configs.errors import ModelError, StoreError
from features.store import Store, to_bytes
from training.registry.block_index import FileRecord
from training.registry.blocks import shared_with, verify_block
from training.registry.jsonable import to_json
from training.registry.layout import (
    block_prefix,
    changing,
    folders,
    kind_folder,
    manifest_path,
    pooled_prefix,
    published,
    version_folder,
    version_moment,
    version_name,
)
from training.registry.manifest import MANIFEST_SCHEMA, Description, Manifest, parse_manifest


@dataclass(frozen=True)
class ModelVersion:
    """A published version; ``is_new`` is false where the same content had been published before."""

    kind: str
    version: str
    is_new: bool


@dataclass(frozen=True)
class _Verified:
    """Blocks whose files were all checked: symbol → (block, row), and per block suffix → record.

    ``pooled`` is the prefix of the block that holds what these share, if any, and ``shared`` its records.
    """

    symbols: dict[str, tuple[int, int]]
    records: tuple[dict[str, FileRecord], ...]
    pooled: str
    shared: dict[str, FileRecord]


def publish(store: Store, kind: str, blocks: Sequence[str], extra: Mapping[str, Any]) -> ModelVersion:
    """Make a version of the blocks under these prefixes; see :meth:`training.registry.manager.ModelManager.publish`."""
    kind_folder(kind)
    described = _described(extra)
    verified = _verify(store, kind, blocks)
    hashes = [[record.sha256 for record in files.values()] for files in verified.records]
    identity = json.dumps([kind, described.config, described.data_hash, hashes], sort_keys=True)
    content = hashlib.sha256(identity.encode()).hexdigest()
    with changing(store, kind):
        for version in reversed(published(store, kind)):
            if version.endswith(content[:6]) and _holds(store, kind, version, content):
                return ModelVersion(kind, version, is_new=False)
        version = _name(store, kind, content)
        try:
            for number, (prefix, files) in enumerate(zip(blocks, verified.records, strict=True)):
                _place_block(store, prefix, files, block_prefix(kind, version, number))
            _place_block(store, verified.pooled, verified.shared, pooled_prefix(kind, version))
            manifest = Manifest(
                schema_version=MANIFEST_SCHEMA,
                kind=kind,
                version=version,
                created=datetime.now(UTC),
                content=content,
                symbols=verified.symbols,
                blocks=verified.records,
                shared=verified.shared,
                **described.model_dump(),
            )
            _reveal(store, manifest)
        except BaseException:
            with suppress(StoreError):
                store.delete(version_folder(kind, version))
            raise
    return ModelVersion(kind, version, is_new=True)


def _reveal(store: Store, manifest: Manifest) -> None:
    """Write the manifest, which makes the version one; never over another's."""
    data = to_bytes(manifest.model_dump(mode="json"))
    path = manifest_path(manifest.kind, manifest.version)
    if not store.create(path, data) and store.read(path) != data:
        raise ModelError(f"{store.path(path)!r} was published by another at this moment. Run the command again.")


def _described(extra: Mapping[str, Any]) -> Description:
    try:
        return Description.model_validate(to_json(extra))
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise ModelError(
            f"manifest_extra does not fit ({'; '.join(problems)}); expected {', '.join(Description.model_fields)}. "
            "Put anything else into notes."
        ) from error


def _verify(store: Store, kind: str, blocks: Sequence[str]) -> _Verified:
    symbols: dict[str, tuple[int, int]] = {}
    records = []
    pooled = set()
    for number, prefix in enumerate(blocks):
        index, files = verify_block(store, prefix)
        if index.kind != kind:
            raise ModelError(
                f"block {prefix!r} is of kind {index.kind!r}; expected {kind!r}. Publish it as its own kind."
            )
        for row, symbol in enumerate(index.symbols):
            if symbol in symbols:
                other = blocks[symbols[symbol][0]]
                raise ModelError(f"symbol {symbol!r} is in blocks {other!r} and {prefix!r}. Publish one of them.")
            symbols[symbol] = (number, row)
        records.append(dict(sorted(files.items())))
        if index.shared is not None:
            pooled.add(shared_with(store, prefix, index.shared))
    if not symbols:
        raise ModelError(f"there is no trained symbol to publish as {kind}. Train at least one.")
    if len(pooled) > 1:
        raise ModelError(f"blocks share {' and '.join(map(repr, sorted(pooled)))}. Publish the blocks of one run.")
    base = next(iter(pooled), "")
    shared = dict(sorted(verify_block(store, base)[1].items())) if base else {}
    return _Verified(symbols, tuple(records), base, shared)


def _holds(store: Store, kind: str, version: str, content: str) -> bool:
    """Whether a version is of this content and intact, so that publishing again repairs one that is not."""
    path = manifest_path(kind, version)
    try:
        manifest = parse_manifest(store.path(path), store.read(path))
        if manifest.content != content:
            return False
        held = {block_prefix(kind, version, number): files for number, files in enumerate(manifest.blocks)}
        held |= {pooled_prefix(kind, version): manifest.shared} if manifest.shared else {}
        if any(verify_block(store, prefix)[1] != files for prefix, files in held.items()):
            return False
    except (ModelError, FileNotFoundError):
        return False
    return True


def _name(store: Store, kind: str, content: str) -> str:
    """Return a name that nobody else has; it sorts after every earlier version's, whatever the clock says."""
    moment = datetime.now(UTC).replace(microsecond=0)
    earlier = folders(store, kind)
    if earlier:
        moment = max(moment, version_moment(earlier[-1]) + timedelta(seconds=1))
    return version_name(moment, content)


def _place_block(store: Store, prefix: str, files: Iterable[str], target: str) -> None:
    for suffix in files:
        _place(store, prefix + suffix, target + suffix)


def _place(store: Store, source: str, target: str) -> None:
    try:
        store.copy(source, target)
    except FileNotFoundError as error:
        raise ModelError(f"{store.path(source)!r} disappeared while it was published. Train again.") from error
