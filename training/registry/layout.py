"""Where versions are stored, and how they are named.

``models/<kind>/<version>/`` holds ``block-00000.*``, ``block-00001.*`` …, ``pooled.*`` with the arrays that blocks
share, ``symbols.parquet`` with the roster and, written last, ``manifest.json``. A folder without a manifest is an
incomplete version, which readers do not see. ``models/<kind>/aliases.json`` holds the aliases.
"""

from __future__ import annotations

import re
from contextlib import AbstractContextManager
from datetime import UTC, datetime

from configs.errors import ModelError
from features.store.store import Store
from training.registry.block_index import POOLED

_KIND = re.compile(r"[a-z][a-z0-9_]{0,40}")
_VERSION = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_STAMP = "%Y%m%dT%H%M%SZ"


def is_kind(name: str) -> bool:
    """Whether a kind of model can have this name."""
    return _KIND.fullmatch(name) is not None


def kind_folder(kind: str) -> str:
    """Return a kind's folder; ``ModelError`` if the name is not a plain lower-case word."""
    if not is_kind(kind):
        raise ModelError(f"kind {kind!r} is not a kind of model; expected a name such as direction or volatility.")
    return f"models/{kind}"


def version_folder(kind: str, version: str) -> str:
    """Return a version's folder; ``ModelError`` if no version can have this name."""
    if not _VERSION.fullmatch(version):
        raise ModelError(f"version {version!r} is not a version's name; expected one such as 20260102T030405Z-1a2b3c.")
    return f"{kind_folder(kind)}/{version}"


def manifest_path(kind: str, version: str) -> str:
    """Return the path of a version's manifest."""
    return f"{version_folder(kind, version)}/manifest.json"


def roster_path(kind: str, version: str) -> str:
    """Return the path of a version's roster."""
    return f"{version_folder(kind, version)}/symbols.parquet"


def block_prefix(kind: str, version: str, number: int) -> str:
    """Return the prefix of a version's block."""
    return f"{version_folder(kind, version)}/block-{number:05d}"


def pooled_prefix(kind: str, version: str) -> str:
    """Return the prefix of the block that stores the arrays that a version's blocks share."""
    return f"{version_folder(kind, version)}/{POOLED}"


def aliases_path(kind: str) -> str:
    """Return the path of a kind's aliases."""
    return f"{kind_folder(kind)}/aliases.json"


def version_name(moment: datetime, content: str) -> str:
    """Return the name of a version made at ``moment`` (UTC, full seconds) of content with this SHA-256."""
    return f"{moment.astimezone(UTC).strftime(_STAMP)}-{content[:6]}"


def version_moment(version: str) -> datetime:
    """Return the moment in a version's name."""
    return datetime.strptime(version.partition("-")[0], _STAMP).replace(tzinfo=UTC)


def version_folders(store: Store, kind: str) -> list[str]:
    """Return the names of all versions of a kind, oldest first, incomplete ones included."""
    return [name for name in store.names(kind_folder(kind)) if _VERSION.fullmatch(name)]


def published_versions(store: Store, kind: str) -> list[str]:
    """Return the names of the complete versions of a kind, oldest first."""
    return [name for name in version_folders(store, kind) if store.exists(manifest_path(kind, name))]


def kind_lock(store: Store, kind: str) -> AbstractContextManager[None]:
    """Hold the lock under which versions and aliases of a kind change."""
    return store.lock(kind_folder(kind))
