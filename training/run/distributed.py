"""Do a run's jobs on Ray, with groups of long-lived workers. Ray must have been started by ``cluster.session``.

Usually one group does all jobs: a worker or a node that dies costs the jobs that it ran, and the other workers go on.
Where workers have died, nodes have joined or processors have become free, and it pays, the workers finish their current
jobs, and a new group of as many workers as the cluster then holds does the rest.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.util import placement_group, remove_placement_group
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from configs.errors import ClusterError, last_line
from configs.operation import RunConfig
from features.store.store import Store
from training.run.capacity import plan_workers, room, worker_resources, worth_regrouping
from training.run.queue import JobQueue, Progress
from training.run.worker_group import WorkerGroup

logger = logging.getLogger(__name__)

_PATIENCE_S = 600.0
_MOST_STARTS = 10
_SETTLE_S = 10.0
_START_S = 120.0
_KILL_S = 10.0
_LEAVE_S = 1.0
_POLL_S = 0.5
_RESERVE_S = 1.0
_AGAIN = "Finished blocks are kept: run the same command again to go on"


def run_on_ray(
    store: Store, plan_name: str, queue: JobQueue, run: RunConfig, on_progress: Callable[[Progress], None]
) -> JobQueue:
    """Do the queue's jobs with as many workers as the configuration asks for or the cluster holds; return the queue.

    Raises
    ------
    ClusterError
        The cluster lacks the processors asked for, or the workers cannot be kept alive.
    """
    plan_workers(run, list(alive_nodes().values()), len(queue.jobs) - len(queue.done))
    # Calls are repeated when the network breaks for a moment: the second call of any method changes nothing.
    remote: Any = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=-1)(JobQueue)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = remote.options(scheduling_strategy=here).remote(queue.jobs, queue.retries, queue.done)
    try:
        _Driver(store, plan_name, actor, run).do_all(queue.progress(), on_progress)
        done: JobQueue = ray.get(actor.snapshot.remote())
    except ray.exceptions.RayError as error:
        raise ClusterError(f"the Ray cluster was lost during the run ({last_line(error)}). {_AGAIN}.") from error
    finally:
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(actor)
    on_progress(done.progress())
    if done.broken:
        raise ClusterError(f"{done.broken}. Check that every node runs this version of Fleetcast.")
    return done


def alive_nodes() -> dict[str, Mapping[str, float]]:
    """Return each connected node's total resources by its id."""
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return {node["NodeID"]: node["Resources"] for node in nodes if node["Alive"]}


