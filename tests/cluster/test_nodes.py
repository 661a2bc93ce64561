"""Training on nodes of which some die and one joins late. Each node has an address of its own, and asks for a token.

An address is a network namespace, which only root on Linux can make; elsewhere the nodes share one, without a token.
"""

import json
import os
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
from cluster_nodes import Namespaces, OneAddress, suspend

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def nodes() -> Iterator[Namespaces | OneAddress]:
    """A head, which is place-1, and place-2."""
    network: Namespaces | OneAddress = Namespaces()
    try:
        network.connect(1, 2, 3, 4)
    except (OSError, subprocess.CalledProcessError):
        network.close()
        network = OneAddress()
    try:
        network.add_nodes(1)
        network.add_nodes(2)
        yield network
    finally:
        network.close()


class Run:
    """A training whose driver is on place-1: its steps, one by one, and its results.

    The driver waits at each step until the next one is asked for, so a step is never older than the driver's state.
    """

    def __init__(self, nodes: Namespaces | OneAddress, undisturbed: Any, folder: Path, *options: str) -> None:
        self._nodes, self._undisturbed, self._store = nodes, undisturbed, folder / "store"
        self._written: dict[str, tuple[int, int]] = {}
        given = (str(undisturbed.settings), str(self._store), nodes.address, *options)
        driver = ("-m", "tests.cluster.nodes_driver", *given)
        self._process, self.steps = nodes.start(1, *driver, stdin=subprocess.PIPE), []

    def __iter__(self) -> Iterator[dict[str, Any]]:
        for line in self._process.stdout:
            found = json.loads(line)
            self._check_blocks()
            if "jobs_done" in found:
                self.steps.append(found)
                yield found
                print(file=self._process.stdin, flush=True)
            else:
                assert found == {"failed": [], "symbols": self._undisturbed.blocks}
        assert self._process.wait() == 0
        self._undisturbed.equals(self._store)
        assert sum(self.steps[-1]["done_on"].values()) == self._undisturbed.jobs

    def are_together(self, places: set[str]) -> bool:
        """Return whether training workers of all these places are at work.

        Those that started before others are suspended meanwhile, so that one does not do all jobs.
        """
        at_work = self.steps[-1]["nodes"].keys()
        signal_workers(self._nodes, at_work, "resume" if at_work >= places else "suspend")
        return at_work >= places

    def _check_blocks(self) -> None:
        for path in self._store.glob("runs/direction-*/*.json"):
            facts = os.stat(path)
            first = self._written.setdefault(path.name, (facts.st_ino, facts.st_mtime_ns))
            assert first == (facts.st_ino, facts.st_mtime_ns), f"{path.name} was written twice"


def signal_workers(nodes: Namespaces | OneAddress, places: Iterable[str], action: str) -> None:
    """``suspend`` or ``resume`` the training workers of nodes."""
    for place in places:
        for process in nodes.processes(int(place[-1])):
            with suppress(psutil.NoSuchProcess):
                if "RayTrainWorker" in " ".join(process.cmdline()):
                    suspend(process) if action == "suspend" else process.resume()


def test_a_node_that_dies_before_its_worker_starts_costs_no_job(nodes, undisturbed, tmp_path):
    nodes.add_nodes(3)
    run = Run(nodes, undisturbed, tmp_path)
    are_together = False
    for now in run:
        if len(run.steps) == 1:
            assert not now["nodes"], "no worker has started"
            for process in nodes.processes(3):  # none will start there, however late the node is killed
                process.suspend()
        if len(run.steps) == 3:
            nodes.kill(3)
        are_together = are_together or run.are_together({"place-1", "place-2"})
    assert now["begun_again"] == 0
    assert now["done_on"].keys() == {"place-1", "place-2"}


def test_a_node_that_joins_takes_part_and_one_that_dies_costs_one_job_at_most(nodes, undisturbed, tmp_path):
    run = Run(nodes, undisturbed, tmp_path, "occupied")
    has_joined = is_drained = are_together = False
    killed_at = 0
    for now in run:
        if now["running"] and not has_joined:
            assert now["nodes"] == {"place-1": 1}, "the processor of place-2 is in use"
            signal_workers(nodes, now["nodes"], "suspend")
            nodes.add_nodes(4, gpus=1)
            signal_workers(nodes, now["nodes"], "resume")
            has_joined = True
        is_drained = is_drained or (has_joined and not now["nodes"])
        if is_drained and not are_together:
            are_together = run.are_together({"place-1", "place-2", "place-4"})
        if are_together and not killed_at:
            assert now["begun_again"] == 0, "workers finished their jobs before more of them started"
            if now["done_on"].get("place-4"):
                assert now["nodes"].get("place-4") and now["waiting"]
                killed_at = len(run.steps)
                nodes.kill(4)
                signal_workers(nodes, ("place-1", "place-2"), "resume")
            elif now["jobs_done"] >= 2:  # blocks, so that these do not do them all
                signal_workers(nodes, ("place-1", "place-2"), "suspend")
    assert now["done_on"].keys() == {"place-1", "place-2", "place-4"}
    assert now["begun_again"] <= 1, "the node may die between two jobs"
    after = run.steps[killed_at:]
    gone = next((step for step in after if "place-4" not in step["nodes"]), now)
    assert now["done_on"]["place-4"] == gone["done_on"]["place-4"]
    assert all(len(step["nodes"]) >= 2 for step in after if step["waiting"]), "the other nodes continued all the time"
