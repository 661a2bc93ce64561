"""Which job a worker does next, and what a failure means. Pure decisions: no cluster, no clock, no files.

Workers pull jobs, so a slow block never idles the others. A job that raises is tried again, up to its retries. When a
worker dies, its job or another one on the same node may have used up the memory: the job runs again, and after its
second death it is a *suspect*, which runs only while nothing else runs on its node. Only then does a death use up a
retry. So a job that kills its worker is identified, and no other job loses a retry. The death of a node never counts
against a job, unless it is the third node that died under it.
"""

from __future__ import annotations

import logging
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from configs.errors import ConfigError, DataError, FleetcastError
from training.run.job import Job

logger = logging.getLogger(__name__)

DIED = "its worker process died (out of memory, or killed)"
_NODE_DEATHS = 3

Cause = Literal["worker", "node", "group"]


@dataclass(frozen=True, slots=True)
class Worker:
    """A process that pulls jobs: its name (never used again), its node, its group, and its Ray actor."""

    name: str
    node: str = ""
    group: str = ""
    actor: Any = None


@dataclass(frozen=True, slots=True)
class Progress:
    """Progress of a run: finished jobs and symbols of finished blocks (failed ones included), and totals.

    A pooled job has no symbols of its own. ``waiting`` jobs are neither finished nor running; ``begun_again`` counts
    jobs whose worker died while it ran them; ``nodes`` maps a node to its number of workers, ``done_on`` to the number
    of jobs that it finished in this run.
    """

    jobs_done: int
    jobs: int
    symbols_done: int
    symbols: int
    running: tuple[str, ...]
    failed: int
    waiting: int
    begun_again: int
    nodes: dict[str, int]
    done_on: dict[str, int]


def classify_error(error: Exception) -> tuple[str, bool]:
    """Return the reason to report for an exception, and whether it is final: caused by the data or the settings."""
    reason = str(error) if isinstance(error, FleetcastError) else f"{type(error).__name__}: {error}"
    return reason, isinstance(error, DataError | ConfigError)


