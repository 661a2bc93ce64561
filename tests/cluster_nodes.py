"""Nodes of a Ray cluster that tests start and kill: in network namespaces, or on loopback."""

import os
import secrets
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
from ray.cluster_utils import Cluster

from cluster.local_start import PATIENT

ROOT = Path(__file__).parents[1]
MEMORY = 80 * 2**20
# A busy machine takes minutes for what Ray expects in one.
ENVIRONMENT = {**PATIENT, "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "600", "RAY_worker_register_timeout_seconds": "600"}


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


def _started(command: tuple[str, ...], environment: dict[str, str], **streams) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, start_new_session=True, **streams
    )


def suspend(process: psutil.Process) -> None:
    """Suspend a process at a moment at which it has no file locked, because others would wait for it."""
    while True:
        process.suspend()
        while not _is_stopped(process):
            time.sleep(0.01)
        if not _has_locked(process):
            return
        process.resume()
        time.sleep(0.01)


def _is_stopped(process: psutil.Process) -> bool:
    threads = [psutil.Process(thread.id) for thread in process.threads()] if psutil.LINUX else [process]
    return all(one.status() in (psutil.STATUS_STOPPED, psutil.STATUS_ZOMBIE) for one in threads)


def _has_locked(process: psutil.Process) -> bool:
    locks = Path("/proc/locks")  # a line "1: FLOCK ADVISORY WRITE pid …" for each; Linux only
    return locks.exists() and any(str(process.pid) in line.split() for line in locks.read_text().splitlines())


class Namespaces:
    """Nodes in network namespaces on one bridge, which is in the first."""

    def __init__(self) -> None:
        self.address, self.names = "10.77.0.1:6379", {}
        self.folders = TemporaryDirectory(prefix="fc", dir="/tmp")  # short: the paths of sockets have a limit
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
        self.environment = {**os.environ, **ENVIRONMENT, **token}

    def connect(self, *places: int) -> None:
        """Make the namespaces of these places."""
        for place in places:
            name = f"fc{os.getpid()}n{place}"
            ip("netns", "add", name)
            self.names[place] = name
            ip("-n", name, "link", "set", "lo", "up")
            if place == 1:
                ip("-n", name, "link", "add", "eth0", "type", "bridge")
            else:
                bridge, port = self.names[1], f"to{place}"
                ip("-n", bridge, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name)
                ip("-n", bridge, "link", "set", port, "master", "eth0", "up")
            ip("-n", name, "address", "add", f"10.77.0.{place}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")

    def start(self, place: int, *command: str, **streams) -> subprocess.Popen[str]:
        """Start a Python command in a namespace."""
        command = ("ip", "netns", "exec", self.names[place], sys.executable, *command)
        return _started(command, self.environment, **streams)

    def add_nodes(self, *places: int, gpus: int = 0) -> None:
        """Start nodes of one processor, and wait until all have joined."""
        nodes = []
        for place in places:
            where = (
                ["--head", "--port=6379", "--include-dashboard=false", "--no-monitor"]
                if place == 1
                else [f"--address={self.address}"]
            )
            size = ["--num-cpus=1", f"--num-gpus={gpus}", f"--object-store-memory={MEMORY}"]
            name = [f'--resources={{"place-{place}": 1}}', f"--node-ip-address=10.77.0.{place}"]
            more = (f"--temp-dir={self.folders.name}/{place}", "--include-log-monitor=false", "--block")
            ray = ("-m", "ray.scripts.scripts", "start", *where, *size, *name, *more)
            nodes.append(self.start(place, *ray, stderr=subprocess.STDOUT))
        for node in nodes:
            said = []
            while "Ray runtime started" not in (line := node.stdout.readline()):
                assert line, "".join(said)
                said.append(line)

    def processes(self, place: int) -> Iterator[psutil.Process]:
        for pid in ip("netns", "pids", self.names[place]).split():
            with suppress(psutil.NoSuchProcess):
                yield psutil.Process(int(pid))

    def kill(self, place: int) -> None:
        """Kill all processes of a node, like a power cut."""
        for process in self.processes(place):
            with suppress(psutil.NoSuchProcess):
                process.kill()

    def close(self) -> None:
        for place, name in reversed(self.names.items()):
            if name in ip("netns", "list").split():
                self.kill(place)
                ip("netns", "delete", name)
        self.folders.cleanup()


class OneAddress:
    """The same nodes on loopback."""

    def __init__(self) -> None:
        self.environment = {**os.environ, **ENVIRONMENT}
        os.environ.update(PATIENT)  # of the nodes, which this process starts
        self.cluster, self.nodes, self.address = Cluster(), {}, ""

    def start(self, place: int, *command: str, **streams) -> subprocess.Popen[str]:
        return _started((sys.executable, *command), self.environment, **streams)

    def add_nodes(self, *places: int, gpus: int = 0) -> None:
        for place in places:
            size = {"num_cpus": 1, "num_gpus": gpus, "object_store_memory": MEMORY}
            head = {"include_dashboard": False} if place == 1 else {}
            self.nodes[place] = self.cluster.add_node(**size, **head, resources={f"place-{place}": 1})
        self.address = self.cluster.address

    def processes(self, place: int) -> Iterator[psutil.Process]:
        [raylet] = self.nodes[place].all_processes["raylet"]
        found = psutil.Process(raylet.process.pid)
        yield from (found, *found.children(recursive=True))

    def kill(self, place: int) -> None:
        self.cluster.remove_node(self.nodes[place], allow_graceful=False)

    def close(self) -> None:
        self.cluster.shutdown()
