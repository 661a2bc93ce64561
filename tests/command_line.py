"""Ways to run the command line: in a process per command, in one process for several, and in this process."""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import NamedTuple

import pytest
from waiting import BOUND_S

ROOT = Path(__file__).parents[1]
_SHELL = """
import contextlib, io, json, sys
from cluster.cli import main
for line in sys.stdin:
    sys.argv = ["fleetcast", *json.loads(line)]
    out, err, code = io.StringIO(), io.StringIO(), 0
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        try:
            main()
        except SystemExit as ended:
            code = ended.code or 0
    print(json.dumps([code, out.getvalue(), err.getvalue()]), flush=True)
"""


class Finished(NamedTuple):
    """The exit code, stdout and stderr of a command."""

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
    """Start a command in a new session, so that a test may kill it with its children."""
    return start_fleetcast


@pytest.fixture(scope="session")
def fleetcast() -> Callable[..., Finished]:
    """Run a command in another process and wait for its end."""

    def run(*arguments: str) -> Finished:
        process = start_fleetcast(*arguments)
        out, err = process.communicate(timeout=BOUND_S)
        return Finished(process.returncode, out, err)

    return run


@contextmanager
def _shell() -> Iterator[Callable[..., Finished]]:
    process = subprocess.Popen(
        [sys.executable, "-c", _SHELL],
        cwd=ROOT,
        env={**os.environ, "NO_COLOR": "1"},
        text=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdin is not None and process.stdout is not None
    streams = process.stdin, process.stdout

    def run(*arguments: str) -> Finished:
        print(json.dumps(arguments), file=streams[0], flush=True)
        return Finished(*json.loads(streams[1].readline()))

    try:
        yield run
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="session")
def shell() -> Callable[[], AbstractContextManager[Callable[..., Finished]]]:
    """Run commands one after the other in one other process, which has this one's environment from then on.

    ``with shell() as fleetcast``: its imports, which take seconds, are done once.
    """
    return _shell


@pytest.fixture
def call(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Finished]:
    """Run a command in this process, which saves its imports, and joins the Ray of ``ray_cluster``; without signals."""
    from cluster.cli import main

    def run(*arguments: str) -> Finished:
        monkeypatch.setattr(sys, "argv", ["fleetcast", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        captured = capsys.readouterr()
        return Finished(int(ended.value.code or 0), captured.out, captured.err)

    return run
