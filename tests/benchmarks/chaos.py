"""Kill the driver, a worker, a node and the head in turn, at random moments, and see what that costs.

``python tests/benchmarks/chaos.py [--kills 20] [--seed 7] [--nodes 3] [--victims driver,worker,node,head]``

Trains the ``smoke`` preset, a symbol a block, with ``fleetcast train --address`` on a cluster of several nodes on this
machine. A first run is left alone: its blocks and manifests are what all others must end with. Every other command is
struck once, at a moment drawn from the time that the first one took; whatever becomes of it, the next command is the
same, on the same store. Where a version is there, the command is given once more without a kill, and the next store
is begun. All the while finished blocks are watched, and versions are read whole at the moment they become visible.

The last line is JSON. Over all kills: ``lost`` blocks that were finished and are gone or changed, ``trained_twice``
those whose files were written again, ``half_versions`` visible ones that could not be read whole, ``unequal`` stores
that ended with other bytes than the first, ``failed_commands`` that neither lost their driver nor their head;
``begun_again``, by victim, the most unfinished blocks that the survivors of one command had to begin anew; and
``ended_s``, the longest that a command took to end without its head.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import shutil
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
VICTIMS = ("driver", "worker", "node", "head")


class Chaos:
    """Commands, kills, and what they did."""

    def __init__(self, folder: Path, nodes: int, chance: random.Random) -> None:
        self.folder, self.nodes, self.chance = folder, nodes, chance
        self.cluster = LocalCluster(nodes)
        self.watch = StoreWatch(folder / "store-0")
        self.stores = 0
        self.counts = dict.fromkeys(("lost", "trained_twice", "half_versions", "unequal", "failed_commands"), 0)
        self.kills: Counter[str] = Counter()
        self.begun_again: dict[str, int] = {}
        self.ended_s = 0.0

    def start(self) -> subprocess.Popen[str]:
        """Give the command."""
        command = [sys.executable, "-m", "cluster.cli", "train", "--preset", "smoke", "--store", str(self.watch.folder)]
        for setting in _SETTINGS:
            command += ["--set", setting]
        command += ["--address", self.cluster.address]
        log = (self.folder / "log").open("w")
        return subprocess.Popen(command, cwd=ROOT, env=ENVIRONMENT, stdout=log, stderr=log, text=True)

    def finish(self, command: subprocess.Popen[str]) -> tuple[int, str]:
        """Wait for a command's end, and return its exit code and what it said."""
        code = command.wait(_TIMEOUT_S)
        return code, (self.folder / "log").read_text()

    def strike(self, victim: str, after_s: float) -> None:
        """Give the command, kill the victim after that time, and note what the command made of it."""
        command = self.start()
        hit = False
        deadline = time.monotonic() + after_s
        while command.poll() is None and not hit:
            try:
                command.wait(max(deadline - time.monotonic(), 0.05))
            except subprocess.TimeoutExpired:
                hit = self.kill(victim, command)
        struck = time.monotonic()
        self.kills[victim] += hit
        code, said = self.finish(command)
        again = max((int(found) for found in re.findall(r"(\d+) jobs? restarted", said)), default=0)
        self.begun_again[victim] = max(again, self.begun_again.get(victim, 0))
        if victim == "head" and hit:
            self.ended_s = max(self.ended_s, time.monotonic() - struck)
        if code and victim not in ("driver", "head"):
            self.counts["failed_commands"] += 1
            print(said, flush=True)
        blocks = len(self.watch.blocks)
        state = "too late" if not hit else f"exit code {code}"
        print(f"{victim} after {after_s:.0f} s: {state}, {blocks} blocks finished, {again} begun again", flush=True)
        if victim == "head" and hit:
            last = said.strip().splitlines()[-1:] or ["nothing"]
            print(f"  ended {time.monotonic() - struck:.0f} s later, saying: {last[0][:200]}", flush=True)

    def kill(self, victim: str, command: subprocess.Popen[str]) -> bool:
        """Kill it, and return whether it was there."""
        if victim == "driver":
            command.kill()
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
        """Start what was killed; a new head means a new cluster."""
        if victim == "head":
            self.cluster.stop()
            self.cluster = LocalCluster(self.nodes)
        self.cluster.fill(self.nodes)

    def begin_store(self) -> None:
        """Add up what the watch has seen, and begin with an empty store."""
        self.watch.close()
        for name in ("lost", "trained_twice", "half_versions"):
            self.counts[name] += getattr(self.watch, name)
        shutil.rmtree(self.watch.folder, ignore_errors=True)
        self.stores += 1
        self.watch = StoreWatch(self.folder / f"store-{self.stores}")


def facts(watch: StoreWatch) -> tuple[dict[str, str], object]:
    """Return what two stores must have in common: blocks by name, and the manifests' hashes."""
    return {name: seen.digest for name, seen in watch.blocks.items()}, watch.hashes()


def run(chaos: Chaos, kills: int, victims: list[str], say: Callable[[str], None]) -> None:
    """Train once undisturbed, then strike until all kills are done and the last store is whole."""
    start = time.monotonic()
    code, said = chaos.finish(chaos.start())
    if code:
        raise SystemExit(said)
    whole_s = time.monotonic() - start
    chaos.watch.close()
    expected = facts(chaos.watch)
    say(f"undisturbed: {len(expected[0])} blocks in {whole_s:.0f} s on {chaos.nodes} nodes")
    chaos.begin_store()
    done = 0
    while done < kills or chaos.watch.blocks:
        if done < kills:
            victim = victims[done % len(victims)]
            before = chaos.kills.total()
            chaos.strike(victim, chaos.chance.uniform(0.0, whole_s))
            done += chaos.kills.total() > before  # a command that ended before its moment came is no kill
            chaos.repair(victim)
        if chaos.watch.is_published or done == kills:
            code, said = chaos.finish(chaos.start())
            chaos.watch.close()
            good = code == 0 and facts(chaos.watch) == expected
            chaos.counts["unequal"] += not good
            say(f"the same command again: exit code {code}, {'same bytes' if good else 'OTHER BYTES: ' + said}")
            chaos.begin_store()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--nodes", type=int, default=3)
    parser.add_argument("--victims", default=",".join(VICTIMS))
    given = parser.parse_args()
    victims = given.victims.split(",")
    if unknown := set(victims) - set(VICTIMS):
        raise SystemExit(f"--victims knows no {', '.join(sorted(unknown))}; give some of {', '.join(VICTIMS)}.")
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        chaos = Chaos(Path(folder), given.nodes, random.Random(given.seed))
        try:
            run(chaos, given.kills, victims, lambda text: print(text, flush=True))
        finally:
            chaos.cluster.stop()
            chaos.watch.close()
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
