"""Do a run's jobs in this process, one after the other: for small universes, notebooks and measurements."""

from __future__ import annotations

from collections.abc import Callable

from training.run.queue import JobQueue, Progress, Worker, classify_error
from training.run.worker import run_job

_NAME = "local"


def run_here(uri: str, plan_name: str, queue: JobQueue, on_progress: Callable[[Progress], None]) -> JobQueue:
    """Do all jobs of the queue, and return it with what was done and what failed."""
    queue.join(Worker(_NAME))
    while not isinstance(job := queue.next(_NAME), str):
        on_progress(queue.progress())
        try:
            run_job(uri, plan_name, job)
        except Exception as error:  # whatever a block's failure is, it must not stop the others
            queue.fail(_NAME, *classify_error(error))
        else:
            queue.finish(_NAME, job.output)
    on_progress(queue.progress())
    return queue
