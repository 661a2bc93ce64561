"""Pruning deletes what is old and unused, and nothing else."""

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from configs.errors import ModelError
from training.registry.layout import version_name
from training.registry.manager import ModelManager

NOTHING = timedelta(0)
Train = Callable[..., list[str]]
Release = Callable[..., str]


def test_prune_keeps_the_newest_and_aliased_versions(manager: ModelManager, release: Release) -> None:
    made = [release(manager, run) for run in "abcdef"]
    manager.promote("direction", made[1], "x")
    manager.promote("direction", made[0], "y")
    untouched = manager.prune("direction", keep=2, older_than=timedelta(hours=1))
    assert untouched.versions == () and untouched.runs == ()
    freed = manager.prune("direction", keep=2)
    assert freed.versions == (made[2], made[3]) and freed.size > 0
    assert manager.versions("direction") == [made[0], made[1], made[4], made[5]]
    assert manager.load_block("direction", "previous", "AAPL").symbols == ("AAPL", "^GSPC")
    with pytest.raises(ModelError, match="at least 1"):
        manager.prune("direction", keep=0)


def test_prune_spares_recent_leftovers_and_counts_a_shared_file_once(manager: ModelManager, release: Release) -> None:
    version = release(manager, "r")
    incomplete = version_name(datetime(2020, 1, 1, tzinfo=UTC), "abcdef")
    manager.store.write(f"models/direction/{incomplete}/block-00000.safetensors", b"x" * 10)
    manager.store.write("runs/dead/direction/block-00000.safetensors", b"x" * 100)
    manager.store.write("models/direction/notes.txt", b"mine")
    assert manager.prune("direction", keep=1).half_versions == ()
    freed = manager.prune("direction", keep=1, grace=NOTHING)
    assert (freed.versions, freed.half_versions, freed.runs) == ((), (incomplete,), ("dead", "r"))
    manifestless = 10 + 100
    assert freed.size == manifestless
    assert manager.load_block("direction", version, "AAPL").symbols == ("AAPL", "^GSPC")
    assert manager.store.read("models/direction/notes.txt") == b"mine"


def test_prune_spares_a_run_that_still_writes(manager: ModelManager, train: Train) -> None:
    prefixes = train(manager.store, "alive", {"block-00000": ["A"], "block-00001": ["B"]})
    old = (datetime.now() - timedelta(days=30)).timestamp()
    for folder, _, names in os.walk(manager.store.path("runs")):
        for name in (".", *names):
            os.utime(Path(folder, name), (old, old))
    os.utime(manager.store.path(prefixes[1] + ".json"))
    assert manager.prune("direction", keep=1).runs == ()
    os.utime(manager.store.path(prefixes[1] + ".json"), (old, old))
    assert manager.prune("direction", keep=1).runs == ("alive",)
