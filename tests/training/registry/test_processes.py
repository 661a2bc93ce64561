"""The registry with concurrent processes and after a process is killed."""

import os
import signal
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from waiting import BOUND_S

from training.registry.blocks import Block, write_block
from training.registry.manager import ModelManager

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[3]

FORK = """
import os, sys, traceback
from training.registry.manager import ModelManager
{work}
children = []
for arguments in sys.argv[1:]:
    if (child := os.fork()) == 0:
        try:
            work(*arguments.split(" "))
        except BaseException:
            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    children.append(child)
print("ended", *(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""

PUBLISH = """
def work(store, runs):
    for run in runs.split(","):
        made = ModelManager(store).publish("direction", [f"runs/{run}/b"], {"config": {"run": run}, "data_hash": "d"})
        print(made.version, made.is_new, flush=True)
"""

DIE = """
def work(store, left):
    link, left = os.link, int(left)
    def dying_link(source, target):
        nonlocal left
        if left == 0 or target.endswith("manifest.json"):
            os.kill(os.getpid(), 9)
        left -= 1
        link(source, target)
    os.link = dying_link
    ModelManager(store).publish("direction", ["runs/a/b", "runs/b/b"], {"config": {}, "data_hash": "d"})
"""

MOVE = """
def work(store, number):
    manager, number = ModelManager(store), int(number)
    versions = manager.versions("direction")
    for step in range(25):
        if (step + number) % 3 == 0:
            manager.rollback("direction", f"{number}")
        else:
            manager.promote("direction", versions[(step * 7 + number) % len(versions)], f"{number}")
"""


def processes(work: str, *arguments: tuple[str, str]) -> tuple[list[str], list[int]]:
    """Do work in one process per pair of arguments at the same time; return the lines printed and the exit codes."""
    done = subprocess.run(
        [sys.executable, "-c", FORK.replace("{work}", work), *(" ".join(pair) for pair in arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=BOUND_S,
    )
    *lines, last = done.stdout.splitlines() or [""]
    assert last.startswith("ended "), done.stderr
    return lines, [int(code) for code in last.split()[1:]]


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
    lines, codes = processes(PUBLISH, (root, "a,b,c"), (root, "c,b,d"))
    assert codes == [0, 0]
    made = [line.split() for line in lines]
    versions = manager.versions("direction")
    assert len(versions) == 4 and {version for version, _ in made} == set(versions)
    assert sorted(is_new for _, is_new in made) == ["False"] * 2 + ["True"] * 4
    stored = {manager.load_block("direction", version, 0).symbols for version in versions}
    assert stored == {("A",), ("B",), ("C",), ("D",)}


def test_a_publish_that_is_killed_leaves_nothing_visible_and_no_lock(tmp_path: Path) -> None:
    managers = {placed: with_runs(tmp_path / str(placed)) for placed in (0, 1, 3, 99)}
    before = {placed: publish(manager, "c") for placed, manager in managers.items()}
    _, codes = processes(DIE, *((manager.store.root, str(placed)) for placed, manager in managers.items()))
    assert codes == [-signal.SIGKILL] * 4
    for placed, manager in managers.items():
        first = before[placed]
        assert manager.versions("direction") == [first] and manager.latest("direction") == first, placed
        assert len(manager.store.names("models/direction")) == 2
        after = manager.publish("direction", ["runs/a/b", "runs/b/b"], {"config": {}, "data_hash": "d"}).version
        assert manager.versions("direction") == [first, after], placed
        assert manager.roster("direction", after).symbols() == ["A", "B"]


def test_aliases_stay_consistent_under_concurrent_promotes_and_rollbacks(shared: ModelManager) -> None:
    manager = shared
    versions = [publish(manager, run) for run in "abcd"]
    manager.promote("direction", versions[0], "start")
    manager.promote("direction", versions[1], "start")
    assert processes(MOVE, *((manager.store.uri, str(number)) for number in range(3)))[1] == [0, 0, 0]
    aliases = manager.aliases("direction")
    history = aliases.history
    assert aliases.champion != aliases.previous and {aliases.champion, aliases.previous} <= set(versions)
    assert {change.reason for change in history} == {"start", "0", "1", "2"}
    for earlier, later in pairwise(history):
        assert later.previous == earlier.champion
        assert later.action == "promote" or later.champion == earlier.previous
    assert (history[-1].champion, history[-1].previous) == (aliases.champion, aliases.previous)
