"""Folders of runs: a run marks those that it uses, and pruning deletes those that were not marked or written recently.

On a local store marking and pruning hold one lock, so a file that is in the store after a mark stays there: pruning by
another process cannot delete it between a run's decision to use it and its use.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

from features.store.store import Store

RUNS = "runs"
STAGED = ("runs/bars", "runs/market", "runs/plans")

_MARK = "in-use"


def runs_lock(store: Store) -> AbstractContextManager[None]:
    """Hold the lock under which folders of runs are marked and deleted; on object stores there is none.

    Workers mark at every job, and a lease would serialise all workers of a cluster. A run that starts at the moment in
    which pruning deletes a folder that was unused for days fits its blocks again.
    """
    return store.lock(RUNS) if store.is_local else nullcontext()


def mark_in_use(store: Store, folders: Iterable[str]) -> None:
    """Make folders count as written to now. A live run repeats this more often than any sensible grace period.

    One small file per folder, because an object store can only update a file's time by writing the file again.
    """
    with runs_lock(store):
        for folder in sorted(set(folders)):
            store.write(f"{folder}/{_MARK}", b"")
