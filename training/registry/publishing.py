"""Publishing: the blocks of a run become a version, which appears complete or not at all."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import ValidationError

from configs.errors import ModelError, StoreError
from features.store.concurrent import in_order
from features.store.sealed import seal_json
from features.store.store import Store
from training.registry.block_files import find_pooled, verify_block
from training.registry.block_index import INDEX, FileRecord, pooled_sibling, to_json
from training.registry.layout import (
    block_prefix,
    kind_folder,
    kind_lock,
    manifest_path,
    pooled_prefix,
    published_versions,
    roster_path,
    version_folder,
    version_folders,
    version_moment,
    version_name,
)
from training.registry.manifest import MANIFEST_SCHEMA, BlockRecord, Description, Manifest, parse_manifest
from training.registry.roster import Reasons, Roster


@dataclass(frozen=True)
class ModelVersion:
    """A published version; ``is_new`` is false if the same content had been published before."""

    kind: str
    version: str
    is_new: bool


@dataclass(frozen=True)
class _Verified:
    """Blocks whose files are all intact: their roster, their records, and prefix → suffixes of their files.

    ``pooled`` is the prefix of the pooled block that stores the arrays they share, and ``shared`` its record, if any.
    """

    roster: Roster
    records: tuple[BlockRecord, ...]
    files: dict[str, tuple[str, ...]]
    pooled: str
    shared: BlockRecord | None


def publish(store: Store, kind: str, blocks: Sequence[str], extra: Mapping[str, Any], reasons: Reasons) -> ModelVersion:
    """Make a version of the blocks under these prefixes; see :meth:`training.registry.manager.ModelManager.publish`."""
    kind_folder(kind)
    description = _description(extra)
    verified = _verify(store, kind, blocks, reasons)
    hashes = [record.index for record in verified.records]
    identity = json.dumps([kind, description.config, description.data_hash, hashes], sort_keys=True)
    content = hashlib.sha256(identity.encode()).hexdigest()
    with kind_lock(store, kind):
        for version in reversed(published_versions(store, kind)):
            if version.endswith(content[:6]) and _is_intact(store, kind, version, content):
                return ModelVersion(kind, version, is_new=False)
        version = _next_name(store, kind, content)
        try:
            targets = {prefix: block_prefix(kind, version, number) for number, prefix in enumerate(blocks)}
            targets |= {verified.pooled: pooled_prefix(kind, version)} if verified.pooled else {}
            _link(store, [(p + s, targets[p] + s) for p, suffixes in verified.files.items() for s in suffixes])
            roster = verified.roster.to_bytes()
            store.write(roster_path(kind, version), roster)
        except BaseException:
            with suppress(StoreError):
                store.delete(version_folder(kind, version))
            raise
        manifest = Manifest(
            schema_version=MANIFEST_SCHEMA,
            kind=kind,
            version=version,
            created=datetime.now(UTC),
            content=content,
            symbols=len(verified.roster),
            roster=FileRecord.of(roster),
            blocks=verified.records,
            shared=verified.shared,
            **description.model_dump(),
        )
        # Outside the try: a write that failed may still have arrived, and deleting would damage a visible version.
        _write_manifest(store, manifest)
    return ModelVersion(kind, version, is_new=True)


def _write_manifest(store: Store, manifest: Manifest) -> None:
    """Write the manifest, which makes the version visible; never over another process's."""
    data = seal_json(manifest.model_dump(mode="json"))
    path = manifest_path(manifest.kind, manifest.version)
    if not store.create(path, data) and store.read(path) != data:
        raise ModelError(f"{store.path(path)!r} was published by another process. Run the command again.")


def _description(extra: Mapping[str, Any]) -> Description:
    try:
        return Description.model_validate(to_json(extra))
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors(include_url=False))
        raise ModelError(
            f"manifest_extra does not fit ({'; '.join(problems)}); expected {', '.join(Description.model_fields)}. "
            "Put anything else into notes."
        ) from error


def _verify(store: Store, kind: str, blocks: Sequence[str], reasons: Reasons) -> _Verified:
    symbols, records, files = [], [], dict[str, tuple[str, ...]]()
    pooled_of: dict[tuple[str, str], str] = {}
    verified = in_order(store, lambda prefix: verify_block(store, prefix), blocks)
    for prefix, (index, found) in zip(blocks, verified, strict=True):
        if index.kind != kind:
            raise ModelError(
                f"block {prefix!r} is of kind {index.kind!r}; expected {kind!r}. Publish it as its own kind."
            )
        symbols.append(index.symbols)
        records.append(_record(found))
        files[prefix] = tuple(sorted(found))
        if index.shared is not None:
            key = pooled_sibling(prefix), index.shared.sha256
            pooled_of[key] = pooled_of.get(key) or find_pooled(store, prefix, index.shared)
    roster, pooled = Roster.of(symbols, reasons, blocks), sorted(set(pooled_of.values()))
    if len(pooled) > 1:
        raise ModelError(f"blocks share {' and '.join(map(repr, pooled))}. Publish the blocks of one run.")
    if not pooled:
        return _Verified(roster, tuple(records), files, "", None)
    _, found = verify_block(store, pooled[0])
    return _Verified(roster, tuple(records), files | {pooled[0]: tuple(sorted(found))}, pooled[0], _record(found))


def _record(files: Mapping[str, FileRecord]) -> BlockRecord:
    return BlockRecord(index=files[INDEX].sha256, size=sum(record.size for record in files.values()))


def _is_intact(store: Store, kind: str, version: str, content: str) -> bool:
    """Return whether a version has this content and intact files; publishing again replaces one that is damaged."""
    path = manifest_path(kind, version)
    try:
        manifest = parse_manifest(store.path(path), store.read(path))
        if manifest.content != content:
            return False
        Roster.read(store, roster_path(kind, version), manifest.roster)
        records = {block_prefix(kind, version, number): record for number, record in enumerate(manifest.blocks)}
        records |= {pooled_prefix(kind, version): manifest.shared} if manifest.shared else {}
        found = in_order(store, lambda prefix: _record(verify_block(store, prefix)[1]), records)
        return all(record == other for record, other in zip(records.values(), found, strict=True))
    except (ModelError, FileNotFoundError):
        return False


def _next_name(store: Store, kind: str, content: str) -> str:
    """Return an unused name that sorts after every earlier version's, even if the clock was set back."""
    moment = datetime.now(UTC).replace(microsecond=0)
    earlier = version_folders(store, kind)
    if earlier:
        moment = max(moment, version_moment(earlier[-1]) + timedelta(seconds=1))
    return version_name(moment, content)


def _link(store: Store, pairs: Sequence[tuple[str, str]]) -> None:
    """Give files second names: (existing, new)."""

    def copy(pair: tuple[str, str]) -> None:
        try:
            store.copy(*pair)
        except FileNotFoundError as error:
            raise ModelError(f"{store.path(pair[0])!r} disappeared while it was published. Train again.") from error

    for _ in in_order(store, copy, pairs):
        pass
