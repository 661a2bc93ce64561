"""Jobs of small plans, and queues with workers that have joined."""

from training.run.job import POOLED, Job
from training.run.queue import JobQueue, Worker


def block(number: int, needs: str | None = None, kind: str = "direction") -> Job:
    name = f"block-{number:05d}"
    return Job(kind=kind, name=name, output=f"{kind}/{name}", inputs=(("bars", (f"S{number}",)),), needs=needs)


def pooled(kind: str = "direction") -> Job:
    return Job(kind=kind, name=POOLED, output=f"{kind}/{POOLED}", inputs=(("bars", ("S0",)),))


def plan(blocks: int, with_pooled: bool) -> tuple[Job, ...]:
    shared = (pooled(),) if with_pooled else ()
    needs = shared[0].output if shared else None
    return (*shared, *(block(i, needs) for i in range(blocks)))


def queue_of(jobs, workers=("a", "b", "c"), node="one", **given) -> JobQueue:
    """Return a queue of these jobs whose workers have joined, all on one node."""
    queue = JobQueue(jobs, **given)
    for name in workers:
        queue.join(Worker(name, node))
    return queue
