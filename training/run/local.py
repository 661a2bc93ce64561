"""Do a run's jobs in this process, one after the other: for small universes, notebooks and measuring."""

from __future__ import annotations

from collections.abc import Callable

from training.run.queue import JobQueue, Progress, blame
from training.run.worker import run_job

RANK = 0


def run_here(uri: str, plan_name: str, queue: JobQueue, on_progress: Callable[[Progress], None]) -> JobQueue:
    """Empty the queue, and return it with what was done and what failed."""
    while not isinstance(job := queue.next(RANK), str):
        on_progress(queue.progress())
        try:
            run_job(uri, plan_name, job)
        except Exception as error:  # a block's failure, whatever it is, must not stop the others
            queue.fail(RANK, *blame(error))
        else:
            queue.finish(RANK, job.output)
    on_progress(queue.progress())
    return queue
