"""Retention: old versions, half versions and the leftovers of runs."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from configs.errors import ModelError
from features.store.store import Store
from training.registry.layout import folders, manifest_path, published, version_folder, version_moment
from training.registry.runs import RUNS, changing_runs

GRACE = timedelta(days=7)


@dataclass(frozen=True)
class Freed:
    """What was removed: names of versions, of half versions and of runs, and the bytes that came free on disk.

    Versions share their files with the run that made them (hard links); such a file counts when its last name goes.
    """

    versions: tuple[str, ...]
    half_versions: tuple[str, ...]
    runs: tuple[str, ...]
    size: int


def prune(
    store: Store, kind: str, aliased: frozenset[str], keep: int, older_than: timedelta | None, grace: timedelta
) -> Freed:
    """Remove what may go; the caller holds the kind's lock. See :meth:`.ModelManager.prune`."""
    if keep < 1:
        raise ModelError(f"keep is {keep}; expected at least 1, so that a latest version remains.")
    now = datetime.now(UTC)
    size = 0
    whole = published(store, kind)
    kept = aliased | set(whole[-keep:])
    old = [v for v in whole if v not in kept and (older_than is None or now - version_moment(v) > older_than)]
    for version in old:
        size += store.delete(manifest_path(kind, version))
        size += store.delete(version_folder(kind, version))
    half = [v for v in folders(store, kind) if v not in whole]
    half = [v for v in half if _untouched(store, version_folder(kind, v), now, grace)]
    for version in half:
        size += store.delete(version_folder(kind, version))
    with changing_runs(store):
        runs = [name for name in store.names(RUNS) if _untouched(store, f"{RUNS}/{name}", now, grace)]
        for name in runs:
            size += store.delete(f"{RUNS}/{name}")
    return Freed(tuple(old), tuple(half), tuple(runs), size)


def _untouched(store: Store, folder: str, now: datetime, grace: timedelta) -> bool:
    """Whether nothing in a folder has changed within the grace period; a run that is alive keeps marking it."""
    changed = store.changed_ns(folder)
    return changed is not None and now.timestamp() - changed / 1e9 > grace.total_seconds()
