"""From blocks to a version: scores without reading the models, and promotion when several trainings end together."""

import os
import subprocess
import sys
import tracemalloc
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from waiting import BOUND_S

from configs.errors import ModelError
from configs.schema import Config
from training.data.arrays import part_of, prefixed
from training.metrics.daily import DirectionDaily
from training.registry.blocks import Block, read_block, write_block
from training.registry.manager import LATEST, ModelManager
from training.run.job import Job
from training.run.publication import promote_if_better, publish_kind
from training.run.queue import JobQueue
from training.run.run_plan import RunPlan
from training.validation.paired_losses import TestLosses

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
    """A registry in which another training promotes one of ``others`` each time this one reads a version's losses."""

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


def test_a_champion_promoted_during_the_comparison_must_be_beaten_too(manager):
    first, best, middle = (release(manager, loss) for loss in (3.0, 1.0, 2.0))
    manager.promote("direction", first, "the first")
    manager.others = [best]
    decision = promote_if_better(manager, "direction", middle, "auto", 1)
    assert not decision.promote
    assert decision.mean_difference == pytest.approx(1.0)
    assert manager.aliases("direction").champion == best


def test_the_decision_is_logged_with_its_reason_and_setting(manager, caplog):
    caplog.set_level("INFO", "training.run.publication")
    best, worse = release(manager, 1.0), release(manager, 2.0)
    manager.promote("direction", best, "the first")
    decision = promote_if_better(manager, "direction", worse, "auto", 1)
    assert caplog.messages == [
        f"direction version {worse} is not promoted (--promote auto): {decision.reason}",
    ]


def test_a_version_that_also_beats_the_new_champion_is_promoted_over_it(manager):
    first, middle, best = (release(manager, loss) for loss in (3.0, 2.0, 1.0))
    manager.promote("direction", first, "the first")
    manager.others = [middle]
    assert promote_if_better(manager, "direction", best, "auto", 1).promote
    aliases = manager.aliases("direction")
    assert (aliases.champion, aliases.previous) == (best, middle)


def test_a_first_version_does_not_replace_another_first_version_that_was_promoted_before(manager):
    quick, slow = release(manager, 1.0), release(manager, 2.0)
    manager.others = [quick]
    assert not promote_if_better(manager, "direction", slow, "auto", 1).promote
    assert manager.aliases("direction").champion == quick


def test_a_champion_that_is_replaced_and_pruned_during_the_comparison_is_no_error(manager):
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


def test_a_champion_that_keeps_changing_is_left_to_promotion_by_hand(manager):
    first, second, best = (release(manager, loss) for loss in (3.0, 2.0, 1.0))
    manager.promote("direction", first, "the first")
    manager.others = [second, second, first, first] * 20
    decision = promote_if_better(manager, "direction", best, "auto", 1)
    assert not decision.promote
    assert "promote it by hand" in decision.reason
    assert manager.aliases("direction").champion in (first, second)


@pytest.mark.parametrize(("policy", "promoted"), [("auto", False), ("always", True)])
def test_a_champion_of_another_schema_is_no_error_for_a_new_version(manager, policy, promoted):
    first, new = release(manager, 2.0), release(manager, 1.0)
    manager.promote("direction", first, "the first")
    path = f"models/direction/{first}/manifest.json"
    manager.store.write_json(path, {**manager.store.read_json(path), "schema_version": 1})
    decision = promote_if_better(manager, "direction", new, policy, 1)
    assert decision.promote is promoted
    assert "manifest schema 1" in decision.reason
    assert manager.aliases("direction").champion == (new if promoted else first)


@pytest.mark.slow
def test_trainings_that_end_together_leave_the_best_version_as_champion(manager):
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
    outputs = [process.communicate(timeout=BOUND_S) for process in processes]
    assert [process.returncode for process in processes] == [0, 0, 0], outputs
    aliases = manager.aliases("direction")
    assert aliases.champion == versions[-1]
    assert all(losses[later.champion] < losses[earlier.champion] for earlier, later in pairwise(aliases.history))


def planned(manager: ModelManager, config: Config, count: int) -> tuple[RunPlan, JobQueue]:
    """Write blocks of large models with daily sums, as workers do; return their plan and a queue without jobs left."""
    days = np.datetime64("2020-01-01", "D") + np.arange(60)
    rng = np.random.default_rng(0)
    jobs = []
    for number in range(count):
        daily = DirectionDaily.from_predictions(days, rng.integers(0, 3, 60), rng.dirichlet([5, 5, 5], 60))
        arrays = {"weights": np.zeros(500_000), **prefixed("daily", daily.to_arrays())}
        metrics = {"per_symbol": {f"S{number}": {"rows": 60.0}}, "skipped": {}, "failed": {}}
        job = Job(kind="direction", name=f"block-{number}", output=f"runs/direction-x/block-{number}", inputs=())
        write_block(manager.store, job.output, Block("direction", (f"S{number}",), arrays, {}, metrics))
        jobs.append(job)
    plan = RunPlan(
        name="p",
        config=config,
        data_hash="d",
        market="",
        feature_names=(),
        folders=("runs/direction-x",),
        splits={"direction": ("2010-12-31", "2011-01-03", "2011-12-30", "2012-01-02", "2012-12-31", 1, 0)},
        jobs=tuple(jobs),
        skipped={},
        bars=0,
    )
    return plan, JobQueue(plan.jobs, 0, {job.output for job in jobs})


def test_scores_cover_all_blocks_and_memory_holds_a_few(manager, tiny_config, tmp_path):
    other = Interrupted(tmp_path / "other")  # what is imported and cached at first takes memory, too
    other.others = []
    plan, queue = planned(other, tiny_config(), 1)
    publish_kind(other, plan, "direction", queue, "auto")
    plan, queue = planned(manager, tiny_config(), 24)
    every = [part_of(read_block(manager.store, job.output).arrays, "daily") for job in plan.jobs]
    expected = DirectionDaily.merge(*map(DirectionDaily.from_arrays, every)).summary()
    block = manager.store.size(plan.jobs[0].output + ".safetensors")
    del every
    tracemalloc.start()
    result = publish_kind(manager, plan, "direction", queue, "auto")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert result.summary == pytest.approx(expected, nan_ok=True)
    assert manager.manifest("direction").metrics["log_loss"] == expected["log_loss"]
    assert peak < 6 * block, f"{peak} bytes at most for 24 blocks of {block}"


def test_a_block_that_is_damaged_outside_its_sums_is_not_published(manager, tiny_config):
    plan, queue = planned(manager, tiny_config(), 2)
    path = Path(manager.store.path(plan.jobs[1].output + ".safetensors"))
    path.write_bytes(path.read_bytes().replace(b"\0" * 64, b"\1" * 64, 1))
    with pytest.raises(ModelError, match=r"block-1\.safetensors' is corrupt"):
        publish_kind(manager, plan, "direction", queue, "auto")
    assert manager.versions("direction") == []
