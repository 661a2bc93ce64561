"""Retention: delete old versions, incomplete versions and folders of runs that are no longer in use."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from configs.errors import ModelError
from features.store.store import Store
from training.registry.layout import (
    manifest_path,
    published_versions,
    version_folder,
    version_folders,
    version_moment,
)
from training.registry.runs import RUNS, runs_lock
from training.registry.trials import TrialLedger, version_trial

GRACE = timedelta(days=7)


@dataclass(frozen=True)
class Pruned:
    """The names of deleted versions, incomplete versions and folders of runs, and the bytes that were freed.

    A version shares its files with the run that made it (hard links); their bytes count when the last name is deleted.
    """

    versions: tuple[str, ...]
    half_versions: tuple[str, ...]
    runs: tuple[str, ...]
    size: int


def prune(
    store: Store, kind: str, aliased: frozenset[str], keep: int, older_than: timedelta | None, grace: timedelta
) -> Pruned:
    """Delete what :meth:`.ModelManager.prune` promises; the caller holds the kind's lock."""
    if keep < 1:
        raise ModelError(f"keep is {keep}; expected at least 1, so that a latest version remains.")
    now = datetime.now(UTC)
    size = 0
    published = published_versions(store, kind)
    retained = aliased | set(published[-keep:])
    old = [v for v in published if v not in retained and (older_than is None or now - version_moment(v) > older_than)]
    ledger = TrialLedger(store)
    for version in old:
        ledger.add(version_trial(kind, version))
        size += store.delete(manifest_path(kind, version))  # first, so that no reader sees a version without its files
        size += store.delete(version_folder(kind, version))
    incomplete = [v for v in version_folders(store, kind) if v not in published]
    incomplete = [v for v in incomplete if _is_unused(store, version_folder(kind, v), now, grace)]
    for version in incomplete:
        size += store.delete(version_folder(kind, version))
    with runs_lock(store):
        runs = [name for name in store.names(RUNS) if _is_unused(store, f"{RUNS}/{name}", now, grace)]
        for name in runs:
            size += store.delete(f"{RUNS}/{name}")
    return Pruned(tuple(old), tuple(incomplete), tuple(runs), size)


def _is_unused(store: Store, folder: str, now: datetime, grace: timedelta) -> bool:
    """Return whether nothing in a folder has changed within the grace period; a live run keeps marking its folders."""
    changed = store.changed_ns(folder)
    return changed is not None and now.timestamp() - changed / 1e9 > grace.total_seconds()
