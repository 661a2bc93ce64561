"""A command ends when its cluster's head is lost, even if calls of Ray never return."""

import socket
import subprocess
import sys
import threading

import pytest
from waiting import BOUND_S

from cluster.head_watch import ended_without_head

CODE = """
import sys, threading
from cluster.head_watch import ended_without_head
with ended_without_head(sys.argv[1], "; blocks are kept", timeout_s=0.3, interval_s=0.1):
    print("watching", flush=True)
    threading.Event().wait(60)
"""


@pytest.mark.slow
def test_a_process_ends_with_one_line_when_its_head_is_lost():
    with socket.create_server(("127.0.0.1", 0)) as head:
        address = f"127.0.0.1:{head.getsockname()[1]}"
        command = [sys.executable, "-c", CODE, address]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        assert process.stdout.readline() == "watching\n"
        with pytest.raises(subprocess.TimeoutExpired):  # its head answers
            process.wait(1.0)
    _, err = process.communicate(timeout=BOUND_S)
    assert process.returncode == 2
    assert err.startswith(f"error: the Ray cluster was lost: its head at {address} has not answered") and (
        err.endswith("; blocks are kept\n") and err.count("\n") == 1
    )


def test_the_watch_stops_with_its_block():
    pause = threading.Event()
    with ended_without_head("127.0.0.1:9", "", timeout_s=1.0, interval_s=0.01):
        pause.wait(0.3)
    assert "head-watch" not in [one.name for one in threading.enumerate()]
