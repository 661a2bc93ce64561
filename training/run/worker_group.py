"""A worker group: one Ray Train run, whose workers pull jobs from the queue until it is empty or the group is drained.

Ray Train restarts all workers of an elastic group (``ScalingConfig(num_workers=(min, max))``) when one dies or a node
joins, and its replica groups fail when two workers die together: both would cost the other workers their jobs. So a
group has a fixed size, a ``UserCallback`` keeps its survivors running, and :mod:`training.run.distributed` replaces it
when that pays. Only public names are used; ``DataParallelTrainer`` is of Ray's developer API.

``ray.train.report`` is never called: it is a barrier, and workers do different numbers of jobs. Blocks go to the store,
progress goes to the queue's actor.
"""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Sequence
from importlib import import_module
from typing import Any

import ray
from ray.train import FailureConfig, RunConfig, ScalingConfig, UserCallback
from ray.train.v2.api.data_parallel_trainer import DataParallelTrainer
from ray.util.placement_group import PlacementGroup, placement_group_table, remove_placement_group

from configs import operation
from configs.errors import FleetcastError
from features.store.store import Store
from training.run.capacity import worker_resources
from training.run.queue import Worker, classify_error

_POLL_S = 0.5
_WATCH_S = 2.0
_FOLDER = "runs/ray"
# Ray Train would stop the whole group when a node announces its end; its death costs only the jobs that run there.
_NO_PREEMPTION_WATCHER = {"RAY_TRAIN_ENABLE_PREEMPTION_WATCHER": "0"}


class WorkerGroup:
    """A Ray Train run of ``size`` workers, which starts when it is made.

    Attributes
    ----------
    failure : BaseException or None
        What ended it, unless its workers ended by themselves.
    is_draining : bool
        Whether its workers end after their current jobs.
    peak : int
        The most workers that were ready for jobs at the same time.
    """

    def __init__(self, store: Store, plan_name: str, queue: Any, run: operation.RunConfig, size: int) -> None:
        self.size, self.started, self.peak = size, time.monotonic(), 0
        self.failure: BaseException | None = None
        self.is_draining = False
        self._store, self._queue, self._name = store, queue, f"{plan_name}-{uuid.uuid4().hex[:6]}"
        self._others = frozenset(placement_group_table())
        os.environ.update(_NO_PREEMPTION_WATCHER)
        files, root = store.arrow()
        trainer = DataParallelTrainer(
            _work,
            train_loop_config={
                "queue": queue,
                "group": self._name,
                "uri": store.uri,
                "plan": plan_name,
                "threads": max(1, int(run.cpus_per_worker)),
                "use_gpu": run.use_gpu,
            },
            scaling_config=ScalingConfig(
                num_workers=size, use_gpu=run.use_gpu, resources_per_worker=worker_resources(run)
            ),
            run_config=RunConfig(
                name=self._name,
                storage_path=f"{root}/{_FOLDER}",
                storage_filesystem=files,
                callbacks=[_KeepSurvivors(queue, self._name)],  # type: ignore[list-item]
                failure_config=FailureConfig(  # type: ignore[call-arg]
                    max_failures=0, controller_failure_limit=0, max_preemption_failures=0
                ),
            ),
        )
        self._thread = threading.Thread(target=self._fit, args=(trainer,), name="worker-group", daemon=True)
        self._thread.start()

    def has_ended(self, wait_s: float) -> bool:
        """Return whether Ray Train has ended the group, after waiting at most ``wait_s`` for that."""
        self._thread.join(wait_s)
        return not self._thread.is_alive()

    def drain(self) -> None:
        """Let each worker end after its current job."""
        self.is_draining = True
        ray.get(self._queue.drain.remote(self._name))

    def kill(self, wait_s: float) -> None:
        """Kill Ray Train's controller, and with it all workers; nothing happens before the controller has started.

        Each of two calls is waited for at most ``wait_s``.
        """
        with contextlib.suppress(ray.exceptions.RayError):
            controller = ray.get(self._queue.controller.remote(self._name), timeout=wait_s)
            if controller is None:
                return
            ray.kill(controller)
            self._thread.join(wait_s)
            job = ray.get_runtime_context().get_job_id()  # Ray keeps what a dead actor reserved until its job ends
            for name, facts in placement_group_table().items():
                if name.endswith(job) and name not in self._others and facts["state"] != "REMOVED":
                    remove_placement_group(PlacementGroup(ray.PlacementGroupID(bytes.fromhex(name))))

    def delete_files(self) -> None:
        """Delete what Ray Train wrote to the store."""
        with contextlib.suppress(FleetcastError):
            self._store.delete(f"{_FOLDER}/{self._name}")

    def _fit(self, trainer: DataParallelTrainer) -> None:
        try:
            trainer.fit()
        except BaseException as error:
            self.failure = error


