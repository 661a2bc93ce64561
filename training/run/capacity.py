"""How many workers a cluster can hold, and when a change of it is worth a new start. Pure decisions on node resources.

A node is a mapping of its resources in all, such as ``{"CPU": 8.0, "GPU": 1.0}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import ceil, inf

from configs.errors import ClusterError
from configs.operation import RunConfig

Resources = Mapping[str, float]

_ROUNDS = 2


def room(run: RunConfig, nodes: Sequence[Resources]) -> int:
    """Return how many workers fit the nodes, each on one of them."""
    return int(sum(_fitting(run, node) for node in nodes))


def plan_workers(run: RunConfig, nodes: Sequence[Resources], jobs: int) -> int:
    """Return how many workers to start: what is asked for, at most one a job, and only what the nodes can hold.

    Raises
    ------
    ClusterError
        The nodes cannot hold what is asked for. A request that can never be met would wait for ever.
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
    """Whether ``possible`` workers instead of those ``working`` save enough rounds of the ``waiting`` jobs.

    Those at work finish their jobs first, and all start anew: about one round is lost by waiting for the slowest and
    starting, so two have to be saved. A few nodes more are thus nothing to a hundred, and half as many again to two.
    """
    return possible > working > 0 and ceil(waiting / working) - ceil(waiting / possible) >= _ROUNDS


def _fitting(run: RunConfig, node: Resources) -> float:
    return min(node.get("CPU", 0.0) // run.cpus_per_worker, node.get("GPU", 0.0) // 1 if run.use_gpu else inf)
