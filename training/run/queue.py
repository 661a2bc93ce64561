"""Which job a worker does next, and what a failure means. Pure decisions: no cluster, no clock, no files.

Workers pull, so a slow block never idles the others. A job that raises is tried again, up to the retries. A worker that
dies says nothing about whose fault it was: its job runs again, and one whose worker died twice becomes a *suspect*. It
then runs while nothing else does on its node, whose memory they share, and only then does a death count as its failure.
A block that kills its worker is thus found out, and no other job pays for it. A node that dies is nobody's fault,
unless it is the third that died under the same job.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, Self

from configs.errors import ConfigError, DataError, FleetcastError
from training.run.job import POOLED, Job

DIED = "its worker process died (out of memory, or killed)"
_NODES_LOST = 3

Cause = Literal["worker", "node", "shift"]


@dataclass(frozen=True, slots=True)
class Worker:
    """Who pulls jobs: a name that is never used again, its node, its shift, and whatever its driver reaches it by."""

    name: str
    node: str = ""
    shift: str = ""
    handle: Any = None


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: jobs and symbols of blocks done (failed ones included) and in all; a pooled job counts none.

    ``waiting`` jobs are neither over nor running; ``begun_again`` counts those whose worker was lost with them;
    ``nodes`` tells how many workers each node has at work, and ``done_on`` how many jobs each has finished in this run.
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
    """Return what to tell of a job's exception, and whether it is final: the data's or the settings' fault."""
    told = str(error) if isinstance(error, FleetcastError) else f"{type(error).__name__}: {error}"
    return told, isinstance(error, DataError | ConfigError)


