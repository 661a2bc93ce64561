"""Log lines of a command and of its Ray workers: on stderr, in one format, only when they are asked for."""

import re
import subprocess
import sys

import pytest
from waiting import BOUND_S

pytestmark = pytest.mark.slow

RENDER = ("manifests", "render", "serve", "--store", "s3://bucket/store")
LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (DEBUG|INFO) (configs|features|cluster)\.[\w.]+: .+")
ON_A_WORKER = """
import io, sys, threading
import ray
from cluster.session import connect
from configs.logs import configure_logging

arrived = threading.Event()

class Stderr(io.TextIOBase):
    def write(self, text):
        sys.__stderr__.write(text)
        if "fitted" in text:
            arrived.set()

def work():
    import logging
    logging.getLogger("training.run.worker").info("fitted")

sys.stderr = Stderr()
configure_logging(verbose=True)
with connect(cpus=1):
    ray.get(ray.remote(work).remote())
    assert arrived.wait(900)
"""


def test_a_command_logs_to_stderr_only_when_it_is_asked_to(fleetcast, monkeypatch):
    silent = fleetcast(*RENDER)
    assert silent.code == 0 and silent.err == ""
    monkeypatch.setenv("FLEETCAST_LOG", "DEBUG")
    verbose = fleetcast(*RENDER)
    assert verbose.out == silent.out
    assert verbose.err and all(LINE.fullmatch(line) for line in verbose.err.splitlines()), verbose.err


def test_an_unknown_level_is_one_line(fleetcast, monkeypatch):
    monkeypatch.setenv("FLEETCAST_LOG", "LOUD")
    done = fleetcast("data", "list")
    assert done.code == 2 and done.err.startswith("error: FLEETCAST_LOG='LOUD'") and done.err.count("\n") == 1


def test_a_workers_lines_reach_the_stderr_of_its_driver():
    done = subprocess.run([sys.executable, "-c", ON_A_WORKER], capture_output=True, text=True, timeout=BOUND_S)
    assert done.returncode == 0, done.stderr
    assert re.search(r"^\(work pid=\d+\) \S+ \S+ INFO training\.run\.worker: fitted$", done.stderr, re.MULTILINE)
    assert re.search(r" INFO cluster\.session: connected to Ray; its head is ", done.stderr)
    assert done.stdout == ""
