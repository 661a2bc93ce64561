"""Kill the driver, a worker, a node and the head in turn, at random moments, and measure the loss.

``python tests/benchmarks/chaos.py [--kills 20] [--seed 7] [--nodes 3] [--after 0.5]
[--victims driver,worker,node,head,group]``

Trains the ``smoke`` preset, one symbol per block, with ``fleetcast train --address`` on a cluster of several nodes on
this machine. A ``group`` is a command without ``--address``, whose whole process group is killed. The first run is
undisturbed: all other runs must end with its blocks and manifests. Each later command suffers one kill, at a moment
drawn from the duration of the first run, and is then given again on the same store. Once the store has versions, the
command is given once more without a kill, and an empty store follows. Do not edit the code meanwhile: the names of
blocks contain its hash. Meanwhile finished blocks are watched, and
versions are read completely as soon as they are visible.

The last line is JSON, over all kills: ``lost`` finished blocks that have disappeared or changed; ``trained_twice``
blocks whose files were written again; ``half_versions`` visible versions that could not be read completely;
``unequal`` stores that ended with other bytes than the first; ``failed_commands`` whose victim was neither the driver,
nor the head, nor a group; ``begun_again``, by victim, the most unfinished blocks that one command had to start again;
and ``ended_s``, the longest time that a command took to end without its head.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from local_cluster import ENVIRONMENT, ROOT, LocalCluster
from store_watch import StoreWatch

_SETTINGS = ["run.block_symbols=1"]
for _kind in ("direction", "volatility"):
    _SETTINGS += [f"{_kind}.strategy=finetuned", f"{_kind}.fit={{epochs: 10, patience: 10}}"]
_TIMEOUT_S = 3600.0
VICTIMS = ("driver", "worker", "node", "head", "group")


class Chaos:
    """Commands, kills, and their effects."""

    def __init__(self, folder: Path, nodes: int, chance: random.Random) -> None:
        self.folder, self.nodes, self.chance = folder, nodes, chance
        self.kept = Path(tempfile.gettempdir()) / f"chaos-{os.getpid()}"
        self.cluster = LocalCluster(nodes)
        self.watch = StoreWatch(folder / "store-0")
        self.stores = 0
        self.counts = dict.fromkeys(("lost", "trained_twice", "half_versions", "unequal", "failed_commands"), 0)
        self.kills: Counter[str] = Counter()
        self.begun_again: dict[str, int] = {}
        self.ended_s = 0.0

    def start(self, victim: str = "driver") -> subprocess.Popen[str]:
        """Start the training command in a process group of its own; that of a ``group`` starts its own Ray too."""
        command = [sys.executable, "-m", "cluster.cli", "train", "--preset", "smoke", "--store", str(self.watch.folder)]
        for setting in _SETTINGS:
            command += ["--set", setting]
        if victim != "group":
            command += ["--address", self.cluster.address]
        log = (self.folder / "log").open("w")
        return subprocess.Popen(
            command, cwd=ROOT, env=ENVIRONMENT, stdout=log, stderr=log, text=True, start_new_session=True
        )

    def finish(self, command: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for a command's end, and return its exit code and output."""
        code = command.wait(_TIMEOUT_S)
        return code, (self.folder / "log").read_text()

    def strike(self, victim: str, after_s: float) -> None:
        """Start the command, kill the victim after that time, and record how the command ended."""
        command = self.start(victim)
        is_killed = False
        deadline = time.monotonic() + after_s
        while command.poll() is None and not is_killed:
            try:
                command.wait(max(deadline - time.monotonic(), 0.05))
            except subprocess.TimeoutExpired:
                is_killed = self.kill(victim, command)
        killed = time.monotonic()
        self.kills[victim] += is_killed
        code, output = self.finish(command)
        again = max((int(found) for found in re.findall(r"(\d+) jobs? restarted", output)), default=0)
        self.begun_again[victim] = max(again, self.begun_again.get(victim, 0))
        if victim == "head" and is_killed:
            self.ended_s = max(self.ended_s, time.monotonic() - killed)
        if code and victim not in ("driver", "head", "group"):
            self.counts["failed_commands"] += 1
            print(output, flush=True)
        blocks = len(self.watch.blocks)
        state = "too late" if not is_killed else f"exit code {code}"
        print(f"{victim} after {after_s:.0f} s: {state}, {blocks} blocks finished, {again} begun again", flush=True)
        if victim == "head" and is_killed:
            last = output.strip().splitlines()[-1:] or ["nothing"]
            print(f"  ended {time.monotonic() - killed:.0f} s later with: {last[0][:200]}", flush=True)

    def kill(self, victim: str, command: subprocess.Popen[str]) -> bool:
        """Kill the victim, and return whether it existed."""
        if victim == "driver":
            command.kill()
        elif victim == "group":
            os.killpg(command.pid, signal.SIGKILL)
        elif victim == "worker":
            workers = self.cluster.workers()
            if not workers:
                return False
            self.chance.choice(workers).kill()
        elif victim == "node":
            node = self.chance.choice(self.cluster.others)
            self.cluster.others.remove(node)
            node.kill()
        else:
            self.cluster.head.kill()
        return True

    def repair(self, victim: str) -> None:
        """Replace the victim; a new head means a new cluster."""
        if victim == "head":
            self.cluster.stop()
            self.cluster = LocalCluster(self.nodes)
        self.cluster.fill(self.nodes)

    def begin_store(self) -> None:
        """Add up the counts of the watch, and continue with an empty store."""
        self.watch.close()
        for name in ("lost", "trained_twice", "half_versions"):
            self.counts[name] += getattr(self.watch, name)
        shutil.rmtree(self.watch.folder, ignore_errors=True)
        self.stores += 1
        self.watch = StoreWatch(self.folder / f"store-{self.stores}")


