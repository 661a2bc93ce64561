"""Every job ends exactly once, for any order of workers asking, finishing, failing and dying."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from queue_jobs import plan

from training.run.job import Job
from training.run.queue import DIED, Cause, JobQueue, Worker


@dataclass
class Workers:
    """Workers that follow the queue's answers, two per node; one that dies is replaced by one with another name."""

    queue: JobQueue
    places: int
    names: list[str] = field(default_factory=list)
    busy: dict[int, Job] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    joined: int = 0
    group: int = 0

    def __post_init__(self) -> None:
        self.names = [""] * self.places
        for place in range(self.places):
            self.replace(place)

    def replace(self, place: int) -> None:
        self.joined += 1
        self.names[place] = f"worker-{self.joined}"
        self.queue.join(Worker(self.names[place], f"node-{place // 2}", f"group-{self.group}"))

    def ask(self, place: int) -> str:
        answer = self.queue.next(self.names[place])
        if isinstance(answer, str):
            return answer
        assert answer.output not in {job.output for job in self.busy.values()}, "one job, two workers"
        assert answer.output not in self.ended
        self.busy[place] = answer
        return "job"

    def finish(self, place: int) -> None:
        job = self.busy.pop(place)
        self.queue.finish(self.names[place], job.output)
        self.ended.append(job.output)

    def die(self, places: list[int], cause: Cause = "worker") -> None:
        for place in places:
            self.busy.pop(place, None)
            self.queue.remove(self.names[place], cause)
        for place in places:
            self.replace(place)


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(
    data=st.data(), blocks=st.integers(1, 5), shared=st.booleans(), retries=st.integers(0, 2), places=st.integers(1, 4)
)
def test_every_job_ends_exactly_once_for_any_sequence_of_events(data, blocks, shared, retries, places):
    jobs = plan(blocks, shared)
    workers = Workers(JobQueue(jobs, retries), places)
    queue = workers.queue
    events = ["ask", "ask", "finish", "raise", "final", "one dies", "all die", "node dies", "drain"]
    for _ in range(40):
        place = data.draw(st.integers(0, places - 1))
        event = data.draw(st.sampled_from(events))
        if event == "ask" and place not in workers.busy:
            answer = workers.ask(place)
            assert answer != "wait" or workers.busy, "a worker waits though nothing runs"
            if answer == "end":
                workers.replace(place)
        elif event == "finish" and place in workers.busy:
            workers.finish(place)
        elif event in ("raise", "final") and place in workers.busy:
            workers.busy.pop(place)
            queue.fail(workers.names[place], "boom", event == "final")
        elif event == "one dies":
            workers.die([place])
        elif event == "all die":
            workers.die(data.draw(st.permutations(range(places))))
        elif event == "node dies":
            workers.die([one for one in range(places) if one // 2 == place // 2], "node")
        elif event == "drain":
            queue.drain(f"group-{workers.group}")
            workers.group += 1
    for _ in range(len(jobs) * (retries + 3) * places + places):  # nothing fails from here on
        for place in range(places):
            if place in workers.busy:
                workers.finish(place)
            elif workers.ask(place) == "end":
                workers.replace(place)
    assert all(queue.next(name) == "end" for name in workers.names)
    outputs = {job.output for job in jobs}
    assert queue.done | set(queue.failed) == outputs
    assert not queue.done & set(queue.failed)
    assert sorted(workers.ended) == sorted(queue.done), "each done job was finished once"
    progress = queue.progress()
    assert progress.jobs_done == progress.jobs == len(jobs)
    assert sum(progress.done_on.values()) == len(queue.done)


@settings(max_examples=100, deadline=None)
@given(
    blocks=st.integers(2, 6),
    killer=st.integers(0, 5),
    retries=st.integers(0, 3),
    places=st.integers(1, 4),
    takes_all=st.booleans(),
)
def test_a_job_that_kills_its_worker_is_given_up_and_costs_no_other_job_a_retry(
    blocks, killer, retries, places, takes_all
):
    """When memory runs out, other workers of the node may be killed for it."""
    jobs = plan(blocks, with_pooled=False)
    bad = jobs[killer % blocks].output
    workers = Workers(JobQueue(jobs, retries), places)
    deaths = 0
    while any([workers.ask(place) != "end" for place in range(places) if place not in workers.busy]) or workers.busy:
        at = [place for place, job in workers.busy.items() if job.output == bad]
        if at:
            deaths += 1
            workers.die([one for one in range(places) if (takes_all and one // 2 == at[0] // 2) or one == at[0]])
        else:
            for place in list(workers.busy):
                workers.finish(place)
    assert deaths == retries + 3, "twice among others, then alone on its node until the retries are used up"
    assert workers.queue.failed == {bad: workers.queue.failed[bad]}
    assert "its worker process died" in workers.queue.failed[bad]
    assert workers.queue.done == {job.output for job in jobs} - {bad}
    assert not workers.queue._failures.keys() - {bad}


@given(deaths=st.integers(1, 20))
def test_the_end_of_its_group_never_counts_against_a_job(deaths):
    workers = Workers(JobQueue(plan(1, with_pooled=False), retries=0), places=1)
    for _ in range(deaths):
        assert workers.ask(0) == "job"
        workers.die([0], "group")
    workers.ask(0)
    workers.finish(0)
    assert not workers.queue.failed and not workers.queue._suspects


def test_a_job_is_a_suspect_after_its_third_node_has_died_and_is_then_given_up():
    workers = Workers(JobQueue(plan(2, with_pooled=False), retries=1), places=1)
    for deaths in range(1, 6):
        while workers.ask(0) == "job" and workers.busy[0].output != "direction/block-00000":
            workers.finish(0)
        assert not workers.queue.failed and bool(workers.queue._suspects) == (deaths > 3)
        workers.die([0], "node")
    assert workers.queue.failed == {"direction/block-00000": f"{DIED}; tried 2 times"}
    while workers.ask(0) == "job":
        workers.finish(0)
    assert workers.queue.done == {"direction/block-00001"}
