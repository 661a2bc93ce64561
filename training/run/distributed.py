"""Do a run's jobs with Ray Train: one run of long-lived workers that pull blocks from a queue.

Ray must have been started by ``cluster.session``. Blocks go straight to the store and progress through the queue's
actor; ``ray.train.report`` is never called, because it is a barrier and workers do different numbers of jobs.
"""

from __future__ import annotations

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from configs import schema
from configs.errors import ClusterError, FleetcastError, last_line
from features.store import Store
from training.registry.runs import mark_in_use
from training.run.queue import JobQueue, Progress, blame

_POLL_S = 0.5
_FOLDER = "runs/ray"
_SPARE_FAILURES = 10


def run_on_ray(
    store: Store, plan_name: str, queue: JobQueue, run: schema.RunConfig, on_progress: Callable[[Progress], None]
) -> JobQueue:
    """Empty the queue with as many workers as the configuration or the cluster gives, and return it.

    Raises
    ------
    ClusterError
        The cluster lacks the processors asked for, or the workers cannot be kept alive.
    """
    workers = plan_workers(run, alive_nodes(), len(queue.jobs) - len(queue.done))
    remote: Any = ray.remote(num_cpus=0, max_restarts=0)(JobQueue)
    actor = remote.remote(queue.jobs, queue.retries, queue.done)
    name = f"{plan_name}-{uuid.uuid4().hex[:6]}"
    files, root = store.arrow()
    trainer = DataParallelTrainer(
        _work,
        train_loop_config={
            "queue": actor,
            "uri": store.uri,
            "plan": plan_name,
            "threads": max(1, int(run.cpus_per_worker)),
            "use_gpu": run.use_gpu,
        },
        scaling_config=ScalingConfig(
            num_workers=workers,
            use_gpu=run.use_gpu,
            resources_per_worker={"CPU": run.cpus_per_worker, **({"GPU": 1} if run.use_gpu else {})},
        ),
        run_config=RunConfig(
            name=name,
            storage_path=f"{root}/{_FOLDER}",
            storage_filesystem=files,
            failure_config=FailureConfig(  # type: ignore[call-arg]
                max_failures=(run.retries + 1) * min(len(queue.jobs), 100) + _SPARE_FAILURES,
                controller_failure_limit=_SPARE_FAILURES,
            ),
        ),
    )
    failure: list[BaseException] = []
    thread = threading.Thread(target=_fit, args=(trainer, failure), daemon=True)
    thread.start()
    try:
        while thread.is_alive():
            on_progress(ray.get(actor.progress.remote()))
            thread.join(_POLL_S)
        done: JobQueue = ray.get(actor.snapshot.remote())
    except ray.exceptions.RayError as error:
        raise ClusterError(
            f"the Ray cluster was lost in mid run ({last_line(error)}). Blocks that are finished are kept: "
            "run the same command again to go on."
        ) from error
    finally:
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(actor)
        with contextlib.suppress(FleetcastError):
            store.delete(f"{_FOLDER}/{name}")
    on_progress(done.progress())
    if done.broken:
        raise ClusterError(f"{done.broken}. Check that every node runs this version of Fleetcast.")
    if failure and done.progress().jobs_done < len(done.jobs):
        raise ClusterError(
            f"the training workers could not be kept alive ({last_line(failure[0])}). Blocks that are finished are "
            "kept: run the same command again to go on."
        ) from failure[0]
    return done


def alive_nodes() -> list[Mapping[str, float]]:
    """Return the resources of each node of the cluster that is connected."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]  # type: ignore[no-untyped-call]


def plan_workers(run: schema.RunConfig, nodes: Sequence[Mapping[str, float]], jobs: int) -> int:
    """Return how many workers to start: what is asked for, at most one a job, and only what the nodes can hold.

    A request that can never be met would wait for ever, so it is refused here.
    """
    cpus, gpus = (sum(node.get(name, 0.0) for node in nodes) for name in ("CPU", "GPU"))
    if run.use_gpu:
        if gpus < 1:
            raise ClusterError(
                f"run.use_gpu is true but the cluster has no GPU (it has {cpus:g} CPUs). "
                "Start Ray on a machine with a GPU, or use --set run.use_gpu=false."
            )
    fitting = (
        min(node.get("CPU", 0.0) // run.cpus_per_worker, node.get("GPU", 0.0) if run.use_gpu else float("inf"))
        for node in nodes
    )
    possible = int(sum(fitting))
    if possible < max(run.workers or 1, 1):
        raise ClusterError(
            f"{run.workers or 1} workers of {run.cpus_per_worker:g} CPUs{' and a GPU' if run.use_gpu else ''} do not "
            f"fit the {len(nodes)} nodes of the cluster ({cpus:g} CPUs and {gpus:g} GPUs in all). "
            "Lower run.workers or run.cpus_per_worker."
        )
    return max(1, min(run.workers or possible, jobs))


def _fit(trainer: DataParallelTrainer, failure: list[BaseException]) -> None:
    try:
        trainer.fit()
    except BaseException as error:
        failure.append(error)


def _work(settings: dict[str, Any]) -> None:
    """Run on each worker: pull jobs until the queue ends."""
    rank = ray.train.get_context().get_world_rank()
    queue = settings["queue"]
    try:
        from training.fleet.backend import sees_gpu, use_threads
        from training.run.worker import run_job
    except Exception as error:  # restarting the workers would only repeat it
        ray.get(queue.give_up.remote(f"a worker cannot load the training code: {type(error).__name__}: {error}"))
        return
    use_threads(settings["threads"])
    if settings["use_gpu"] and not sees_gpu():
        reason = "a worker has a GPU reserved, but TensorFlow sees none there: install tensorflow[and-cuda] on its node"
        ray.get(queue.give_up.remote(reason))
        return
    ray.get(queue.join.remote(rank))
    while (job := ray.get(queue.next.remote(rank))) != "end":
        if job == "wait":
            time.sleep(_POLL_S)
            continue
        try:
            mark_in_use(Store(settings["uri"]), [_FOLDER])
            run_job(settings["uri"], settings["plan"], job)
        except Exception as error:  # a block's failure, whatever it is, must not stop the others
            ray.get(queue.fail.remote(rank, *blame(error)))
        else:
            ray.get(queue.finish.remote(rank, job.output))
