"""The decision on promotion when trainings end at the same time."""

import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from training.evaluation.promotion import TestLosses
from training.registry.blocks import Block, write_block
from training.registry.manager import LATEST, ModelManager
from training.run.publication import promote_if_better

ROOT = Path(__file__).parents[3]

COMPARE = """
import sys
from training.registry.manager import ModelManager
from training.run.publication import promote_if_better
manager = ModelManager(sys.argv[1])
print("ready", flush=True)
sys.stdin.read(1)
for version in sys.argv[2].split(","):
    promote_if_better(manager, "direction", version, "auto", 1)
"""


def release(manager: ModelManager, loss: float) -> str:
    """Publish a version with this loss on every test row."""
    dates = np.datetime64("2020-01-01", "ns") + np.arange(5) * np.timedelta64(1, "D")
    test = pa.table({"symbol": ["A"] * 5, "date": dates, "loss": np.full(5, loss, np.float32)})
    prefix = f"runs/loss-{loss}/block"
    write_block(manager.store, prefix, Block("direction", ("A",), {}, test=test))
    return manager.publish("direction", [prefix], {"config": {"loss": loss}, "data_hash": "d"}).version


class Interrupted(ModelManager):
    """A registry in which another training promotes one of ``others`` whenever this one reads a version's losses."""

    others: list[str]

    def test_losses(self, kind: str, version: str = LATEST) -> TestLosses:
        if self.others:
            ModelManager(self.store).promote(kind, self.others.pop(0), "meanwhile")
        return super().test_losses(kind, version)


@pytest.fixture
def manager(tmp_path) -> Interrupted:
    made = Interrupted(tmp_path / "store")
    made.others = []
    return made


def test_a_champion_that_came_meanwhile_must_be_beaten_too(manager):
    first, best, middle = (release(manager, loss) for loss in (3.0, 1.0, 2.0))
    manager.promote("direction", first, "the first")
    manager.others = [best]
    decision = promote_if_better(manager, "direction", middle, "auto", 1)
    assert not decision.promote
    assert decision.mean_difference == pytest.approx(1.0)
    assert manager.aliases("direction").champion == best


def test_a_version_that_beats_the_new_champion_as_well_is_promoted_over_it(manager):
    first, middle, best = (release(manager, loss) for loss in (3.0, 2.0, 1.0))
    manager.promote("direction", first, "the first")
    manager.others = [middle]
    assert promote_if_better(manager, "direction", best, "auto", 1).promote
    aliases = manager.aliases("direction")
    assert (aliases.champion, aliases.previous) == (best, middle)


def test_the_first_of_a_kind_does_not_replace_a_first_that_was_quicker(manager):
    quick, slow = release(manager, 1.0), release(manager, 2.0)
    manager.others = [quick]
    assert not promote_if_better(manager, "direction", slow, "auto", 1).promote
    assert manager.aliases("direction").champion == quick


def test_a_champion_that_was_replaced_and_pruned_meanwhile_is_no_error(manager):
    first, middle, better, best = (release(manager, loss) for loss in (4.0, 3.0, 2.0, 1.0))
    manager.promote("direction", first, "the first")

    class Pruned(Interrupted):
        def test_losses(self, kind: str, version: str = LATEST) -> TestLosses:
            if version == first:
                for other in (middle, better):
                    manager.promote(kind, other, "meanwhile")
                assert first in manager.prune(kind, keep=1).versions
            return super().test_losses(kind, version)

    racing = Pruned(manager.store)
    racing.others = []
    assert promote_if_better(racing, "direction", best, "auto", 1).promote
    assert (manager.aliases("direction").champion, manager.aliases("direction").previous) == (best, better)


def test_a_champion_that_never_holds_still_is_left_to_a_person(manager):
    first, second, best = (release(manager, loss) for loss in (3.0, 2.0, 1.0))
    manager.promote("direction", first, "the first")
    manager.others = [second, second, first, first] * 20
    decision = promote_if_better(manager, "direction", best, "auto", 1)
    assert not decision.promote
    assert "promote it by hand" in decision.reason
    assert manager.aliases("direction").champion in (first, second)


def test_trainings_that_end_at_once_leave_the_best_as_champion(manager):
    losses = {release(manager, loss): loss for loss in np.linspace(9.0, 1.0, 9).tolist()}
    versions = list(losses)
    orders = (versions, versions[::-1][4:] + versions[:4], versions[4:] + versions[:4])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", COMPARE, manager.store.root, ",".join(order)],
            cwd=ROOT,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for order in orders
    ]
    for process in processes:
        assert process.stdout is not None and process.stdout.readline() == "ready\n"
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    told = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], told
    aliases = manager.aliases("direction")
    assert aliases.champion == versions[-1]
    assert all(losses[later.champion] < losses[earlier.champion] for earlier, later in pairwise(aliases.history))
