"""Do a run's jobs in this process, one after the other: for small universes, notebooks and measuring."""

from __future__ import annotations

from collections.abc import Callable

from training.run.queue import JobQueue, Progress, Worker, classify_error
from training.run.worker import run_job

_ME = "here"


def run_here(uri: str, plan_name: str, queue: JobQueue, on_progress: Callable[[Progress], None]) -> JobQueue:
    """Empty the queue, and return it with what was done and what failed."""
    queue.join(Worker(_ME))
    while not isinstance(job := queue.next(_ME), str):
        on_progress(queue.progress())
        try:
            run_job(uri, plan_name, job)
        except Exception as error:  # a block's failure, whatever it is, must not stop the others
            queue.fail(_ME, *classify_error(error))
        else:
            queue.finish(_ME, job.output)
    on_progress(queue.progress())
    return queue
