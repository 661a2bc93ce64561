"""The command line as a user runs it: another process, real Ray, real files."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Finished(NamedTuple):
    """What a command left: exit code, stdout, stderr."""

    code: int
    out: str
    err: str


def start_fleetcast(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "cluster.cli", *arguments],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    """Start a command in a session of its own, so that a test may kill it."""
    return start_fleetcast


@pytest.fixture(scope="session")
def fleetcast() -> Callable[..., Finished]:
    """Run a command to its end."""

    def run(*arguments: str) -> Finished:
        process = start_fleetcast(*arguments)
        out, err = process.communicate(timeout=300)
        return Finished(process.returncode, out, err)

    return run


class Trained(NamedTuple):
    """The undisturbed smoke run that others are compared with."""

    store: Path
    document: dict[str, Any]


@pytest.fixture(scope="session")
def trained(fleetcast: Callable[..., Finished], tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """One run of ``fleetcast train --preset smoke --json`` on Ray."""
    store = tmp_path_factory.mktemp("trained") / "store"
    done = fleetcast("train", "--preset", "smoke", "--store", str(store), "--json")
    assert done.code == 0, done.err
    return Trained(store, json.loads(done.out))
