"""Training on several nodes, of which some die and some come late: nothing but the dead node's job is done again."""

import json
import os
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pytest
from ray.cluster_utils import Cluster

from configs.schema import Config
from features.store import Store
from training.registry.manager import ModelManager
from training.run.local import run_here
from training.run.publication import publish_kind
from training.run.queue import JobQueue
from training.trainer import Listener, ModelTrainer

pytestmark = pytest.mark.slow

SYMBOLS = tuple(f"S{number:02d}" for number in range(20))
NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


class Undisturbed(NamedTuple):
    """A run in this process that others must equal."""

    config: Config
    files: dict[str, bytes]
    hashes: list[dict[str, str]]


def block_files(store: Path) -> dict[str, bytes]:
    return {str(path.relative_to(store)): path.read_bytes() for path in sorted(store.glob("runs/*-*/*.*"))}


def published_hashes(store: Path) -> list[dict[str, str]]:
    """Return the SHA-256 of every file of the version's blocks, as its manifest holds them."""
    manifest = ModelManager(Store(store)).manifest("direction", "latest")
    return [{suffix: record.sha256 for suffix, record in files.items()} for files in manifest.blocks]


@pytest.fixture(scope="module")
def undisturbed(tiny_config, make_universe, tmp_path_factory) -> Undisturbed:
    folder = tmp_path_factory.mktemp("undisturbed")
    columns = ("open", "high", "low", "close", "volume")
    bars = [
        pd.DataFrame({"date": one.dates, "symbol": one.symbol, **{name: getattr(one, name) for name in columns}})
        for one in make_universe(SYMBOLS)
    ]
    pd.concat(bars).to_parquet(folder / "bars.parquet")
    config = tiny_config(
        f"data.bars={json.dumps(str(folder / 'bars.parquet'))}",
        "direction={strategy: finetuned, fit: {epochs: 40, patience: 40}}",
        "run={kinds: [direction], block_symbols: 1}",
    )
    trainer = ModelTrainer(config, str(folder / "store"))
    plan = trainer.prepare().plan
    queue = run_here(trainer.store.uri, plan.name, JobQueue(plan.jobs, retries=0), lambda _: None)
    publish_kind(trainer.models, plan, "direction", queue, "auto")
    return Undisturbed(config, block_files(folder / "store"), published_hashes(folder / "store"))


@pytest.fixture(scope="module")
def cluster():
    """Two nodes, and this process joined to one of them."""
    from cluster.session import connect

    nodes = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    nodes.add_node(**NODE)
    with connect(nodes.address):
        yield nodes
    nodes.shutdown()


class Watched:
    """A run of which every step is seen: what it told, and that no finished block is ever written again."""

    def __init__(self, config: Config, store: Path):
        self.store, self.steps, self.seen = store, [], {}
        self.trainer = ModelTrainer(config, str(store))

    def train(self, step) -> None:
        def progressed(now):
            self.steps.append(now)
            self.look()
            step(now)

        self.result = self.trainer.run(self.trainer.prepare(), listener=Listener(progress=progressed))
        self.look()

    def look(self) -> None:
        for path in self.store.glob("runs/direction-*/*.json"):
            facts = os.stat(path)
            first = self.seen.setdefault(path.name, (facts.st_ino, facts.st_mtime_ns))
            assert first == (facts.st_ino, facts.st_mtime_ns), f"{path.name} was written twice"

    def equals(self, other: Undisturbed) -> None:
        assert len(self.seen) == len(SYMBOLS) + 1
        assert block_files(self.store) == other.files
        assert published_hashes(self.store) == other.hashes
        [kind] = self.result.results
        assert not kind.failed and sorted(kind.per_symbol) == sorted(SYMBOLS)


def test_a_node_that_joins_in_mid_run_takes_blocks_and_none_is_begun_again(cluster, undisturbed, tmp_path):
    run, late = Watched(undisturbed.config, tmp_path / "store"), []

    def step(now):
        if now.running and not late:
            late.append(cluster.add_node(**NODE, num_gpus=1))

    run.train(step)
    last = run.steps[-1]
    assert set(last.done_on) == {node.node_id for node in cluster.list_all_nodes()}, "all three nodes have done some"
    assert late[0].node_id in last.done_on and sum(last.done_on.values()) == len(SYMBOLS) + 1
    assert last.begun_again == 0, "those at work finished their blocks before more workers began"
    run.equals(undisturbed)


def test_a_node_that_is_killed_in_mid_run_costs_its_unfinished_block_only(cluster, undisturbed, tmp_path):
    import ray

    run, dead = Watched(undisturbed.config, tmp_path / "store"), []
    mine = ray.get_runtime_context().get_node_id()

    def step(now):
        if len(now.done_on) == 3 and not dead:
            victim = next(one for one in cluster.worker_nodes if one.node_id != mine)
            assert now.nodes[victim.node_id] == 1
            dead.append((victim.node_id, now))
            cluster.remove_node(victim, allow_graceful=False)

    run.train(step)
    (victim, then), last = dead[0], run.steps[-1]
    assert last.begun_again == 1
    assert last.done_on[victim] <= then.done_on[victim] + 1
    assert sum(last.done_on.values()) == len(SYMBOLS) + 1
    after = run.steps[run.steps.index(then) + 1 :]
    assert all(len(now.nodes) >= 2 for now in after if now.waiting), "the others have gone on all the time"
    run.equals(undisturbed)
