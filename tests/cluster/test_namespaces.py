"""A cluster whose nodes have addresses of their own, as on several machines: a network namespace each, and a token."""

import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HEAD = "10.77.0.1"


class Namespaces:
    """Network namespaces on one bridge; whatever runs in them ends with them."""

    def __init__(self, count: int):
        self.names = [f"fc{os.getpid()}n{number}" for number in range(1, count + 1)]
        self.folders = TemporaryDirectory(prefix="fc", dir="/tmp")  # short: sockets' paths have a limit
        self.environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": secrets.token_hex(32),
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "NO_COLOR": "1",
        }

    def build(self) -> None:
        first = self.names[0]
        for number, name in enumerate(self.names, 1):
            ip("netns", "add", name)
            ip("-n", name, "link", "set", "lo", "up")
            if name == first:
                ip("-n", name, "link", "add", "eth0", "type", "bridge")
            else:
                ip("-n", first, "link", "add", f"to{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
                ip("-n", first, "link", "set", f"to{number}", "master", "eth0", "up")
            ip("-n", name, "address", "add", f"10.77.0.{number}/24", "dev", "eth0")
            ip("-n", name, "link", "set", "eth0", "up")

    def start(self, number: int, *command: str) -> subprocess.Popen[str]:
        """Start a program of this environment in a namespace."""
        return subprocess.Popen(
            ["ip", "netns", "exec", self.names[number - 1], sys.executable, "-m", *command],
            cwd=ROOT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def start_node(self, number: int, *options: str) -> subprocess.Popen[str]:
        """Start a node of one processor; it stays in the foreground."""
        address = f"10.77.0.{number}"
        where = ["--head", "--port=6379", "--include-dashboard=false"] if number == 1 else [f"--address={HEAD}:6379"]
        size = ["--num-cpus=1", "--object-store-memory=80000000", f"--temp-dir={self.folders.name}/{number}"]
        return self.start(
            number, "ray.scripts.scripts", "start", *where, f"--node-ip-address={address}", *size, *options, "--block"
        )

    def kill(self, name: str) -> None:
        """End everything in a namespace at once, as a power cut would."""
        for pid in ip("netns", "pids", name).split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                pass

    def remove(self) -> None:
        for name in reversed(self.names):
            if name in ip("netns", "list").split():
                self.kill(name)
                ip("netns", "delete", name)
        self.folders.cleanup()


def ip(*arguments: str) -> str:
    return subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True).stdout


def read_until(process: subprocess.Popen[str], text: str) -> None:
    """Read a process' output until it says something; one that ends without it fails the test."""
    said = []
    for line in process.stdout:
        said.append(line)
        if text in line:
            return
    raise AssertionError("".join(said))


@pytest.fixture
def three_nodes() -> Iterator[Namespaces]:
    if os.geteuid() or not shutil.which("ip"):
        pytest.skip("network namespaces need root and iproute2")
    network = Namespaces(3)
    try:
        try:
            network.build()
        except subprocess.CalledProcessError as error:
            pytest.skip(f"network namespaces cannot be made here: {error.stderr.strip()}")
        read_until(network.start_node(1), "Ray runtime started")
        others = [network.start_node(2, "--num-gpus=1"), network.start_node(3)]
        for one in others:
            read_until(one, "Ray runtime started")
        yield network
    finally:
        network.remove()


def start_until_three_work(nodes, options, folder) -> tuple[subprocess.Popen[str], Path]:
    """Start a run and return it with its store when workers of all three nodes are at work.

    The jobs are short: where processors are scarce, one worker does them all while the others still load TensorFlow.
    Such a run shows nothing, so another one is started in a new store.
    """
    for attempt in range(4):
        store = folder / f"store-{attempt}"
        train = nodes.start(1, "cluster.cli", "train", *options, "--store", str(store), "--address", f"{HEAD}:6379")
        try:
            read_until(train, "3 workers on 3 nodes")
        except AssertionError as error:
            assert train.wait() == 0, error
        else:
            return train, store
    raise AssertionError("in none of four runs did workers of all three nodes work at one time")


def test_a_run_over_three_addresses_survives_the_loss_of_one(three_nodes, undisturbed, tmp_path):
    settings = tmp_path / "settings.yaml"
    settings.write_text(undisturbed.config.model_dump_json())
    train, store = start_until_three_work(three_nodes, ["--preset", "smoke", "--config", str(settings)], tmp_path)
    pause = threading.Event()
    while len(list(store.glob("runs/direction-*/block-*.json"))) < 3:  # until the pooled fit is over, others wait
        assert train.poll() is None, train.communicate()[0]
        pause.wait(0.1)
    three_nodes.kill(three_nodes.names[2])
    out, _ = train.communicate(timeout=300)
    assert train.returncode == 0, out
    assert "2 workers on 2 nodes; 1 job restarted after a worker died" in out, out
    undisturbed.equals(store)
