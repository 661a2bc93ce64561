"""Worker groups on a real cluster of two processors: what is free, what a killed group leaves, what is refused."""

import threading

import pytest
from waiting import wait_until

from configs.errors import ClusterError
from configs.operation import RunConfig
from features.store.store import Store
from training.run.job import Job
from training.run.queue import JobQueue

pytestmark = pytest.mark.slow

JOBS = tuple(
    Job(kind="direction", name=f"block-{i}", output=f"runs/x/{i}", inputs=(("bars", (f"S{i}",)),)) for i in range(5)
)


@pytest.fixture(autouse=True)
def no_thread_that_waits_for_ray_is_left():
    """It would read memory that Ray's end frees: SIGSEGV after all work is done."""
    yield
    assert "worker-group" not in [thread.name for thread in threading.enumerate()]


def free_cpus() -> float:
    import ray

    return ray.available_resources().get("CPU", 0.0)


def test_only_processors_that_are_free_now_count(ray_cluster):
    import ray

    from training.run.distributed import _placeable

    class Busy:  # of this function, because a worker cannot import this module
        """An actor that takes a processor."""

    for cpus, most, placeable in ((1, 5, 2), (1, 1, 1), (1, 0, 0), (0.5, 3, 3), (3, 1, 0)):
        wait_until(lambda: free_cpus() == 2)
        assert _placeable(RunConfig(cpus_per_worker=cpus), most) == placeable
    wait_until(lambda: free_cpus() == 2)
    busy = ray.remote(num_cpus=1)(Busy).remote()
    ray.get(busy.__ray_ready__.remote())
    wait_until(lambda: free_cpus() == 1)
    assert _placeable(RunConfig(), 2) == 1
    ray.kill(busy)
    wait_until(lambda: free_cpus() == 2)


def test_a_group_that_is_killed_while_it_starts_frees_its_processors(ray_cluster, tmp_path):
    import ray

    from training.run.worker_group import WorkerGroup

    wait_until(lambda: free_cpus() == 2)
    queue = ray.remote(num_cpus=0)(JobQueue).remote(JOBS, 0)
    group = WorkerGroup(Store(tmp_path), "plan", queue, RunConfig(), 2)
    wait_until(lambda: free_cpus() == 0)
    wait_until(lambda: group.kill(10) or group.has_ended(0))  # nothing happens before the controller has started
    assert isinstance(group.failure, ray.exceptions.RayActorError)
    wait_until(lambda: free_cpus() == 2)
    group.delete_files()
    assert Store(tmp_path).names("runs/ray") == []


def test_more_workers_than_the_cluster_holds_are_an_error_before_any_starts(ray_cluster, tmp_path):
    from training.run.distributed import run_on_ray

    shown = []
    with pytest.raises(ClusterError, match="3 workers of 1 CPUs do not fit the 1 nodes of the cluster"):
        run_on_ray(Store(tmp_path), "plan", JobQueue(JOBS, 0), RunConfig(workers=3), shown.append)
    assert shown == []


def test_a_failed_job_is_tried_again_and_then_reported_with_its_reason(ray_cluster, tmp_path):
    from training.run.distributed import run_on_ray

    done = run_on_ray(Store(tmp_path), "missing", JobQueue(JOBS[:1], 1), RunConfig(workers=1), lambda now: None)
    assert "the plan of run missing is no longer in" in done.failed["runs/x/0"]
    assert done.failed["runs/x/0"].endswith("; tried 2 times")


def test_a_drained_group_is_ended_before_the_next_one_starts(ray_cluster, tmp_path):
    """Ray Train takes up to 15 seconds to end a group whose workers have no jobs, and the run may end before that."""
    import ray

    from training.run.distributed import _Driver

    wait_until(lambda: free_cpus() == 2)
    queue = ray.remote(num_cpus=0)(JobQueue).remote(JOBS, 0)
    driver = _Driver(Store(tmp_path), "missing", queue, RunConfig(workers=1))
    begin = ray.get(queue.progress.remote())
    group = wait_until(lambda: driver._start(begin) or driver._group)
    wait_until(lambda: ray.get(queue.progress.remote()).failed == len(JOBS))
    group.drain()
    driver._end(group)
    assert group.has_ended(0)
    wait_until(lambda: free_cpus() == 2)
