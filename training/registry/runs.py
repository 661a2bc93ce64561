"""Folders of runs: a run marks those it uses, and pruning takes what nobody has marked or written to for long.

Marking and pruning hold one lock (of local stores), so what is in the store after a mark stays there: a run may decide
to use a file again without another run's pruning taking it at that moment.
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager

from features.store import Store

RUNS = "runs"
STAGED = ("runs/bars", "runs/market", "runs/plans")

_MARK = "in-use"


def changing_runs(store: Store) -> AbstractContextManager[None]:
    """Hold the lock under which folders of runs are marked and removed."""
    return store.lock(RUNS)


def mark_in_use(store: Store, folders: Iterable[str]) -> None:
    """Make folders look as if just written to. A run that is alive repeats this sooner than any sensible grace ends.

    One small file a folder, because an object store can only refresh a file's time by writing it whole.
    """
    with changing_runs(store):
        for folder in sorted(set(folders)):
            store.write(f"{folder}/{_MARK}", b"")
