"""Simulations in batches: on Ray if it was started, else in this process, with equal results."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from configs.errors import ClusterError, last_line
from training.metrics.ratio import Array

_BATCHES_PER_CPU = 2  # every batch reads the models once; two keep all processors busy until the end

T = TypeVar("T")
Batch = Callable[[T, Sequence[int]], Array]


def in_batches(batch: Batch[T], inputs: T, simulations: int) -> Array:
    """Return the rows (simulations, k) of ``batch(inputs, numbers)``, which has a row for each number of a simulation.

    A row may depend on its number and the inputs only. On Ray the inputs are copied to every node, and a store that
    they name must be reachable there.

    Raises
    ------
    ClusterError
        The cluster was lost, or a worker died again and again.
    """
    if not _is_connected() or simulations < 2:
        return batch(inputs, range(simulations))
    import ray

    cpus = max(int(ray.cluster_resources().get("CPU", 1.0)), 1)  # type: ignore[no-untyped-call]
    parts = np.array_split(np.arange(simulations), min(simulations, _BATCHES_PER_CPU * cpus))
    remote: Any = ray.remote(num_cpus=1)(_run)
    try:
        shared = ray.put(inputs)
        found: list[Array] = ray.get([remote.remote(batch, shared, part.tolist()) for part in parts])
    except ray.exceptions.RayTaskError as error:
        raise error.cause or error from error
    except ray.exceptions.RayError as error:
        raise ClusterError(
            f"the Ray cluster was lost during the simulations ({last_line(error)}). Run the same command again, or "
            "leave --address out."
        ) from error
    return np.concatenate(found)


def _is_connected() -> bool:
    """Whether this process joined a cluster; without importing Ray, which takes seconds."""
    ray: Any = sys.modules.get("ray")
    return ray is not None and bool(ray.is_initialized())


def _run(batch: Batch[Any], inputs: Any, numbers: Sequence[int]) -> Array:
    for name in ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):  # read when TensorFlow is first used
        os.environ.setdefault(name, "1")
    with threadpool_limits(1):
        return batch(inputs, numbers)
