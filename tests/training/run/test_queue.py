"""The queue's decisions, under any order of workers asking, finishing, failing and dying."""

from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.run.job import POOLED, Job
from training.run.queue import JobQueue


def block(number: int, needs: str | None = None, kind: str = "direction") -> Job:
    name = f"block-{number:05d}"
    return Job(kind=kind, name=name, output=f"{kind}/{name}", inputs=(("bars", (f"S{number}",)),), needs=needs)


def pooled(kind: str = "direction") -> Job:
    return Job(kind=kind, name=POOLED, output=f"{kind}/{POOLED}", inputs=(("bars", ("S0",)),))


def plan(blocks: int, with_pooled: bool) -> tuple[Job, ...]:
    shared = (pooled(),) if with_pooled else ()
    needs = shared[0].output if shared else None
    return (*shared, *(block(i, needs) for i in range(blocks)))


@dataclass
class Workers:
    """Ranks that do what they are told; every job's fate is decided when it is handed out."""

    queue: JobQueue
    ranks: int
    busy: dict[int, Job] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    ended: list[str] = field(default_factory=list)

    def ask(self, rank: int) -> str:
        answer = self.queue.next(rank)
        if isinstance(answer, str):
            return answer
        assert answer.output not in {job.output for job in self.busy.values()}, "one job, two workers"
        assert answer.output not in self.ended
        self.busy[rank] = answer
        self.started.append(answer.output)
        return "job"

    def finish(self, rank: int) -> None:
        job = self.busy.pop(rank)
        self.queue.finish(rank, job.output)
        self.ended.append(job.output)

    def die_and_return(self, ranks: list[int]) -> None:
        for rank in ranks:
            self.busy.pop(rank, None)
        for rank in ranks:
            self.queue.join(rank)


@settings(max_examples=120, deadline=None)
@given(
    data=st.data(), blocks=st.integers(1, 5), shared=st.booleans(), retries=st.integers(0, 2), ranks=st.integers(1, 3)
)
def test_every_job_ends_exactly_once_whatever_happens(data, blocks, shared, retries, ranks):
    jobs = plan(blocks, shared)
    workers = Workers(JobQueue(jobs, retries), ranks)
    queue = workers.queue
    for _ in range(40):
        rank = data.draw(st.integers(0, ranks - 1))
        deed = data.draw(st.sampled_from(["ask", "ask", "finish", "raise", "final", "die alone", "all die"]))
        if deed == "ask" and rank not in workers.busy:
            answer = workers.ask(rank)
            assert answer != "wait" or workers.busy, "nothing runs, yet a worker is told to wait"
            assert answer != "end" or queue.progress().jobs_done == len(jobs)
        elif deed == "finish" and rank in workers.busy:
            workers.finish(rank)
        elif deed in ("raise", "final") and rank in workers.busy:
            workers.busy.pop(rank)
            queue.fail(rank, "boom", deed == "final")
        elif deed == "die alone":
            workers.die_and_return([rank])
        elif deed == "all die":
            workers.die_and_return(data.draw(st.permutations(range(ranks))))
    for _ in range(len(jobs) * (retries + 3) * ranks + ranks):  # from here on all goes well
        for rank in range(ranks):
            if rank in workers.busy:
                workers.finish(rank)
            else:
                workers.ask(rank)
    assert all(queue.next(rank) == "end" for rank in range(ranks))
    outputs = {job.output for job in jobs}
    assert queue.done | set(queue.failed) == outputs
    assert not queue.done & set(queue.failed)
    assert sorted(workers.ended) == sorted(queue.done), "each done job was finished once"
    assert queue.progress().jobs_done == queue.progress().jobs == len(jobs)


@settings(max_examples=100, deadline=None)
@given(blocks=st.integers(2, 6), killer=st.integers(0, 5), retries=st.integers(0, 3), ranks=st.integers(1, 4))
def test_a_killer_is_given_up_and_costs_no_other_job_a_retry(blocks, killer, retries, ranks):
    """Ray restarts every worker when one dies, so each death hits whatever else was running."""
    jobs = plan(blocks, with_pooled=False)
    bad = jobs[killer % blocks].output
    workers = Workers(JobQueue(jobs, retries), ranks)
    deaths = 0
    while any(workers.ask(rank) != "end" for rank in range(ranks) if rank not in workers.busy) or workers.busy:
        if any(job.output == bad for job in workers.busy.values()):
            deaths += 1
            workers.die_and_return(list(range(ranks)))
        else:
            for rank in list(workers.busy):
                workers.finish(rank)
    assert deaths == retries + 3, "twice in company, then alone until the retries are used up"
    assert workers.queue.failed == {bad: workers.queue.failed[bad]}
    assert "its worker process died" in workers.queue.failed[bad]
    assert workers.queue.done == {job.output for job in jobs} - {bad}
    assert not workers.queue._tried.keys() - {bad}


