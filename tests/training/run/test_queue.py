"""The queue's decisions, under any order of workers asking, finishing, failing and dying."""

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
class Crew:
    """Workers that do what they are told, two a node; one that is lost is replaced by one of another name."""

    queue: JobQueue
    places: int
    names: list[str] = field(default_factory=list)
    busy: dict[int, Job] = field(default_factory=dict)
    ended: list[str] = field(default_factory=list)
    joined: int = 0
    shift: int = 0

    def __post_init__(self) -> None:
        self.names = [""] * self.places
        for place in range(self.places):
            self.replace(place)

    def replace(self, place: int) -> None:
        self.joined += 1
        self.names[place] = f"worker-{self.joined}"
        self.queue.join(Worker(self.names[place], f"node-{place // 2}", f"shift-{self.shift}"))

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
            self.queue.lose(self.names[place], cause)
        for place in places:
            self.replace(place)


@settings(max_examples=120, deadline=None)
@given(
    data=st.data(), blocks=st.integers(1, 5), shared=st.booleans(), retries=st.integers(0, 2), places=st.integers(1, 4)
)
def test_every_job_ends_exactly_once_whatever_happens(data, blocks, shared, retries, places):
    jobs = plan(blocks, shared)
    crew = Crew(JobQueue(jobs, retries), places)
    queue = crew.queue
    deeds = ["ask", "ask", "finish", "raise", "final", "die alone", "all die", "node dies", "recall"]
    for _ in range(40):
        place = data.draw(st.integers(0, places - 1))
        deed = data.draw(st.sampled_from(deeds))
        if deed == "ask" and place not in crew.busy:
            answer = crew.ask(place)
            assert answer != "wait" or crew.busy, "nothing runs, yet a worker is told to wait"
            if answer == "end":
                crew.replace(place)
        elif deed == "finish" and place in crew.busy:
            crew.finish(place)
        elif deed in ("raise", "final") and place in crew.busy:
            crew.busy.pop(place)
            queue.fail(crew.names[place], "boom", deed == "final")
        elif deed == "die alone":
            crew.die([place])
        elif deed == "all die":
            crew.die(data.draw(st.permutations(range(places))))
        elif deed == "node dies":
            crew.die([one for one in range(places) if one // 2 == place // 2], "node")
        elif deed == "recall":
            queue.recall(f"shift-{crew.shift}")
            crew.shift += 1
    for _ in range(len(jobs) * (retries + 3) * places + places):  # from here on all goes well
        for place in range(places):
            if place in crew.busy:
                crew.finish(place)
            elif crew.ask(place) == "end":
                crew.replace(place)
    assert all(queue.next(name) == "end" for name in crew.names)
    outputs = {job.output for job in jobs}
    assert queue.done | set(queue.failed) == outputs
    assert not queue.done & set(queue.failed)
    assert sorted(crew.ended) == sorted(queue.done), "each done job was finished once"
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
def test_a_killer_is_given_up_and_costs_no_other_job_a_retry(blocks, killer, retries, places, takes_all):
    """Where memory runs out, others of the node may be killed for it."""
    jobs = plan(blocks, with_pooled=False)
    bad = jobs[killer % blocks].output
    crew = Crew(JobQueue(jobs, retries), places)
    deaths = 0
    while any([crew.ask(place) != "end" for place in range(places) if place not in crew.busy]) or crew.busy:
        at = [place for place, job in crew.busy.items() if job.output == bad]
        if at:
            deaths += 1
            crew.die([one for one in range(places) if (takes_all and one // 2 == at[0] // 2) or one == at[0]])
        else:
            for place in list(crew.busy):
                crew.finish(place)
    assert deaths == retries + 3, "twice in company, then alone on its node until the retries are used up"
    assert crew.queue.failed == {bad: crew.queue.failed[bad]}
    assert "its worker process died" in crew.queue.failed[bad]
    assert crew.queue.done == {job.output for job in jobs} - {bad}
    assert not crew.queue._tried.keys() - {bad}


@given(deaths=st.integers(1, 20))
def test_a_shift_that_ends_under_a_job_is_nobodys_fault(deaths):
    crew = Crew(JobQueue(plan(1, with_pooled=False), retries=0), places=1)
    for _ in range(deaths):
        assert crew.ask(0) == "job"
        crew.die([0], "shift")
    crew.ask(0)
    crew.finish(0)
    assert not crew.queue.failed and not crew.queue._suspects


def test_two_nodes_that_die_are_nobodys_fault_and_a_job_that_kills_node_after_node_is_found_out():
    crew = Crew(JobQueue(plan(2, with_pooled=False), retries=1), places=1)
    for deaths in range(1, 6):
        while crew.ask(0) == "job" and crew.busy[0].output != "direction/block-00000":
            crew.finish(0)
        assert not crew.queue.failed and bool(crew.queue._suspects) == (deaths > 3)
        crew.die([0], "node")
    assert crew.queue.failed == {"direction/block-00000": f"{DIED}; tried 2 times"}
    while crew.ask(0) == "job":
        crew.finish(0)
    assert crew.queue.done == {"direction/block-00001"}


def test_an_exception_is_tried_again_and_then_reported():
    queue = queue_of(plan(1, with_pooled=False), retries=2)
    for _ in range(3):
        assert isinstance(queue.next("a"), Job)
        queue.fail("a", "ValueError: no")
    assert queue.next("a") == "end"
    assert queue.failed == {"direction/block-00000": "ValueError: no; tried 3 times"}


def test_the_datas_fault_is_not_tried_again():
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
    queue.lose("far")
    assert queue.next("a") == jobs[1]
    assert queue.next("b") == jobs[2]
    assert queue.next("c") == jobs[3]
    queue.finish("c", jobs[3].output)
    assert queue.next("c") == jobs[0], "one death may be anyone's fault"
    queue.lose("c")
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


def test_a_late_word_from_a_worker_that_is_lost_changes_nothing():
    jobs = plan(2, with_pooled=False)
    queue = queue_of(jobs, retries=0)
    queue.next("a")
    queue.lose("a")
    assert queue.next("b") == jobs[1]
    queue.finish("a", jobs[0].output)
    queue.fail("a", "no")
    assert queue.progress().running == ("direction/block-00001",)
    assert not queue.done and not queue.failed
    assert queue.next("a") == "end", "it is told to end, for its job is another's"


def test_asking_twice_gives_the_same_job():
    queue = queue_of(plan(2, with_pooled=False), retries=0)
    assert queue.next("a") == queue.next("a")
    assert queue.next("a") != queue.next("b")


def test_who_is_recalled_finishes_and_who_comes_later_goes_on():
    jobs = plan(3, with_pooled=False)
    queue = queue_of(jobs, workers=("a", "b"), retries=0)
    assert queue.next("a") == jobs[0]
    queue.recall("")
    queue.join(Worker("late", "one"))
    queue.join(Worker("new", "another", "next shift"))
    assert queue.next("late") == "end", "it belongs to those who were recalled"
    assert queue.next("b") == "end"
    assert queue.next("a") == jobs[0], "it asked again before it was done"
    queue.finish("a", jobs[0].output)
    assert queue.next("a") == "end"
    assert [worker.name for worker in queue.crew()] == ["new"]
    assert queue.next("new") == jobs[1]
    progress = queue.progress()
    assert (progress.waiting, progress.nodes, progress.done_on) == (1, {"another": 1}, {"one": 1})


def test_what_is_done_before_is_not_done_again():
    jobs = plan(2, with_pooled=True)
    queue = queue_of(jobs, retries=0, done={jobs[0].output, jobs[1].output})
    assert queue.next("a") == jobs[2]
    assert queue.progress().jobs_done == 2


def test_a_need_that_no_job_meets_is_refused_at_once():
    with pytest.raises(ValueError, match="needs 'elsewhere', which no job makes"):
        JobQueue((block(0, "elsewhere"),), retries=0)


def test_workers_that_cannot_load_the_code_end_the_run():
    queue = queue_of(plan(2, with_pooled=False), workers=(), retries=2)
    queue.give_up("a worker cannot load the training code")
    queue.join(Worker("late"))
    assert queue.next("late") == "end" and len(queue.failed) == 2
    assert queue.broken == "a worker cannot load the training code"


def test_a_worker_that_cannot_load_the_code_leaves_the_others_at_work():
    queue = queue_of(plan(2, with_pooled=False), workers=("a",), retries=2)
    queue.give_up("a worker cannot load the training code")
    for _ in range(2):
        queue.finish("a", queue.next("a").output)
    assert queue.next("a") == "end" and not queue.failed and not queue.broken
