"""The command line as a user runs it: another process, real Ray, real files."""

import json
import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import httpx2
import psutil
import pytest


class Trained(NamedTuple):
    """The undisturbed smoke run that others are compared with."""

    store: Path
    document: dict[str, Any]


@pytest.fixture(scope="session")
def trained(fleetcast: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One run of ``fleetcast train --preset smoke --json`` on Ray."""
    store = tmp_path_factory.mktemp("trained") / "store"
    done = fleetcast("train", "--preset", "smoke", "--store", str(store), "--json")
    assert done.code == 0, done.err
    return Trained(store, json.loads(done.out))


def free_ports(count: int) -> list[int]:
    """Return so many ports of loopback that nobody uses, each another one: all are held until the last is found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@contextmanager
def _head(log: Path, environment: Mapping[str, str]) -> Iterator[str]:
    patch = pytest.MonkeyPatch()
    patch.setenv("RAY_AUTH_MODE", "token")
    patch.setenv("RAY_AUTH_TOKEN", secrets.token_hex(32))
    here = Path(sys.executable).parent  # a node's `python` is the one that has the packages
    names = ("port", "dashboard-port", "dashboard-agent-listen-port")
    ports = dict(zip(names, free_ports(len(names)), strict=True))
    options = [part for name, port in ports.items() for part in (f"--{name}", str(port))]
    told = log.open("w")
    process = subprocess.Popen(
        [str(here / "ray"), "start", "--head", "--block", "--num-cpus=2", *options],
        stdout=told,
        stderr=told,
        start_new_session=True,
        env={
            **os.environ,
            "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0",
            "PATH": f"{here}:{os.environ['PATH']}",
            **environment,
        },
    )
    url = f"http://127.0.0.1:{ports['dashboard-port']}"
    try:
        for _ in range(120):
            try:
                if httpx2.get(f"{url}/api/version").status_code in (200, 401):
                    break
            except httpx2.TransportError:
                pass
            assert process.poll() is None, log.read_text()
            time.sleep(0.5)
        yield url
    finally:
        family = [process, *psutil.Process(process.pid).children(recursive=True)]
        for one in family:  # a graceful end of Ray takes half a minute
            one.kill()
        process.wait(60)
        told.close()
        patch.undo()


@pytest.fixture(scope="session")
def ray_head() -> Callable[[Path, Mapping[str, str]], AbstractContextManager[str]]:
    """Return the starter of a cluster of one node: ``with ray_head(log, environment) as job_server``.

    It asks for a token, which every process here has while it runs.
    """
    return _head
