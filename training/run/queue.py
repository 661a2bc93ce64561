"""Which job a worker does next, and what a failure means. Pure decisions: no cluster, no clock, no files.

Workers pull, so a slow block never idles the others. A job that raises is tried again, up to the retries. A worker that
dies says nothing about whose fault it was (Ray restarts all workers with it), so what was running runs again; what was
running at two deaths becomes a *suspect*: it runs only while nothing else does, and only then does a death count as its
failure. A block that kills its worker is thus found out, and no other job pays for it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Self

from configs.errors import ConfigError, DataError, FleetcastError
from training.run.job import POOLED, Job

DIED = "its worker process died (out of memory, or killed)"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: jobs and symbols of blocks done (failed ones included) and in all; a pooled job counts none."""

    jobs_done: int
    jobs: int
    symbols_done: int
    symbols: int
    running: tuple[str, ...]
    failed: int


def blame(error: Exception) -> tuple[str, bool]:
    """Return what to tell of a job's exception, and whether it is final: the data's or the settings' fault."""
    told = str(error) if isinstance(error, FleetcastError) else f"{type(error).__name__}: {error}"
    return told, isinstance(error, DataError | ConfigError)


@dataclass
class JobQueue:
    """Jobs in order, handed to workers by rank; every job ends once, in ``done`` or in ``failed``.

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
        self._waiting = [job for job in self.jobs if job.output not in self.done]
        self._running: dict[int, Job] = {}
        self._tried: dict[str, int] = {}
        self._witnessed: set[str] = set()
        self._suspects: set[str] = set()

    def snapshot(self) -> Self:
        """Return the queue itself, for whoever reaches it through a Ray actor."""
        return self

    def join(self, rank: int) -> None:
        """Take in a worker that starts: what its predecessor of this rank was doing is lost."""
        job = self._running.pop(rank, None)
        if job is None:
            return
        if job.output in self._suspects:
            self._count(job, DIED)
        else:
            (self._suspects if job.output in self._witnessed else self._witnessed).add(job.output)
            self._waiting.append(job)

    def next(self, rank: int) -> Job | Literal["wait", "end"]:
        """Return the job for a worker that is idle, ``wait`` to ask again later, or ``end``."""
        if rank in self._running:
            return self._running[rank]
        if any(job.output in self._suspects for job in self._running.values()):
            return "wait"
        for job in self._waiting:
            ready = job.needs is None or job.needs in self.done
            if ready and not (job.output in self._suspects and self._running):
                self._waiting.remove(job)
                self._running[rank] = job
                return job
        return "wait" if self._running else "end"

    def finish(self, rank: int, output: str) -> None:
        """Note that a worker's job is done and its block is in the store; a job that was taken from it is ignored."""
        job = self._running.get(rank)
        if job is None or job.output != output:
            return
        del self._running[rank]
        self._suspects.discard(output)
        self.done.add(output)

    def fail(self, rank: int, reason: str, final: bool = False) -> None:
        """Note that a worker's job raised; ``final`` when trying again cannot help (the data's fault)."""
        job = self._running.pop(rank, None)
        if job is not None:
            self._count(job, reason, final)

    def give_up(self, reason: str) -> None:
        """Give up all that is left: the workers cannot do any job, whichever it is."""
        self.broken = reason
        for job in [*self._running.values(), *self._waiting]:
            self.failed[job.output] = reason
        self._running.clear()
        self._waiting.clear()

    def progress(self) -> Progress:
        """Return how far the run is."""
        over = self.done | set(self.failed)
        blocks = [job for job in self.jobs if job.name != POOLED]
        return Progress(
            jobs_done=sum(job.output in over for job in self.jobs),
            jobs=len(self.jobs),
            symbols_done=sum(len(job.symbols) for job in blocks if job.output in over),
            symbols=sum(len(job.symbols) for job in blocks),
            running=tuple(sorted(f"{job.kind}/{job.name}" for job in self._running.values())),
            failed=len(self.failed),
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
