"""Decisions of the queue, for any order of workers asking, finishing, failing and dying."""

import pytest
from queue_jobs import block, plan, pooled, queue_of

from training.run.job import Job
from training.run.queue import JobQueue, Worker


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
