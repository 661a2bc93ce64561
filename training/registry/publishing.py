"""From the blocks of a run to a version that appears whole or not at all."""

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
from features.store.store import Store, to_bytes
from training.registry.block_index import INDEX, FileRecord
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
    roster_path,
    version_folder,
    version_moment,
    version_name,
)
from training.registry.manifest import MANIFEST_SCHEMA, BlockRecord, Description, Manifest, parse_manifest
from training.registry.roster import Reasons, Roster
from training.registry.shared import pooled_beside


@dataclass(frozen=True)
class ModelVersion:
    """A published version; ``is_new`` is false where the same content had been published before."""

    kind: str
    version: str
    is_new: bool


@dataclass(frozen=True)
class _Verified:
    """Blocks whose files were all checked: their roster, their records and the suffixes of their files.

    ``pooled`` is the prefix of the block that holds what these share, if any, and ``shared`` its record.
    """

    roster: Roster
    records: tuple[BlockRecord, ...]
    files: dict[str, tuple[str, ...]]
    pooled: str
    shared: BlockRecord | None


def publish(store: Store, kind: str, blocks: Sequence[str], extra: Mapping[str, Any], reasons: Reasons) -> ModelVersion:
    """Make a version of the blocks under these prefixes; see :meth:`training.registry.manager.ModelManager.publish`."""
    kind_folder(kind)
    described = _described(extra)
    verified = _verify(store, kind, blocks, reasons)
    hashes = [record.index for record in verified.records]
    identity = json.dumps([kind, described.config, described.data_hash, hashes], sort_keys=True)
    content = hashlib.sha256(identity.encode()).hexdigest()
    with changing(store, kind):
        for version in reversed(published(store, kind)):
            if version.endswith(content[:6]) and _holds(store, kind, version, content):
                return ModelVersion(kind, version, is_new=False)
        version = _name(store, kind, content)
        try:
            targets = {prefix: block_prefix(kind, version, number) for number, prefix in enumerate(blocks)}
            targets |= {verified.pooled: pooled_prefix(kind, version)} if verified.pooled else {}
            _place(store, [(p + s, targets[p] + s) for p, suffixes in verified.files.items() for s in suffixes])
            names = verified.roster.to_bytes()
            store.write(roster_path(kind, version), names)
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
            roster=FileRecord.of(names),
            blocks=verified.records,
            shared=verified.shared,
            **described.model_dump(),
        )
        _reveal(
            store, manifest
        )  # whether a write that failed arrived after all is not known: nothing is deleted any more
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


def _verify(store: Store, kind: str, blocks: Sequence[str], reasons: Reasons) -> _Verified:
    symbols, records, files = [], [], dict[str, tuple[str, ...]]()
    sharing: dict[tuple[str, str], str] = {}
    for prefix, (index, found) in zip(
        blocks, in_order(store, lambda prefix: verify_block(store, prefix), blocks), strict=True
    ):
        if index.kind != kind:
            raise ModelError(
                f"block {prefix!r} is of kind {index.kind!r}; expected {kind!r}. Publish it as its own kind."
            )
        symbols.append(index.symbols)
        records.append(_record(found))
        files[prefix] = tuple(sorted(found))
        if index.shared is not None:
            key = pooled_beside(prefix), index.shared.sha256
            sharing[key] = sharing.get(key) or shared_with(store, prefix, index.shared)
    roster, pooled = Roster.of(symbols, reasons, blocks), sorted(set(sharing.values()))
    if len(pooled) > 1:
        raise ModelError(f"blocks share {' and '.join(map(repr, pooled))}. Publish the blocks of one run.")
    if not pooled:
        return _Verified(roster, tuple(records), files, "", None)
    _, found = verify_block(store, pooled[0])
    return _Verified(roster, tuple(records), files | {pooled[0]: tuple(sorted(found))}, pooled[0], _record(found))


def _record(files: Mapping[str, FileRecord]) -> BlockRecord:
    return BlockRecord(index=files[INDEX].sha256, size=sum(record.size for record in files.values()))


def _holds(store: Store, kind: str, version: str, content: str) -> bool:
    """Whether a version is of this content and intact, so that publishing again repairs one that is not."""
    path = manifest_path(kind, version)
    try:
        manifest = parse_manifest(store.path(path), store.read(path))
        if manifest.content != content:
            return False
        Roster.read(store, roster_path(kind, version), manifest.roster)
        held = {block_prefix(kind, version, number): record for number, record in enumerate(manifest.blocks)}
        held |= {pooled_prefix(kind, version): manifest.shared} if manifest.shared else {}
        found = in_order(store, lambda prefix: _record(verify_block(store, prefix)[1]), held)
        if any(record != one for record, one in zip(held.values(), found, strict=True)):
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


def _place(store: Store, pairs: Sequence[tuple[str, str]]) -> None:
    """Give files second names."""

    def copy(pair: tuple[str, str]) -> None:
        try:
            store.copy(*pair)
        except FileNotFoundError as error:
            raise ModelError(f"{store.path(pair[0])!r} disappeared while it was published. Train again.") from error

    for _ in in_order(store, copy, pairs):
        pass