def facts(watch: StoreWatch) -> tuple[dict[str, str], object]:
    """Return what must be equal in all stores: blocks by name, and the manifests' hashes."""
    return {name: seen.digest for name, seen in watch.blocks.items()}, watch.hashes()


def run(chaos: Chaos, kills: int, victims: list[str], after: float, report: Callable[[str], None]) -> None:
    """Train once undisturbed, then kill until all kills are done and the last store is complete."""
    start = time.monotonic()
    code, output = chaos.finish(chaos.start(victims[0]))
    if code:
        raise SystemExit(output)
    undisturbed_s = time.monotonic() - start
    chaos.watch.close()
    expected = facts(chaos.watch)
    shutil.copytree(chaos.watch.folder, chaos.kept / chaos.watch.folder.name)
    report(f"undisturbed: {len(expected[0])} blocks in {undisturbed_s:.0f} s on {chaos.nodes} nodes")
    chaos.begin_store()
    done, victim = 0, victims[0]
    while done < kills or chaos.watch.blocks:
        if done < kills:
            victim = victims[done % len(victims)]
            before = chaos.kills.total()
            chaos.strike(victim, chaos.chance.uniform(after, 1.0) * undisturbed_s)
            done += chaos.kills.total() > before  # a command that ended before that moment does not count
            chaos.repair(victim)
        if chaos.watch.is_published or done == kills:
            code, output = chaos.finish(chaos.start(victim))
            chaos.watch.close()
            found = facts(chaos.watch)
            is_equal = code == 0 and found == expected
            chaos.counts["unequal"] += not is_equal
            if other := [name for name, digest in sorted(found[0].items()) if expected[0].get(name) != digest]:
                report(f"  other bytes than in the first store: {', '.join(other)}")
                shutil.copytree(chaos.watch.folder, chaos.kept / chaos.watch.folder.name, dirs_exist_ok=True)
            report(
                f"the same command again: exit code {code}, {'same bytes' if is_equal else 'OTHER BYTES: ' + output}"
            )
            chaos.begin_store()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--after", type=float, default=0.0, help="no kill before this share of the first run's time")
    parser.add_argument("--victims", default=",".join(VICTIMS))
    given = parser.parse_args()
    victims = given.victims.split(",")
    if unknown := set(victims) - set(VICTIMS):
        raise SystemExit(f"--victims: unknown {', '.join(sorted(unknown))}; choose from {', '.join(VICTIMS)}.")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(Path(folder), given.nodes, random.Random(given.seed))
        try:
            run(chaos, given.kills, victims, given.after, lambda text: print(text, flush=True))
        finally:
            chaos.cluster.stop()
            chaos.watch.close()
    if chaos.counts["unequal"]:
        print(f"the first store and the unequal ones are in {chaos.kept}", flush=True)
    else:
        shutil.rmtree(chaos.kept, ignore_errors=True)
    minutes = round((time.monotonic() - start) / 60, 1)
    print(
        json.dumps(
            {
                "kills": dict(chaos.kills),
                **chaos.counts,
                "begun_again": chaos.begun_again,
                "ended_s": round(chaos.ended_s, 1),
                "minutes": minutes,
            }
        )
    )


if __name__ == "__main__":
    main()
