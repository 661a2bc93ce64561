"""A shift: one Ray Train run, whose workers pull jobs from the queue until it ends or recalls them.

Blocks go straight to the store and progress through the queue's actor; ``ray.train.report`` is never called, because it
is a barrier and workers do different numbers of jobs.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig
from ray.train.v2._internal.callbacks.datasets import DatasetsCallback
from ray.train.v2._internal.execution.callback import ControllerCallback
from ray.train.v2.api.callback import UserCallback
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer

from configs import operation
from configs.errors import FleetcastError
from features.store.store import Store
from training.registry.runs import mark_in_use
from training.run.job import Job
from training.run.queue import Worker, classify_error

_POLL_S = 0.5
_LOOK_S = 2.0
_JOIN_S = 120.0
_CALL_S = 10.0
_FOLDER = "runs/ray"
# A node that is about to go would end the whole shift in the middle of its jobs; its death costs its own only.
_NO_WATCHER = {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}


class Shift:
    """A Train run of ``workers`` workers, started at once.

    Attributes
    ----------
    failure : BaseException or None
        What ended it, if not the end of the queue.
    name : str
        Its name, which its workers' names begin with.
    is_recalled : bool
        Whether its workers were told to end after their present jobs.
    """

    def __init__(self, store: Store, plan_name: str, queue: Any, run: operation.RunConfig, workers: int) -> None:
        self.workers = workers
        self.failure: BaseException | None = None
        self.is_recalled = False
        self._store, self._queue, self.name = store, queue, f"{plan_name}-{uuid.uuid4().hex[:6]}"
        os.environ.update(_NO_WATCHER)
        files, root = store.arrow()
        trainer = _Trainer(
            _work,
            train_loop_config={
                "queue": queue,
                "shift": self.name,
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
                name=self.name,
                storage_path=f"{root}/{_FOLDER}",
                storage_filesystem=files,
                callbacks=[_Leader(queue), _Survivors(queue, self.name, workers)],  # type: ignore[list-item]
                failure_config=FailureConfig(  # type: ignore[call-arg]
                    max_failures=0, controller_failure_limit=0, max_preemption_failures=0
                ),
            ),
        )
        self._thread = threading.Thread(target=self._fit, args=(trainer,), daemon=True)
        self._thread.start()

    def is_over(self, wait_s: float) -> bool:
        """Whether no worker of it is left, after waiting for that a little."""
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def abandon(self) -> None:
        """End its workers, at work or not, as soon as there is somebody to end."""
        leader = ray.get(self._queue.leader.remote(), timeout=_CALL_S)
        if leader is not None:
            ray.kill(leader)

    def close(self) -> None:
        """End what is left of it, and remove what Ray Train wrote."""
        with contextlib.suppress(ray.exceptions.RayError):
            self.abandon()
            ray.get(self._queue.lead.remote(None), timeout=_CALL_S)
        with contextlib.suppress(FleetcastError):
            self._store.delete(f"{_FOLDER}/{self.name}")

    def _fit(self, trainer: _Trainer) -> None:
        try:
            trainer.fit()
        except BaseException as error:
            self.failure = error


class _Trainer(DataParallelTrainer):
    """Without the process that Ray Train starts to share out datasets, of which there are none."""

    def _create_default_callbacks(self) -> list[Any]:
        return [one for one in super()._create_default_callbacks() if not isinstance(one, DatasetsCallback)]


class _Leader(ControllerCallback):
    """Tells how to reach Ray Train's controller: it waits for ever where a node dies while its worker is started."""

    def __init__(self, queue: Any) -> None:
        self._queue = queue

    def after_controller_start(self, train_run_context: Any) -> None:
        """Tell the queue."""
        ray.get(self._queue.lead.remote(ray.get_runtime_context().current_actor))


class _Survivors(UserCallback):
    """Keeps the other workers at work when one dies, where Ray Train would stop them all in the middle of their jobs.

    It runs in Ray Train's controller, which learns of no other death meanwhile, so it looks for those itself.
    """

    def __init__(self, queue: Any, shift: str, workers: int) -> None:
        self._queue, self._shift, self._workers = queue, shift, workers

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Tell the queue who died, and come back when nobody is left who works."""
        failed = {_name(self._shift, rank) for rank, error in worker_exceptions.items() if not _is_of_actor(error)}
        others, until = self._workers - len(worker_exceptions), time.monotonic() + _JOIN_S
        calls: dict[str, Any] = {}
        while True:
            crew = ray.get(self._queue.crew.remote())
            if not crew and (time.monotonic() > until or ray.get(self._queue.joined.remote(self._shift)) >= others):
                return  # those that are still starting have been waited for
            for worker in crew:
                call = calls.pop(worker.name, None) or worker.handle.__ray_ready__.remote()
                if worker.name in failed or _has_died(call):
                    alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]
                    ray.get(self._queue.lose.remote(worker.name, "worker" if worker.node in alive else "node"))
                elif not ray.wait([call], timeout=0)[0]:
                    calls[worker.name] = call
            time.sleep(_LOOK_S)


def _is_of_actor(error: Exception) -> bool:
    """Whether Ray Train only lost touch with a worker: whether it is dead, and its node with it, shows later."""
    return isinstance(getattr(error, "health_check_failure", error), ray.exceptions.RayActorError)


def _has_died(call: Any) -> bool:
    try:
        ray.get(call, timeout=0)
    except ray.exceptions.ActorDiedError:
        return True
    except (ray.exceptions.RayError, TimeoutError):  # busy, or out of reach for the moment
        pass
    return False


def _name(shift: str, rank: int) -> str:
    return f"{shift}-{rank}"


def _work(settings: dict[str, Any]) -> None:
    """Run on each worker: pull jobs until the queue ends."""
    context, queue = ray.get_runtime_context(), settings["queue"]
    name = _name(settings["shift"], ray.train.get_context().get_world_rank())
    try:
        from training.models.fleet.backend import sees_gpu, use_threads
        from training.run.worker import run_job
    except Exception as error:  # starting again would only repeat it
        ray.get(queue.give_up.remote(f"a worker cannot load the training code: {type(error).__name__}: {error}"))
        return
    use_threads(settings["threads"])
    if settings["use_gpu"] and not sees_gpu():
        reason = "a worker has a GPU reserved, but TensorFlow sees none there: install tensorflow[and-cuda] on its node"
        ray.get(queue.give_up.remote(reason))
        return
    me = Worker(name, context.get_node_id(), settings["shift"], context.current_actor)

    def do(job: Job) -> None:
        mark_in_use(Store(settings["uri"]), [_FOLDER])
        run_job(settings["uri"], settings["plan"], job)

    try:
        _pull(queue, me, do)
    except ray.exceptions.RayError:  # the queue is out of reach: a death is seen, a worker that only stopped is not
        os._exit(1)


def _pull(queue: Any, me: Worker, do: Callable[[Job], None]) -> None:
    """Do job after job until the end is told."""
    ray.get(queue.join.remote(me))
    while (job := ray.get(queue.next.remote(me.name))) != "end":
        if job == "wait":
            time.sleep(_POLL_S)
            continue
        try:
            do(job)
        except Exception as error:  # a block's failure, whatever it is, must not stop the others
            ray.get(queue.fail.remote(me.name, *classify_error(error)))
        else:
            ray.get(queue.finish.remote(me.name, job.output))