def test_an_exception_is_tried_again_and_then_reported():
    queue = JobQueue(plan(1, with_pooled=False), retries=2)
    for _ in range(3):
        assert isinstance(queue.next(0), Job)
        queue.fail(0, "ValueError: no")
    assert queue.next(0) == "end"
    assert queue.failed == {"direction/block-00000": "ValueError: no; tried 3 times"}


def test_the_datas_fault_is_not_tried_again():
    queue = JobQueue(plan(1, with_pooled=False), retries=2)
    queue.next(0)
    queue.fail(0, "no symbol has enough bars", final=True)
    assert queue.failed == {"direction/block-00000": "no symbol has enough bars"}


def test_blocks_wait_for_the_pooled_fit_while_another_kind_runs():
    own = pooled("volatility")
    queue = JobQueue((pooled(), own, block(0, pooled().output), block(0, own.output, "volatility")), retries=0)
    assert queue.next(0) == pooled()
    assert queue.next(1) == own
    assert queue.next(2) == "wait"
    queue.finish(1, own.output)
    assert queue.next(2).output == "volatility/block-00000"


def test_dependents_of_a_failed_pooled_fit_fail_with_its_reason():
    jobs = (*plan(3, with_pooled=True), block(0, kind="volatility"))
    queue = JobQueue(jobs, retries=0)
    queue.next(0)
    queue.fail(0, "the fit diverged", final=True)
    assert {output for output in queue.failed if "direction" in output} == {job.output for job in jobs[:4]}
    assert "needs the direction models' pooled fit, which failed: the fit diverged" in queue.failed[jobs[1].output]
    assert queue.next(0) == jobs[4]
    progress = queue.progress()
    assert (progress.symbols_done, progress.symbols, progress.failed) == (3, 4, 4)


def test_a_suspect_runs_alone():
    jobs = plan(3, with_pooled=False)
    queue = JobQueue(jobs, retries=1)
    assert queue.next(0) == jobs[0]
    queue.join(0)
    assert queue.next(0) == jobs[1]
    assert queue.next(1) == jobs[2]
    assert queue.next(2) == jobs[0], "one death may be anyone's fault"
    queue.join(2)
    assert queue.next(2) == "wait", "the suspect waits until nothing else runs"
    queue.finish(0, jobs[1].output)
    queue.finish(1, jobs[2].output)
    assert queue.next(2) == jobs[0]
    assert queue.next(0) == "wait"
    queue.finish(2, jobs[0].output)
    assert queue.next(0) == "end"
    assert not queue.failed


def test_a_late_word_from_a_worker_that_was_replaced_changes_nothing():
    jobs = plan(2, with_pooled=False)
    queue = JobQueue(jobs, retries=0)
    queue.next(0)
    queue.join(0)
    assert queue.next(0) == jobs[1]
    queue.finish(0, jobs[0].output)
    assert queue.progress().running == ("direction/block-00001",)
    assert not queue.done


def test_asking_twice_gives_the_same_job():
    queue = JobQueue(plan(2, with_pooled=False), retries=0)
    assert queue.next(0) == queue.next(0)
    assert queue.next(1) != queue.next(0)


def test_what_is_done_before_is_not_done_again():
    jobs = plan(2, with_pooled=True)
    queue = JobQueue(jobs, retries=0, done={jobs[0].output, jobs[1].output})
    assert queue.next(0) == jobs[2]
    assert queue.progress().jobs_done == 2


def test_a_need_that_no_job_meets_is_refused_at_once():
    with pytest.raises(ValueError, match="needs 'elsewhere', which no job makes"):
        JobQueue((block(0, "elsewhere"),), retries=0)


def test_workers_that_cannot_load_the_code_end_the_run():
    queue = JobQueue(plan(2, with_pooled=False), retries=2)
    running = queue.next(0)
    queue.give_up("a worker cannot load the training code")
    assert queue.next(1) == "end"
    queue.finish(0, running.output)
    assert queue.done == set() and len(queue.failed) == 2
    assert queue.broken == "a worker cannot load the training code"
