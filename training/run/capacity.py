"""How many workers fit a cluster, and when a larger worker group pays. Pure decisions on node resources.

A node is a mapping of its total resources, such as ``{"CPU": 8.0, "GPU": 1.0}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil

from configs.errors import ClusterError
from configs.operation import RunConfig

Resources = Mapping[str, float]

_ROUNDS = 2


def worker_resources(run: RunConfig) -> dict[str, float]:
    """Return what Ray reserves for one worker."""
    return {"CPU": run.cpus_per_worker, **({"GPU": 1.0} if run.use_gpu else {})}


def room(run: RunConfig, nodes: Sequence[Resources]) -> int:
    """Return how many workers fit the nodes, each on a single node."""
    needs = worker_resources(run).items()
    return sum(min(int(node.get(name, 0.0) // amount) for name, amount in needs) for node in nodes)


def plan_workers(run: RunConfig, nodes: Sequence[Resources], jobs: int) -> int:
    """Return how many workers to start: as many as asked for or as fit, at most one per job.

    Raises
    ------
    ClusterError
        The workers asked for do not fit the nodes. Ray would wait for ever for what can never be placed.
    """
    cpus, gpus = (sum(node.get(name, 0.0) for node in nodes) for name in ("CPU", "GPU"))
    if run.use_gpu and gpus < 1:
        raise ClusterError(
            f"run.use_gpu is true but the cluster has no GPU (it has {cpus:g} CPUs). "
            "Start Ray on a machine with a GPU, or use --set run.use_gpu=false."
        )
    possible = room(run, nodes)
    if possible < max(run.workers or 1, 1):
        raise ClusterError(
            f"{run.workers or 1} workers of {run.cpus_per_worker:g} CPUs{' and a GPU' if run.use_gpu else ''} do not "
            f"fit the {len(nodes)} nodes of the cluster ({cpus:g} CPUs and {gpus:g} GPUs in all). "
            "Lower run.workers or run.cpus_per_worker."
        )
    return max(1, min(run.workers or possible, jobs))


def worth_regrouping(working: int, possible: int, waiting: int) -> bool:
    """Return whether ``possible`` workers instead of those ``working`` save at least two rounds of ``waiting`` jobs.

    About one round is lost while the slowest current job ends and new workers start. So one more node never pays for a
    hundred workers, and may for two.
    """
    return possible > working > 0 and ceil(waiting / working) - ceil(waiting / possible) >= _ROUNDS
