"""Training on several nodes, of which some die and some come late: nothing but the dead node's job is done again."""

import os
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from configs.schema import Config
from training.trainer import Callbacks, ModelTrainer

pytestmark = pytest.mark.slow

NODE = {"num_cpus": 1, "object_store_memory": 80 * 2**20}


@pytest.fixture(scope="module")
def cluster():
    """Two nodes, and this process joined to one of them."""
    from cluster.session import connect

    nodes = Cluster(initialize_head=True, head_node_args={**NODE, "include_dashboard": False})
    nodes.add_node(**NODE)
    with connect(nodes.address):
        yield nodes
    nodes.shutdown()


class Other:
    """Work of somebody else."""


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

        self.result = self.trainer.run(self.trainer.prepare(), callbacks=Callbacks(progress=progressed))
        self.look()

    def look(self) -> None:
        for path in self.store.glob("runs/direction-*/*.json"):
            facts = os.stat(path)
            first = self.seen.setdefault(path.name, (facts.st_ino, facts.st_mtime_ns))
            assert first == (facts.st_ino, facts.st_mtime_ns), f"{path.name} was written twice"

    def equals(self, undisturbed) -> None:
        [kind] = self.result.results
        assert not kind.failed and len(kind.per_symbol) == undisturbed.blocks
        undisturbed.equals(self.store)


def test_what_becomes_free_and_a_node_that_joins_take_blocks_and_none_is_begun_again(cluster, undisturbed, tmp_path):
    import ray

    run, late = Watched(undisturbed.config, tmp_path / "store"), []
    other = ray.remote(num_cpus=1)(Other).remote()
    ray.get(other.__ray_ready__.remote())

    def step(now):
        if now.running and not late:
            assert sum(now.nodes.values()) == 1, "the other processor is in use"
            late.append(cluster.add_node(**NODE, num_gpus=1))
            ray.kill(other)

    run.train(step)
    last = run.steps[-1]
    assert set(last.done_on) == {node.node_id for node in cluster.list_all_nodes()}, "all three nodes have done some"
    assert late[0].node_id in last.done_on and sum(last.done_on.values()) == undisturbed.jobs
    assert last.begun_again == 0, "those at work finished their blocks before more workers began"
    run.equals(undisturbed)


def test_a_node_that_is_killed_costs_its_unfinished_block_at_most(cluster, undisturbed, tmp_path):
    import ray

    while len(cluster.list_all_nodes()) < 4:
        cluster.add_node(**NODE)
    run, dead, early = Watched(undisturbed.config, tmp_path / "store"), [], []
    mine = ray.get_runtime_context().get_node_id()

    def some_node():
        return next(one for one in cluster.worker_nodes if one.node_id != mine)

    def step(now):
        if len(run.steps) == 3:  # its worker is about to be started, and Ray Train waits for it for ever
            assert not now.nodes, "nobody has begun"
            early.append(some_node())
            cluster.remove_node(early[0], allow_graceful=False)
        if len(now.done_on) == 3 and not dead:
            victim = some_node()
            assert now.nodes[victim.node_id] == 1
            dead.append((victim.node_id, now))
            cluster.remove_node(victim, allow_graceful=False)

    run.train(step)
    (victim, then), last = dead[0], run.steps[-1]
    assert last.begun_again == 1, "the node that died early had none"
    assert early[0].node_id not in last.done_on
    assert last.done_on[victim] <= then.done_on[victim] + 1
    assert sum(last.done_on.values()) == undisturbed.jobs
    after = run.steps[run.steps.index(then) + 1 :]
    assert all(len(now.nodes) >= 2 for now in after if now.waiting), "the others have gone on all the time"
    run.equals(undisturbed)