class _Driver:
    """Starts worker groups, and replaces them when that pays, until no job is left."""

    def __init__(self, store: Store, plan_name: str, queue: Any, run: RunConfig) -> None:
        self._store, self._plan_name, self._queue, self._run = store, plan_name, queue, run
        self._group: WorkerGroup | None = None
        self._nodes: frozenset[str] = frozenset()
        self._ended = self._last_work = time.monotonic()
        self._failure: BaseException | None = None
        self._failed_starts = 0

    def do_all(self, first: Progress, on_progress: Callable[[Progress], None]) -> None:
        """Work until every job has ended; the first group starts while the queue's process still starts.

        Ray Train takes up to 15 seconds to end a group whose workers have no jobs, so the last group is killed. No
        thread may wait for Ray Train when Ray is shut down: Ray frees what that thread reads (SIGSEGV).
        """
        wait_s = _KILL_S
        try:
            self._start(first)
            while (now := ray.get(self._queue.progress.remote())).jobs_done < now.jobs:
                on_progress(now)
                self._check(now)
                if self._group is None:
                    self._start(now)
                elif self._group.has_ended(_POLL_S) or (self._group.peak and not now.nodes):
                    self._end(self._group)
                else:
                    self._review(self._group, now)
            on_progress(now)
        except BaseException as error:
            if not isinstance(error, Exception):  # an interrupt: Ray ends what is left when this process does
                wait_s = _LEAVE_S
            raise
        finally:
            if self._group is not None:
                self._group.kill(wait_s)
                self._group.delete_files()

    def _check(self, now: Progress) -> None:
        """Raise if no job has run for long, or if workers failed to start again and again."""
        if now.running:
            self._last_work, self._failed_starts = time.monotonic(), 0
        if self._failed_starts < _MOST_STARTS and time.monotonic() - self._last_work < _PATIENCE_S:
            return
        why = last_line(self._failure) if self._failure else "no node has room for one"
        raise ClusterError(f"the training workers could not be kept alive ({why}). {_AGAIN}.") from self._failure

    def _start(self, now: Progress) -> None:
        """Start a group on what is free; the processors of the last group take a moment to become free."""
        nodes, jobs = alive_nodes(), now.jobs - now.jobs_done
        wanted = min(self._run.workers or jobs, jobs, room(self._run, list(nodes.values())))
        size = _placeable(self._run, wanted)
        if not size or (size < wanted and time.monotonic() - self._ended < _SETTLE_S):
            time.sleep(_POLL_S)
            return
        asked = f"run.workers={self._run.workers}, run.cpus_per_worker={self._run.cpus_per_worker:g}"
        logger.info("starting %d workers for %d jobs on %d nodes (%s)", size, jobs, len(nodes), asked)
        self._group = WorkerGroup(self._store, self._plan_name, self._queue, self._run, size)
        self._nodes = frozenset(nodes)

    def _end(self, group: WorkerGroup) -> None:
        """Kill a group that Ray Train has ended or will end, and take its workers' jobs back.

        Its controller may have died by itself, which leaves the processors reserved; and no thread of a former group
        may live at the end of the run. Draining ends a worker that joins so late that nothing would notice its death.
        """
        self._failure = group.failure  # the kill would be one, too
        why = "drained" if group.is_draining else last_line(self._failure) if self._failure else "all its workers died"
        group.drain()
        group.kill(_KILL_S)
        for worker in ray.get(self._queue.workers.remote()):
            ray.get(self._queue.remove.remote(worker.name, "group"))
        group.delete_files()
        self._group, self._ended = None, time.monotonic()
        self._failed_starts += not group.peak
        logger.info("a group of %d workers has ended: %s", group.size, why)

    def _review(self, group: WorkerGroup, now: Progress) -> None:
        """Kill a group that lost a node before any worker was ready; drain a group if a larger one pays."""
        nodes, working, left = alive_nodes(), sum(now.nodes.values()), now.jobs - now.jobs_done
        group.peak = max(group.peak, working)
        if not group.peak and not nodes.keys() >= self._nodes:
            logger.info("a node died while %d workers were starting: they are started again", group.size)
            group.kill(_KILL_S)
            return
        starting = group.peak < group.size and time.monotonic() - group.started < _START_S
        possible = min(self._run.workers or left, left, room(self._run, list(nodes.values())))
        if group.is_draining or starting or not worth_regrouping(working, possible, now.waiting):
            return
        # Ray keeps the places of workers that died for their group, so only what exceeds its size must be free.
        possible = min(possible, group.size + _placeable(self._run, possible - group.size))
        if worth_regrouping(working, possible, now.waiting):
            text = "%d workers will replace %d for %d waiting jobs, once current jobs are done"
            logger.info(text, possible, working, now.waiting)
            group.drain()


def _placeable(run: RunConfig, most: int) -> int:
    """Return how many workers Ray can place now: ``most`` or a half, a quarter, … of it.

    Ray's public calls sum over all nodes what is free, so a number counts only if Ray can reserve it for a moment.
    """
    count = min(most, room(run, [ray.available_resources()]))  # type: ignore[no-untyped-call]
    while count > 0:
        reserved = placement_group([worker_resources(run)] * count)
        fits = reserved.wait(_RESERVE_S)
        remove_placement_group(reserved)
        if fits:
            return count
        count //= 2
    return 0
