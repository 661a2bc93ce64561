"""A failed start of Ray is repeated, and the processes that it left are killed."""

import subprocess

import psutil
import pytest
from waiting import BOUND_S

from cluster.local_start import start_patiently

pytestmark = pytest.mark.slow


def test_a_failed_start_is_repeated_and_its_processes_are_killed():
    left, unrelated = [], [subprocess.Popen(["sleep", "600"])]

    def start():
        left.append(subprocess.Popen(["raylet", "600"], executable="/bin/sleep"))
        unrelated.append(subprocess.Popen(["sleep", "600"]))
        while not psutil.Process(left[-1].pid).cmdline():  # a process has none for a moment after it was started
            pass
        if len(left) < 3:
            raise RuntimeError("The current node timed out during startup.")

    try:
        start_patiently(start, attempts=3)
        assert [process.wait(BOUND_S) for process in left[:2]] == [-9, -9]
        assert all(process.poll() is None for process in (left[2], *unrelated))
    finally:
        for process in (*left, *unrelated):
            process.kill()
            process.wait()


def test_the_last_failure_and_wrong_arguments_are_raised():
    calls = []

    def start(error):
        calls.append(error)
        raise error

    with pytest.raises(RuntimeError, match="no room"):
        start_patiently(lambda: start(RuntimeError("no room")), attempts=2)
    with pytest.raises(ValueError):
        start_patiently(lambda: start(ValueError("num_cpus")), attempts=2)
    assert len(calls) == 3
