"""Decisions of the queue, for any order of workers asking, finishing, failing and dying."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.run.job import POOLED, Job
from training.run.queue import DIED, Cause, JobQueue, Worker


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


def test_an_exception_is_tried_again_and_then_reported():
    queue = queue_of(plan(1, with_pooled=False), retries=2)
    for _ in range(3):
        assert isinstance(queue.next("a"), Job)
        queue.fail("a", "ValueError: no")
    assert queue.next("a") == "end"
    assert queue.failed == {"direction/block-00000": "ValueError: no; tried 3 times"}


def test_a_failure_caused_by_the_data_is_not_tried_again():
    queue = queue_of(plan(1, with_pooled=False), retries=2)
    queue.next("a")
    queue.fail("a", "no symbol has enough bars", final=True)
    assert queue.failed == {"direction/block-00000": "no symbol has enough bars"}


def test_blocks_wait_for_the_pooled_fit_while_another_kind_runs():
    own = pooled("volatility")
    queue = queue_of((pooled(), own, block(0, pooled().output), block(0, own.output, "volatility")), retries=0)
    assert queue.next("a") == pooled()
    assert queue.next("b") == own
    assert queue.next("c") == "wait"
    queue.finish("b", own.output)
    assert queue.next("c").output == "volatility/block-00000"


def test_dependents_of_a_failed_pooled_fit_fail_with_its_reason():
    jobs = (*plan(3, with_pooled=True), block(0, kind="volatility"))
    queue = queue_of(jobs, retries=0)
    queue.next("a")
    queue.fail("a", "the fit diverged", final=True)
    assert {output for output in queue.failed if "direction" in output} == {job.output for job in jobs[:4]}
    assert "needs the direction models' pooled fit, which failed: the fit diverged" in queue.failed[jobs[1].output]
    assert queue.next("a") == jobs[4]
    progress = queue.progress()
    assert (progress.symbols_done, progress.symbols, progress.failed) == (3, 4, 4)


def test_a_suspect_runs_alone_on_its_node():
    jobs = plan(4, with_pooled=False)
    queue = queue_of(jobs, retries=1)
    queue.join(Worker("far", "another"))
    assert queue.next("far") == jobs[0]
    queue.remove("far")
    assert queue.next("a") == jobs[1]
    assert queue.next("b") == jobs[2]
    assert queue.next("c") == jobs[3]
    queue.finish("c", jobs[3].output)
    assert queue.next("c") == jobs[0], "one death does not make a suspect"
    queue.remove("c")
    queue.join(Worker("d", "one"))
    assert queue.next("d") == "wait", "the suspect waits until nothing else runs there"
    queue.join(Worker("e", "another"))
    assert queue.next("e") == jobs[0], "nothing else runs on this node"
    queue.join(Worker("f", "another"))
    assert queue.next("f") == "wait"
    queue.finish("e", jobs[0].output)
    queue.finish("a", jobs[1].output)
    queue.finish("b", jobs[2].output)
    assert queue.next("f") == "end"
    assert not queue.failed


def test_late_calls_of_a_removed_worker_change_nothing():
    jobs = plan(2, with_pooled=False)
    queue = queue_of(jobs, retries=0)
    queue.next("a")
    queue.remove("a")
    assert queue.next("b") == jobs[1]
    queue.finish("a", jobs[0].output)
    queue.fail("a", "no")
    assert queue.progress().running == ("direction/block-00001",)
    assert not queue.done and not queue.failed
    assert queue.next("a") == "end", "it ends, because another worker has its job"


def test_asking_twice_gives_the_same_job():
    queue = queue_of(plan(2, with_pooled=False), retries=0)
    assert queue.next("a") == queue.next("a")
    assert queue.next("a") != queue.next("b")


def test_workers_of_a_drained_group_finish_their_jobs_and_another_group_goes_on():
    jobs = plan(3, with_pooled=False)
    queue = queue_of(jobs, workers=("a", "b"), retries=0)
    assert queue.next("a") == jobs[0]
    queue.drain("")
    queue.join(Worker("late", "one"))
    queue.join(Worker("new", "another", "next group"))
    assert queue.next("late") == "end", "it belongs to the drained group"
    assert queue.next("b") == "end"
    assert queue.next("a") == jobs[0], "it asked again before its job was done"
    queue.finish("a", jobs[0].output)
    assert queue.next("a") == "end"
    assert [worker.name for worker in queue.workers()] == ["new"]
    assert queue.next("new") == jobs[1]
    progress = queue.progress()
    assert (progress.waiting, progress.nodes, progress.done_on) == (1, {"another": 1}, {"one": 1})


def test_outputs_that_exist_are_not_made_again():
    jobs = plan(2, with_pooled=True)
    queue = queue_of(jobs, retries=0, done={jobs[0].output, jobs[1].output})
    assert queue.next("a") == jobs[2]
    assert queue.progress().jobs_done == 2


def in_parts() -> tuple[Job, ...]:
    """Return two parts, a second fit of the first part, the pooled fit of the parts, and a block."""
    first, second, again = (pooled().model_copy(update={"name": n, "output": n, "part": n}) for n in ("x", "y", "x2"))
    again = again.model_copy(update={"needs": "x"})
    whole = pooled().model_copy(update={"parts": ("x2", "y")})
    return first, second, again, whole, block(0, whole.output)


def test_a_fit_waits_for_all_its_parts():
    first, second, again, whole, last = in_parts()
    queue = queue_of((first, second, again, whole, last), workers=("a", "b"), retries=0)
    assert (queue.next("a"), queue.next("b")) == (first, second)
    queue.finish("b", "y")
    assert queue.next("b") == "wait", "its other part has not begun"
    queue.finish("a", "x")
    assert queue.next("a") == again
    assert queue.next("b") == "wait"
    queue.finish("a", "x2")
    assert queue.next("b") == whole
    queue.finish("b", whole.output)
    assert queue.next("a") == last


def test_a_part_that_fails_gives_up_what_reads_it_once_and_nothing_else():
    jobs = in_parts()
    queue = queue_of((*jobs, block(1)), workers=("a",), retries=0)
    assert queue.next("a") == jobs[0]
    queue.fail("a", "no memory", final=True)
    assert list(queue.failed) == ["x", "x2", "direction/pooled", "direction/block-00000"]
    assert queue.next("a") == jobs[1]
    queue.fail("a", "no memory", final=True)
    assert queue.next("a") == block(1)
    queue.finish("a", block(1).output)
    assert queue.next("a") == "end" and queue.progress().jobs_done == 6


def test_a_need_that_no_job_meets_is_an_error():
    with pytest.raises(ValueError, match="needs 'elsewhere', which no job makes"):
        JobQueue((pooled().model_copy(update={"parts": ("elsewhere",)}),), retries=0)
    with pytest.raises(ValueError, match="needs 'elsewhere', which no job makes"):
        JobQueue((block(0, "elsewhere"),), retries=0)


def test_workers_that_cannot_load_the_code_end_the_run():
    queue = queue_of(plan(2, with_pooled=False), workers=(), retries=2)
    queue.give_up("a worker cannot load the training code")
    queue.join(Worker("late"))
    assert queue.next("late") == "end" and len(queue.failed) == 2
    assert queue.broken == "a worker cannot load the training code"


def test_a_worker_that_cannot_load_the_code_does_not_stop_the_others():
    queue = queue_of(plan(2, with_pooled=False), workers=("a",), retries=2)
    queue.give_up("a worker cannot load the training code")
    for _ in range(2):
        queue.finish("a", queue.next("a").output)
    assert queue.next("a") == "end" and not queue.failed and not queue.broken
