"""The registry with concurrent processes and after a process is killed."""

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from training.registry.blocks import Block, write_block
from training.registry.manager import ModelManager

ROOT = Path(__file__).parents[3]

PUBLISH = """
import sys
from training.registry.manager import ModelManager
store, runs = sys.argv[1], sys.argv[2].split(",")
sys.stdin.read(1)
for run in runs:
    made = ModelManager(store).publish("direction", [f"runs/{run}/b"], {"config": {"run": run}, "data_hash": "d"})
    print(made.version, made.is_new, flush=True)
"""

DIE = """
import os, sys
from training.registry.manager import ModelManager
link, left = os.link, int(sys.argv[2])
def dying_link(source, target):
    global left
    if left == 0 or target.endswith("manifest.json"):
        os.kill(os.getpid(), 9)
    left -= 1
    link(source, target)
os.link = dying_link
ModelManager(sys.argv[1]).publish("direction", ["runs/a/b", "runs/b/b"], {"config": {}, "data_hash": "d"})
"""

MOVE = """
import sys
from configs.errors import ModelError
from training.registry.manager import ModelManager
manager, number = ModelManager(sys.argv[1]), int(sys.argv[2])
versions = manager.versions("direction")
sys.stdin.read(1)
for step in range(25):
    if (step + number) % 3 == 0:
        manager.rollback("direction", f"{number}")
    else:
        manager.promote("direction", versions[(step * 7 + number) % len(versions)], f"{number}")
"""


def start(script: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(processes: list["subprocess.Popen[str]"]) -> list[str]:
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("x")
        process.stdin.flush()
    results = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), results
    return [out for out, _ in results]


@pytest.fixture
def manager(tmp_path: Path) -> ModelManager:
    return with_runs(tmp_path / "store")


@pytest.fixture(params=["disk", "s3"])
def shared(request: pytest.FixtureRequest, tmp_path: Path) -> ModelManager:
    return with_runs(request.getfixturevalue("s3") if request.param == "s3" else tmp_path / "store")


def with_runs(place: Path | str) -> ModelManager:
    made = ModelManager(place)
    for run in "abcd":
        write_block(made.store, f"runs/{run}/b", Block("direction", (run.upper(),), {}, {"run": run}))
    return made


def publish(manager: ModelManager, run: str) -> str:
    extra = {"config": {"run": run}, "data_hash": "d"}
    return manager.publish("direction", [f"runs/{run}/b"], extra).version


def test_concurrent_publishing_makes_each_version_once(shared: ModelManager) -> None:
    manager, root = shared, shared.store.uri
    outputs = finish([start(PUBLISH, root, "a,b,c"), start(PUBLISH, root, "c,b,d")])
    made = [line.split() for out in outputs for line in out.splitlines()]
    versions = manager.versions("direction")
    assert len(versions) == 4 and {version for version, _ in made} == set(versions)
    assert sorted(is_new for _, is_new in made) == ["False"] * 2 + ["True"] * 4
    stored = {manager.load_block("direction", version, 0).symbols for version in versions}
    assert stored == {("A",), ("B",), ("C",), ("D",)}


@pytest.mark.parametrize("files_placed", [0, 1, 3, 99])
def test_a_publish_that_is_killed_leaves_nothing_visible_and_no_lock(manager: ModelManager, files_placed: int) -> None:
    before = publish(manager, "c")
    process = start(DIE, manager.store.root, str(files_placed))
    process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL
    assert manager.versions("direction") == [before] and manager.latest("direction") == before
    assert len(manager.store.names("models/direction")) == 2
    after = manager.publish("direction", ["runs/a/b", "runs/b/b"], {"config": {}, "data_hash": "d"}).version
    assert manager.versions("direction") == [before, after]
    assert manager.roster("direction", after).symbols() == ["A", "B"]


def test_aliases_stay_consistent_under_concurrent_promotes_and_rollbacks(shared: ModelManager) -> None:
    manager = shared
    versions = [publish(manager, run) for run in "abcd"]
    manager.promote("direction", versions[0], "start")
    manager.promote("direction", versions[1], "start")
    finish([start(MOVE, manager.store.uri, str(number)) for number in range(3)])
    aliases = manager.aliases("direction")
    history = aliases.history
    assert aliases.champion != aliases.previous and {aliases.champion, aliases.previous} <= set(versions)
    assert {change.reason for change in history} == {"start", "0", "1", "2"}
    for earlier, later in pairwise(history):
        assert later.previous == earlier.champion
        assert later.action == "promote" or later.champion == earlier.previous
    assert (history[-1].champion, history[-1].previous) == (aliases.champion, aliases.previous)
