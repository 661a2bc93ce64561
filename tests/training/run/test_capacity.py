"""How many workers fit a cluster, and when a larger group pays: decisions without a cluster."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ClusterError
from configs.operation import RunConfig
from training.run.capacity import plan_workers, room, worth_regrouping

SMALL, LARGE = {"CPU": 1.0}, {"CPU": 8.0, "GPU": 2.0}


@pytest.mark.parametrize(
    ("given", "nodes", "jobs", "workers"),
    [
        ({}, [SMALL, LARGE], 100, 9),
        ({}, [SMALL, LARGE], 4, 4),
        ({}, [SMALL], 0, 1),
        ({"workers": 3}, [SMALL, LARGE], 100, 3),
        ({"cpus_per_worker": 3}, [SMALL, LARGE], 100, 2),
        ({"cpus_per_worker": 0.5}, [SMALL], 100, 2),
        ({"use_gpu": True}, [SMALL, LARGE], 100, 2),
        ({"use_gpu": True, "cpus_per_worker": 6}, [SMALL, LARGE], 100, 1),
    ],
)
def test_workers_are_limited_by_the_setting_the_nodes_and_the_jobs(given, nodes, jobs, workers):
    assert plan_workers(RunConfig(**given), nodes, jobs) == workers


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"workers": 10}, "10 workers of 1 CPUs do not fit the 2 nodes of the cluster \\(9 CPUs and 2 GPUs in all\\)"),
        ({"cpus_per_worker": 9}, "1 workers of 9 CPUs do not fit"),
        ({"use_gpu": True, "cpus_per_worker": 9}, "1 workers of 9 CPUs and a GPU do not fit"),
    ],
)
def test_a_request_that_can_never_be_met_is_an_error(given, says):
    with pytest.raises(ClusterError, match=says):
        plan_workers(RunConfig(**given), [SMALL, LARGE], 5)


def test_a_request_for_a_gpu_that_no_node_has_is_an_error():
    with pytest.raises(ClusterError, match=r"no GPU \(it has 1 CPUs\).*run\.use_gpu=false"):
        plan_workers(RunConfig(use_gpu=True), [SMALL], 5)


def test_a_cluster_without_nodes_has_no_room():
    assert room(RunConfig(), []) == 0


@pytest.mark.parametrize(
    ("working", "possible", "waiting", "worth"),
    [
        (2, 3, 12, True),  # six rounds become four
        (2, 3, 6, False),  # one round is what a new group costs
        (1, 2, 4, True),
        (1, 2, 1, False),
        (99, 100, 1000, False),
        (50, 100, 1000, True),
        (3, 3, 1000, False),
        (3, 2, 1000, False),
        (0, 3, 1000, False),  # no worker is ready
        (2, 100, 0, False),
    ],
)
def test_a_larger_group_must_save_two_rounds(working, possible, waiting, worth):
    assert worth_regrouping(working, possible, waiting) == worth


@given(working=st.integers(1, 200), most=st.integers(1, 400), waiting=st.integers(0, 5000))
def test_nodes_that_join_one_by_one_never_make_the_run_longer(working, most, waiting):
    """Each new group loses about one round and saves two, so all together save at least as many as they lose."""
    starts, before = 0, -(-waiting // working)
    for possible in range(working, most):
        if worth_regrouping(working, possible, waiting):
            starts, working = starts + 1, possible
    assert -(-waiting // working) + starts <= before