@dataclass
class JobQueue:
    """Jobs in order, given to workers by name; each job ends once, in ``done`` or in ``failed``.

    Parameters
    ----------
    jobs
        All jobs of the run; a job runs after those whose outputs it reads.
    retries
        How often a job is tried again before it is given up.
    done
        Outputs that exist already.
    failed
        Outputs that were given up, with their reasons.
    broken
        Why no worker could do any job, or empty.

    Raises
    ------
    ValueError
        A job needs an output that no job makes.
    """

    jobs: tuple[Job, ...]
    retries: int
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    broken: str = ""

    def __post_init__(self) -> None:
        outputs = self.done | {job.output for job in self.jobs}
        for job in self.jobs:
            for needed in set(job.after) - outputs:
                raise ValueError(f"job {job.output!r} needs {needed!r}, which no job makes")
        self._symbols = {job.output: len(job.symbols) for job in self.jobs if job.is_block}
        self._waiting = [job for job in self.jobs if job.output not in self.done]
        self._running: dict[str, Job] = {}
        self._workers: dict[str, Worker] = {}
        self._draining: set[str] = set()
        self._controllers: dict[str, Any] = {}
        self._failures: Counter[str] = Counter()
        self._died_once: set[str] = set()
        self._suspects: set[str] = set()
        self._node_deaths: Counter[str] = Counter()
        self._begun_again = 0
        self._done_on: Counter[str] = Counter()

    def snapshot(self) -> Self:
        """Return the queue itself, for the driver that reaches it as a Ray actor."""
        return self

    def set_controller(self, group: str, actor: Any) -> None:
        """Store the actor that starts a group's workers; a second call for the same group is ignored."""
        self._controllers.setdefault(group, actor)

    def controller(self, group: str) -> Any:
        """Return the actor that starts a group's workers, or ``None`` while it is unknown."""
        return self._controllers.get(group)

    def workers(self) -> list[Worker]:
        """Return the workers that have joined and have neither ended nor died."""
        return list(self._workers.values())

    def join(self, worker: Worker) -> None:
        """Add a worker that is ready for jobs."""
        self._workers[worker.name] = worker

    def drain(self, group: str) -> None:
        """End a group: each of its workers ends after its current job."""
        self._draining.add(group)

    def remove(self, name: str, cause: Cause = "worker") -> None:
        """Remove a worker that died by itself, with its ``node``, or because its ``group`` was ended."""
        worker, job = self._workers.pop(name, None), self._running.pop(name, None)
        if worker is None or job is None:
            return
        self._begun_again += 1
        self._node_deaths[job.output] += cause == "node"
        node_deaths = self._node_deaths[job.output]
        counts = cause == "worker" or (cause == "node" and node_deaths > _NODE_DEATHS)
        if counts and job.output in self._suspects:
            self._count_failure(job, DIED)
            return
        if node_deaths == _NODE_DEATHS:
            self._suspects.add(job.output)
        elif counts:
            (self._suspects if job.output in self._died_once else self._died_once).add(job.output)
        alone = ", alone on its node" if job.output in self._suspects else ""
        logger.info("%s runs again%s: its worker %s died (cause: %s)", job.label, alone, name, cause)
        self._waiting.append(job)

    def next(self, name: str) -> Job | Literal["wait", "end"]:
        """Return the next job of an idle worker, ``wait`` to ask again later, or ``end``, also for a removed worker."""
        if name in self._running:
            return self._running[name]
        worker = self._workers.get(name)
        if worker is None or worker.group in self._draining or not (self._waiting or self._running):
            self._workers.pop(name, None)
            return "end"
        neighbours = [job for other, job in self._running.items() if self._workers[other].node == worker.node]
        if any(job.output in self._suspects for job in neighbours):
            return "wait"
        for at, job in enumerate(self._waiting):
            if self.done.issuperset(job.after) and not (job.output in self._suspects and neighbours):
                del self._waiting[at]
                self._running[name] = job
                return job
        return "wait"

    def finish(self, name: str, output: str) -> None:
        """Record that a worker's job is done and its block is stored; ignored if the job was taken from the worker."""
        job = self._running.get(name)
        if job is None or job.output != output:
            return
        del self._running[name]
        self._suspects.discard(output)
        self.done.add(output)
        self._done_on[self._workers[name].node] += 1

    def fail(self, name: str, reason: str, final: bool = False) -> None:
        """Record that a worker's job raised; ``final`` if trying again cannot help (the data's fault)."""
        job = self._running.pop(name, None)
        if job is not None:
            self._count_failure(job, reason, final)

    def give_up(self, reason: str) -> None:
        """Give up all jobs because a worker cannot do any; ignored if another worker can."""
        if self._workers or self._done_on:
            return
        self.broken = reason
        for job in [*self._running.values(), *self._waiting]:
            self.failed[job.output] = reason
        self._running.clear()
        self._waiting.clear()

    def progress(self) -> Progress:
        """Return the progress of the run."""
        ended = self.done | set(self.failed)
        return Progress(
            jobs_done=sum(job.output in ended for job in self.jobs),
            jobs=len(self.jobs),
            symbols_done=sum(self._symbols.get(output, 0) for output in ended),
            symbols=sum(self._symbols.values()),
            running=tuple(sorted(job.label for job in self._running.values())),
            failed=len(self.failed),
            waiting=len(self._waiting),
            begun_again=self._begun_again,
            nodes=dict(Counter(worker.node for worker in self._workers.values())),
            done_on=dict(self._done_on),
        )

    def _count_failure(self, job: Job, reason: str, final: bool = False) -> None:
        """Count a failure of a job: it is tried again, or it and all jobs that need it are given up."""
        self._failures[job.output] += 1
        tries = self._failures[job.output]
        if not final and tries <= self.retries:
            logger.info("%s is tried again, retry %d of %d (run.retries): %s", job.label, tries, self.retries, reason)
            self._waiting.append(job)
            return
        self.failed[job.output] = reason if final else f"{reason}; tried {tries} time{'s' if tries > 1 else ''}"
        logger.info("%s is given up (%d symbols): %s", job.label, len(job.symbols), self.failed[job.output])
        for dependent in [waiting for waiting in self._waiting if job.output in waiting.after]:
            if dependent not in self._waiting:  # it needed another job that was given up with this one
                continue
            self._waiting.remove(dependent)
            self._count_failure(
                dependent, f"needs the {job.kind} models' {job.name} fit, which failed: {reason}", final=True
            )