@dataclass
class JobQueue:
    """Jobs in order, handed to workers by name; every job ends once, in ``done`` or in ``failed``.

    Parameters
    ----------
    jobs
        All jobs of the run; a job runs after the one whose output it ``needs``.
    retries
        How often a job is tried again before it is given up.
    done
        Outputs that exist already.
    failed
        Outputs that were given up, each with its reason.
    broken
        Why the workers could do no job at all, or empty.

    Raises
    ------
    ValueError
        A job needs what no job makes.
    """

    jobs: tuple[Job, ...]
    retries: int
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)
    broken: str = ""

    def __post_init__(self) -> None:
        made = self.done | {job.output for job in self.jobs}
        for job in self.jobs:
            if job.needs is not None and job.needs not in made:
                raise ValueError(f"job {job.output!r} needs {job.needs!r}, which no job makes")
        self._symbols = {job.output: len(job.symbols) for job in self.jobs if job.name != POOLED}
        self._waiting = [job for job in self.jobs if job.output not in self.done]
        self._crew: dict[str, Worker] = {}
        self._recalled: set[str] = set()
        self._running: dict[str, Job] = {}
        self._tried: dict[str, int] = {}
        self._witnessed: set[str] = set()
        self._suspects: set[str] = set()
        self._done_on: Counter[str] = Counter()
        self._fallen: Counter[str] = Counter()
        self._joined: Counter[str] = Counter()
        self._lost = 0
        self._leader: Any = None

    def snapshot(self) -> Self:
        """Return the queue itself, for whoever reaches it through a Ray actor."""
        return self

    def lead(self, handle: Any) -> None:
        """Note what the driver reaches the process by that has started the workers, or ``None`` where there is none."""
        self._leader = handle

    def leader(self) -> Any:
        """Return what :meth:`lead` was given last."""
        return self._leader

    def crew(self) -> list[Worker]:
        """Return the workers that have joined, and have neither been told the end nor been lost."""
        return list(self._crew.values())

    def join(self, worker: Worker) -> None:
        """Take in a worker that starts."""
        self._joined[worker.shift] += worker.name not in self._crew
        self._crew[worker.name] = worker

    def joined(self, shift: str) -> int:
        """Return how many workers of a shift have ever joined."""
        return self._joined[shift]

    def lose(self, name: str, cause: Cause = "worker") -> None:
        """Note that a worker is gone, with its ``node``, or because its ``shift`` ended under it."""
        worker, job = self._crew.pop(name, None), self._running.pop(name, None)
        if worker is None or job is None:
            return
        self._lost += 1
        self._fallen[job.output] += cause == "node"
        blamed = cause == "worker" or (cause == "node" and self._fallen[job.output] > _NODES_LOST)
        if job.output in self._suspects and blamed:
            self._count(job, DIED)
            return
        if self._fallen[job.output] == _NODES_LOST:
            self._suspects.add(job.output)
        elif blamed:
            (self._suspects if job.output in self._witnessed else self._witnessed).add(job.output)
        self._waiting.append(job)

    def recall(self, shift: str) -> None:
        """Tell the end to all of a shift, each after its present job: others will go on with what is left."""
        self._recalled.add(shift)

    def next(self, name: str) -> Job | Literal["wait", "end"]:
        """Return the job for a worker that is idle, ``wait`` to ask again later, or ``end``; who is lost is told so."""
        if name in self._running:
            return self._running[name]
        worker = self._crew.get(name)
        if worker is None or worker.shift in self._recalled or not (self._waiting or self._running):
            self._crew.pop(name, None)
            return "end"
        beside = [job for other, job in self._running.items() if self._crew[other].node == worker.node]
        if any(job.output in self._suspects for job in beside):
            return "wait"
        for at, job in enumerate(self._waiting):
            ready = job.needs is None or job.needs in self.done
            if ready and not (job.output in self._suspects and beside):
                del self._waiting[at]
                self._running[name] = job
                return job
        return "wait"

    def finish(self, name: str, output: str) -> None:
        """Note that a worker's job is done and its block is in the store; a job that was taken from it is ignored."""
        job = self._running.get(name)
        if job is None or job.output != output:
            return
        del self._running[name]
        self._suspects.discard(output)
        self.done.add(output)
        self._done_on[self._crew[name].node] += 1

    def fail(self, name: str, reason: str, final: bool = False) -> None:
        """Note that a worker's job raised; ``final`` when trying again cannot help (the data's fault)."""
        job = self._running.pop(name, None)
        if job is not None:
            self._count(job, reason, final)

    def give_up(self, reason: str) -> None:
        """Give up all that is left: a worker could do no job, whichever it is. Where others can, they go on alone."""
        if self._crew or self._done_on:
            return
        self.broken = reason
        for job in [*self._running.values(), *self._waiting]:
            self.failed[job.output] = reason
        self._running.clear()
        self._waiting.clear()

    def progress(self) -> Progress:
        """Return how far the run is."""
        over = self.done | set(self.failed)
        return Progress(
            jobs_done=sum(job.output in over for job in self.jobs),
            jobs=len(self.jobs),
            symbols_done=sum(self._symbols.get(output, 0) for output in over),
            symbols=sum(self._symbols.values()),
            running=tuple(sorted(f"{job.kind}/{job.name}" for job in self._running.values())),
            failed=len(self.failed),
            waiting=len(self._waiting),
            begun_again=self._lost,
            nodes=dict(Counter(worker.node for worker in self._crew.values())),
            done_on=dict(self._done_on),
        )

    def _count(self, job: Job, reason: str, final: bool = False) -> None:
        """Count a failure against a job: it waits again, or it and all that need it are given up."""
        self._tried[job.output] = tried = self._tried.get(job.output, 0) + 1
        if not final and tried <= self.retries:
            self._waiting.append(job)
            return
        self.failed[job.output] = reason if final else f"{reason}; tried {tried} time{'s' if tried > 1 else ''}"
        for dependent in [waiting for waiting in self._waiting if waiting.needs == job.output]:
            self._waiting.remove(dependent)
            self._count(dependent, f"needs the {job.kind} models' {job.name} fit, which failed: {reason}", final=True)
