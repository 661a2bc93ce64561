"""Do the jobs of a plan that are not done yet: on Ray if it was started, else in this process."""

from __future__ import annotations

from collections.abc import Callable, Collection
from functools import partial

from features.store.concurrent import in_order
from features.store.store import Store
from training.registry.block_files import is_finished
from training.registry.block_index import INDEX
from training.run.queue import JobQueue, Progress
from training.run.run_plan import RunPlan


def finished_outputs(store: Store, plan: RunPlan) -> frozenset[str]:
    """Return the outputs that exist and are undamaged; only those that a folder lists with an index are read."""
    folders = {job.output.rpartition("/")[0] for job in plan.jobs}
    files = {f"{folder}/{name}" for folder in folders for name in store.names(folder)}
    indexed = [job.output for job in plan.jobs if job.output + INDEX in files]
    finished = in_order(store, partial(is_finished, store), indexed)
    found = {output for output, ok in zip(indexed, finished, strict=True) if ok}
    left = {job.needs for job in plan.jobs if job.is_block and job.output not in found}
    for job in plan.jobs:  # a block that is left reads both pooled fits
        if job.output in left and job.needs is not None and job.needs not in found:
            found.discard(job.output)
    return frozenset(found)


def do_jobs(store: Store, plan: RunPlan, done: Collection[str], on_progress: Callable[[Progress], None]) -> JobQueue:
    """Do the jobs whose outputs are not ``done``; return the queue with what was done and what failed.

    Raises
    ------
    ClusterError
        The cluster cannot run the workers.
    """
    queue = JobQueue(plan.jobs, plan.config.run.retries, set(done))
    if all(job.output in queue.done for job in plan.jobs):
        on_progress(queue.progress())
        return queue
    import ray

    if ray.is_initialized():
        from training.run.distributed import run_on_ray

        return run_on_ray(store, plan.name, queue, plan.config.run, on_progress)
    from training.run.local import run_here

    return run_here(store.uri, plan.name, queue, on_progress)