class _KeepSurvivors(UserCallback):
    """Keeps the surviving workers running when one dies. Ray Train calls it in its controller, before it stops them."""

    def __init__(self, queue: Any, group: str) -> None:
        self._queue, self._group = queue, group

    def __setstate__(self, state: dict[str, Any]) -> None:
        """Make the controller known: it is the first actor that unpickles this callback.

        The driver must be able to kill it, because it waits for ever if a node dies while a worker starts there.
        """
        self.__dict__.update(state)
        context = ray.get_runtime_context()
        if context.get_actor_id() is not None:
            self._queue.set_controller.remote(self._group, context.current_actor)

    def after_exception(self, run_context: Any, worker_exceptions: dict[int, Exception]) -> None:
        """Return when no worker is left, after detecting all deaths until then: the controller waits for this call."""
        failed = {f"{self._group}-{rank}" for rank, error in worker_exceptions.items() if not _is_unreachable(error)}
        while workers := ray.get(self._queue.workers.remote()):
            dead = [worker for worker in workers if worker.name in failed] or _dead(workers)
            alive = {node["NodeID"] for node in ray.nodes() if node["Alive"]}  # type: ignore[no-untyped-call]
            for worker in dead:
                ray.get(self._queue.remove.remote(worker.name, "worker" if worker.node in alive else "node"))
            time.sleep(_WATCH_S)


def _is_unreachable(error: Exception) -> bool:
    """Return whether Ray Train only lost contact with a worker; whether it has died shows later."""
    return isinstance(getattr(error, "health_check_failure", error), ray.exceptions.RayActorError)


def _dead(workers: Sequence[Worker]) -> list[Worker]:
    """Return the workers whose processes have ended; those that are busy or out of reach may still be alive."""
    calls = {worker.actor.__ray_ready__.remote(): worker for worker in workers}
    dead = []
    for call in ray.wait(list(calls), num_returns=len(calls), timeout=_WATCH_S)[0]:
        try:
            ray.get(call)
        except ray.exceptions.ActorDiedError:
            dead.append(calls[call])
        except ray.exceptions.RayError:
            pass
    return dead


def _sees_gpu() -> bool:
    from training.models.fleet.backend import sees_gpu  # loads TensorFlow, which jobs without a network do not need

    return sees_gpu()


def _work(settings: dict[str, Any]) -> None:
    """Run on each worker: do job after job until the queue answers ``end``."""
    context, queue = ray.get_runtime_context(), settings["queue"]
    try:
        from training.models.fleet.threads import use_threads
        from training.run.worker import needs_tensorflow, run_job

        use_threads(settings["threads"])
        if needs_tensorflow(settings["uri"], settings["plan"]):
            import_module("training.models.fleet.backend")  # a node that cannot would fail one job after the other
        has_gpu = not settings["use_gpu"] or _sees_gpu()
    except Exception as error:  # starting again would only repeat it
        ray.get(queue.give_up.remote(f"a worker cannot load the training code: {type(error).__name__}: {error}"))
        return
    if not has_gpu:
        reason = "a worker has a GPU reserved, but TensorFlow sees none there: install tensorflow[and-cuda] on its node"
        ray.get(queue.give_up.remote(reason))
        return
    name = f"{settings['group']}-{ray.train.get_context().get_world_rank()}"
    try:
        ray.get(queue.join.remote(Worker(name, context.get_node_id(), settings["group"], context.current_actor)))
        while (job := ray.get(queue.next.remote(name))) != "end":
            if job == "wait":
                time.sleep(_POLL_S)
                continue
            try:
                run_job(settings["uri"], settings["plan"], job)
            except Exception as error:  # whatever a block's failure is, it must not stop the others
                ray.get(queue.fail.remote(name, *classify_error(error)))
            else:
                ray.get(queue.finish.remote(name, job.output))
    except ray.exceptions.ActorDiedError:  # the run has ended
        return
    except ray.exceptions.RayError:  # the queue is out of reach: only a worker that dies is noticed and replaced
        os._exit(1)
