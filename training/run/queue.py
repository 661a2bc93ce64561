"""Which job a worker does next, and what a failure means. Pure decisions: no cluster, no clock, no files.

Workers pull, so a slow block never idles the others. An exception is the job's own fault: it is tried again, up to the
retries. A worker that dies takes its job back to the end of the queue as a *suspect*, which runs only while nothing else
does, so that a block that kills its worker is found out and cannot cost the others their retries.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from training.run.plan import Job


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run is: jobs and symbols of blocks done (failed ones included) and in all; a pooled job counts no symbol."""

    jobs_done: int
    jobs: int
    symbols_done: int
    symbols: int
    running: tuple[str, ...]
    failed: int


@dataclass
class JobQueue:
    """Jobs in order, handed to workers by rank.

    Parameters
    ----------
    jobs
        All jobs of the run; a job runs after the one whose output it ``needs``.
    retries
        How often a job is tried again before it is given up.
    done
        Outputs that exist already.
    """

    jobs: tuple[Job, ...]
    retries: int
    done: set[str] = field(default_factory=set)
    failed: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._waiting = [job for job in self.jobs if job.output not in self.done]
        self._running: dict[int, Job] = {}
        self._tried: dict[str, int] = {}
        self._suspects: set[str] = set()

    def join(self, rank: int) -> None:
        """A worker of this rank started: what its predecessor was doing is lost."""
        job = self._running.pop(rank, None)
        if job is not None:
            self._suspects.add(job.output)
            self._again(job, "its worker process died (out of memory, or killed)")

    def next(self, rank: int) -> Job | Literal["wait", "end"]:
        """Return the job for a worker that is idle, ``wait`` to ask again later, or ``end``."""
        if not self._waiting and not self._running:
            return "end"
        for job in self._waiting:
            ready = job.needs is None or job.needs in self.done
            alone = job.output not in self._suspects or not self._running
            if ready and alone:
                if any(running.output in self._suspects for running in self._running.values()):
                    return "wait"
                self._waiting.remove(job)
                self._running[rank] = job
                return job
        return "wait"

    def finish(self, rank: int, output: str) -> None:
        """A worker finished its job; its block is in the store."""
        self._running.pop(rank, None)
        self.done.add(output)
        self._suspects.discard(output)

    def fail(self, rank: int, reason: str, final: bool = False) -> None:
        """A job raised; ``final`` when trying again cannot help (the data's fault)."""
        job = self._running.pop(rank, None)
        if job is not None:
            self._again(job, reason, final)

    def progress(self) -> Progress:
        """Return how far the run is."""
        over = self.done | set(self.failed)
        blocks = [job for job in self.jobs if job.name != "pooled"]
        return Progress(
            jobs_done=sum(job.output in over for job in self.jobs),
            jobs=len(self.jobs),
            symbols_done=sum(len(job.symbols) for job in blocks if job.output in over),
            symbols=sum(len(job.symbols) for job in blocks),
            running=tuple(sorted(f"{job.kind}/{job.name}" for job in self._running.values())),
            failed=len(self.failed),
        )

    def snapshot(self) -> JobQueue:
        """Return the queue; called on an actor, a copy of it."""
        return self

    def _again(self, job: Job, reason: str, final: bool = False) -> None:
        self._tried[job.output] = tried = self._tried.get(job.output, 0) + 1
        if not final and tried <= self.retries:
            self._waiting.append(job)
            return
        self.failed[job.output] = reason if final else f"{reason}; tried {tried} times"
        for dependent in [waiting for waiting in self._waiting if waiting.needs == job.output]:
            self._waiting.remove(dependent)
            self.failed[dependent.output] = f"needs {job.name}, which failed: {reason}"
