"""Do a run's jobs on Ray, in shifts of long-lived workers. Ray must have been started by ``cluster.session``.

One shift is the rule: a worker or a node that dies costs the jobs that it had, and the others go on. Where workers
have died or nodes have joined, and it pays, those at work finish their present jobs, and another shift of as many
workers as the cluster then holds goes on with what is left.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Mapping
from typing import Any

import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from configs.errors import ClusterError, last_line
from configs.operation import RunConfig
from features.store.store import Store
from training.run.capacity import plan_workers, room, worth_regrouping
from training.run.queue import JobQueue, Progress
from training.run.shift import Shift

_PATIENCE_S = 600.0
_MOST_STARTS = 10
_SETTLE_S = 5.0
_START_S = 120.0
_POLL_S = 0.5
_END_S = 60.0
_KEPT = "Blocks that are finished are kept: run the same command again to go on"


def run_on_ray(
    store: Store, plan_name: str, queue: JobQueue, run: RunConfig, on_progress: Callable[[Progress], None]
) -> JobQueue:
    """Empty the queue with as many workers as the configuration or the cluster gives, and return it.

    Raises
    ------
    ClusterError
        The cluster lacks the processors asked for, or the workers cannot be kept alive.
    """
    plan_workers(run, list(alive_nodes().values()), len(queue.jobs) - len(queue.done))
    # Every call may be made again where the network breaks for a moment: each does the same a second time.
    remote: Any = ray.remote(num_cpus=0, max_restarts=0, max_task_retries=-1)(JobQueue)
    here = NodeAffinitySchedulingStrategy(ray.get_runtime_context().get_node_id(), soft=False)
    actor = remote.options(scheduling_strategy=here).remote(queue.jobs, queue.retries, queue.done)
    try:
        _warm_up()
        _Run(store, plan_name, actor, run).go(queue.progress(), on_progress)
        done: JobQueue = ray.get(actor.snapshot.remote())
    except ray.exceptions.RayError as error:
        raise ClusterError(f"the Ray cluster was lost in mid run ({last_line(error)}). {_KEPT}.") from error
    finally:
        with contextlib.suppress(ray.exceptions.RayError):
            ray.kill(actor)
    on_progress(done.progress())
    if done.broken:
        raise ClusterError(f"{done.broken}. Check that every node runs this version of Fleetcast.")
    return done


def _warm_up() -> None:
    """Start a process that Ray Train would start later, and then wait for: it takes seconds."""
    from ray.data._internal.cluster_autoscaler.default_autoscaling_coordinator import (
        get_or_create_autoscaling_coordinator,
    )

    get_or_create_autoscaling_coordinator()  # type: ignore[no-untyped-call]


def alive_nodes() -> dict[str, Mapping[str, float]]:
    """Return the resources of each node of the cluster that is connected, by the node's id."""
    nodes = ray.nodes()  # type: ignore[no-untyped-call]
    return {node["NodeID"]: node["Resources"] for node in nodes if node["Alive"]}


class _Run:
    """Begins shifts, and ends them when that pays, until the queue is empty."""

    def __init__(self, store: Store, plan_name: str, queue: Any, run: RunConfig) -> None:
        self._store, self._plan_name, self._queue, self._run = store, plan_name, queue, run
        self._shift: Shift | None = None
        self._places: dict[str, int] = {}
        self._nodes: frozenset[str] = frozenset()
        self._began = self._ended = self._worked = time.monotonic()
        self._failure: BaseException | None = None
        self._failed_starts = 0

    def go(self, first: Progress, on_progress: Callable[[Progress], None]) -> None:
        """Work until every job is over; the first shift begins while the queue's own process still starts."""
        try:
            self._begin(first)
            while (now := ray.get(self._queue.progress.remote())).jobs_done < now.jobs:
                on_progress(now)
                self._check(now)
                if self._shift is None:
                    self._begin(now)
                elif self._shift.is_over(_POLL_S):
                    self._end(self._shift)
                else:
                    self._look(self._shift, now)
            on_progress(now)
            if self._shift is not None:
                self._shift.is_over(_END_S)
        finally:
            if self._shift is not None:
                self._shift.close()

    def _check(self, now: Progress) -> None:
        """Give up where nothing has run for long, or workers could not be started again and again."""
        if now.running:
            self._worked, self._failed_starts = time.monotonic(), 0
        if self._failed_starts < _MOST_STARTS and time.monotonic() - self._worked < _PATIENCE_S:
            return
        why = last_line(self._failure) if self._failure else "no node has room for one"
        raise ClusterError(f"the training workers could not be kept alive ({why}). {_KEPT}.") from self._failure

    def _begin(self, now: Progress) -> None:
        """Begin a shift of what is free, once that has settled: the last one's processors are not free at once."""
        nodes = alive_nodes()
        workers, free = min(self._most(now), room(self._run, list(nodes.values()))), self._free()
        if not workers or (free < workers and time.monotonic() - self._ended < _SETTLE_S):
            time.sleep(_POLL_S)
            return
        fitting = min(workers, max(1, free)) >> self._failed_starts  # what was free may not have been so together
        self._shift = Shift(self._store, self._plan_name, self._queue, self._run, max(1, fitting))
        self._began, self._places, self._nodes = time.monotonic(), {}, frozenset(nodes)

    def _end(self, shift: Shift) -> None:
        for worker in ray.get(self._queue.crew.remote()):  # the shift has ended under them
            ray.get(self._queue.lose.remote(worker.name, "shift"))
        self._failure, self._shift = shift.failure, None
        self._failed_starts += not self._places
        self._ended = time.monotonic()
        shift.close()

    def _look(self, shift: Shift, now: Progress) -> None:
        """Recall the workers where it pays to go on with more; abandon a shift that lost a node before it began."""
        self._places |= {node: max(count, self._places.get(node, 0)) for node, count in now.nodes.items()}
        nodes = alive_nodes()
        if not self._places and not nodes.keys() >= self._nodes:
            shift.abandon()
            return
        joined = sum(self._places.values()) >= shift.workers
        if shift.is_recalled or not (joined or time.monotonic() - self._began > _START_S):
            return
        held = sum(count for node, count in self._places.items() if node in nodes)
        possible = min(self._most(now), room(self._run, list(nodes.values())), held + self._free())
        if worth_regrouping(sum(now.nodes.values()), possible, now.waiting):
            shift.is_recalled = True
            ray.get(self._queue.recall.remote(shift.name))

    def _most(self, now: Progress) -> int:
        """Return how many workers may be at work: what is asked for, and one a job."""
        left = now.jobs - now.jobs_done
        return min(self._run.workers or left, left)

    def _free(self) -> int:
        """Return how many workers fit what is free now, node by node."""
        from ray._private.state import available_resources_per_node  # Ray's public call adds up all nodes

        nodes = available_resources_per_node()  # type: ignore[no-untyped-call]
        return room(self._run, list(nodes.values()))
