"""A Ray cluster of several nodes on this machine, each of which can be killed abruptly, as by a power cut."""

from __future__ import annotations

import contextlib
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path

import psutil

from cluster.ports import free_port

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    **os.environ,
    "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
    "RAY_AUTH_MODE": "token",
    "RAY_AUTH_TOKEN": secrets.token_hex(32),
    "RAY_raylet_start_wait_time_s": "180",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "NO_COLOR": "1",
}
_STARTED = "Ray runtime started"


class Node:
    """A node of one processor, in a child process."""

    def __init__(self, address: str, is_head: bool) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="fc", dir="/tmp", ignore_cleanup_errors=True)
        host, _, port = address.rpartition(":")
        where = (
            ["--head", f"--port={port}", "--include-dashboard=false", f"--ray-client-server-port={free_port()}"]
            if is_head
            else [f"--address={address}"]
        )
        command = [sys.executable, "-m", "ray.scripts.scripts", "start", *where, f"--node-ip-address={host}"]
        command += ["--num-cpus=1", "--object-store-memory=100000000", f"--temp-dir={self._folder.name}"]
        command += [f"--dashboard-agent-listen-port={free_port()}", "--min-worker-port=0", "--max-worker-port=0"]
        self._log = Path(self._folder.name) / "start.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [*command, "--block"], cwd=ROOT, env=ENVIRONMENT, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self) -> None:
        """Wait until the node runs."""
        while _STARTED not in (output := self._log.read_text()):
            if self._process.poll() is not None:
                raise SystemExit(f"a node did not start:\n{output}")
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(0.2)

    def processes(self) -> list[psutil.Process]:
        """Return all processes of the node."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return [own := psutil.Process(self._process.pid), *own.children(recursive=True)]
        return []

    def kill(self) -> None:
        """Kill all processes of the node."""
        for process in self.processes():
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._process.wait()
        self._folder.cleanup()


class LocalCluster:
    """A head and other nodes; killed nodes can be replaced."""

    def __init__(self, nodes: int) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        self.head = Node(self.address, is_head=True)
        self.others: list[Node] = []
        self.head.wait()
        self.fill(nodes)

    def fill(self, nodes: int) -> None:
        """Start nodes until there are this many, including the head."""
        fresh = [Node(self.address, is_head=False) for _ in range(nodes - 1 - len(self.others))]
        for node in fresh:
            node.wait()
        self.others += fresh

    def workers(self) -> list[psutil.Process]:
        """Return the processes of training workers."""
        found = []
        for node in (self.head, *self.others):
            for process in node.processes():
                with contextlib.suppress(psutil.NoSuchProcess):
                    if "RayTrainWorker" in " ".join(process.cmdline()):
                        found.append(process)
        return found

    def stop(self) -> None:
        """Kill all nodes."""
        for node in (*self.others, self.head):
            node.kill()
        self.others.clear()
