"""Folders of runs: a run marks those it uses, and pruning takes what nobody has marked or written to for long.

On a local store marking and pruning hold one lock, so what is in the store after a mark stays there: a run may decide
to use a file again without another run's pruning taking it at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext

from features.store.store import Store

RUNS = "runs"
STAGED = ("runs/bars", "runs/market", "runs/plans")

_MARK = "in-use"


def changing_runs(store: Store) -> AbstractContextManager[None]:
    """Hold the lock under which folders of runs are marked and removed.

    Not on object stores: workers mark at every job, and a lease would make all of a cluster wait in one line. There a
    run that begins in the very moment in which pruning takes a folder of days ago makes its blocks again.
    """
    return store.lock(RUNS) if store.is_local else nullcontext()


def mark_in_use(store: Store, folders: Iterable[str]) -> None:
    """Make folders look as if just written to. A run that is alive repeats this sooner than any sensible grace ends.

    One small file a folder, because an object store can only refresh a file's time by writing it whole.
    """
    with changing_runs(store):
        for folder in sorted(set(folders)):
            store.write(f"{folder}/{_MARK}", b"")
