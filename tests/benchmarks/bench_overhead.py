"""What Ray costs: the same jobs on one Ray worker, and in one process without Ray.

``python tests/benchmarks/bench_overhead.py [--bars BARS] [--symbols 96] [--repeats 2] [--at-once] [--set a.b=c …]``

Without ``--bars`` the symbols are random walks with some memory, of 2,500 bars. Both sides do all jobs of the
``equities`` preset from an empty store, one after the other, with the same number of threads (``run.cpus_per_worker``),
by turns. Work is timed from the moment when the first job is handed out to the moment when the last one is done, as the
queue reports it (on Ray it is polled twice a second); what comes before is start-up, and is reported apart.
``--at-once`` is for machines of many cores: all runs share one time and have equal numbers of cores of their own.

The last line is JSON: ``overhead``, the median of Ray's seconds of work over the median of the other's, less one;
``seconds_ray`` and ``seconds_alone``, those medians, and ``runs_ray`` and ``runs_alone`` what they are of: the overhead
is known no better than these differ among themselves; ``startup_s`` and ``startup_alone_s``, from the call to the first
job, the import of TensorFlow included; ``end_s``, from the last job to the end of Ray; ``jobs``; and ``equal``, whether
both wrote the same bytes.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from bench_skill import longest_symbols

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from conftest import files_of_blocks, random_universe  # noqa: E402

from configs.load import load_config  # noqa: E402
from configs.schema import Config  # noqa: E402
from training.run.queue import JobQueue, Progress  # noqa: E402
from training.trainer import ModelTrainer, Prepared  # noqa: E402

_COLUMNS = ("open", "high", "low", "close", "volume")


@dataclass
class Laps:
    """When a run was called, when its first job was handed out, when its last one was done, and when all was over."""

    called: float = field(default_factory=time.perf_counter)
    first: float = 0.0
    last: float = 0.0
    over: float = 0.0

    def note(self, now: Progress) -> None:
        """Take in how far the run is."""
        if now.running and not self.first:
            self.first = time.perf_counter()
        if now.jobs_done == now.jobs and not self.last:
            self.last = time.perf_counter()


def on_ray(config: Config, store: str) -> Laps:
    """Do the jobs on one worker of a Ray that is started for it."""
    from cluster.session import connect
    from training.run.distributed import run_on_ray

    trainer, prepared, queue = made_ready(config, store)
    laps = Laps()
    with connect(cpus=len(os.sched_getaffinity(0))):
        run_on_ray(trainer.store, prepared.plan.name, queue, config.run, laps.note)
    laps.over = time.perf_counter()
    return laps


def alone(config: Config, store: str) -> Laps:
    """Do the jobs in this process."""
    trainer, prepared, queue = made_ready(config, store)
    laps = Laps()
    from training.models.fleet.threads import use_threads
    from training.run.local import run_here

    use_threads(max(1, int(config.run.cpus_per_worker)))
    run_here(trainer.store.uri, prepared.plan.name, queue, laps.note)
    laps.over = time.perf_counter()
    return laps


def made_ready(config: Config, store: str) -> tuple[ModelTrainer, Prepared, JobQueue]:
    """Return a run whose bars are read and staged."""
    trainer = ModelTrainer(config, store)
    prepared = trainer.prepare()
    return trainer, prepared, JobQueue(prepared.plan.jobs, config.run.retries)


def make_bars(symbols: int, path: str) -> None:
    """Write random walks."""
    made = random_universe([f"S{number:04d}" for number in range(symbols)], bars=2500)
    rows = [pd.DataFrame({"date": b.dates, "symbol": b.symbol} | {c: getattr(b, c) for c in _COLUMNS}) for b in made]
    pd.concat(rows).to_parquet(path)


class Run(NamedTuple):
    """One side's run."""

    name: str
    store: Path
    laps: Laps

    @property
    def work_s(self) -> float:
        """Seconds from the first job to the last."""
        return self.laps.last - self.laps.first

    @property
    def startup_s(self) -> float:
        """Seconds before."""
        return self.laps.first - self.laps.called


def keep_to(cores: list[int]) -> None:
    """Keep this process, and the threads that its imports have started, to these cores."""
    for task in os.listdir("/proc/self/task"):
        os.sched_setaffinity(int(task), cores)


def measured(config: Config, folder: str, repeats: int, at_once: bool) -> list[Run]:
    """Run both sides so many times, by turns or at once; every second pair in the other order."""
    turns, cores = 2 * repeats, sorted(os.sched_getaffinity(0))
    share = len(cores) // turns
    if at_once and share < 2:
        raise SystemExit(
            f"{turns} runs at once need {2 * turns} cores, and here are {len(cores)}: leave out --at-once."
        )

    def run(turn: int) -> Run:
        name, how = (("alone", alone), ("ray", on_ray))[(turn + turn // 2) % 2]
        store = Path(folder) / f"{name}-{turn}"
        own = cores[turn * share : (turn + 1) * share] if at_once else cores
        context = multiprocessing.get_context("spawn")  # TensorFlow's threads are fixed once a process
        with context.Pool(1, keep_to, (own,)) as pool:
            done = Run(name, store, pool.apply(how, (config, str(store))))
        took = f"in {done.work_s:.1f} s after {done.startup_s:.1f} s of start-up"
        print(f"{name}: {took}, {len(own)} cores, load {os.getloadavg()[0]:.1f}", flush=True)
        return done

    if not at_once:
        return [run(turn) for turn in range(turns)]
    with ThreadPoolExecutor(turns) as threads:
        return list(threads.map(run, range(turns)))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", help="a Parquet file with one row per symbol and date")
    parser.add_argument("--symbols", type=int, default=96)
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--at-once", action="store_true")
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="a.b=c")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if (bars := given.bars) is None:
            make_bars(given.symbols, bars := f"{folder}/bars.parquet")
        chosen = json.dumps(longest_symbols(bars, given.symbols))
        overrides = [f"data.bars={json.dumps(str(Path(bars).absolute()))}", f"data.symbols={chosen}", "run.workers=1"]
        config = load_config("equities", overrides=[*overrides, *given.overrides])
        runs = measured(config, folder, given.repeats, given.at_once)
        written = [files_of_blocks(run.store) for run in runs]
    ray, without = ([run for run in runs if run.name == name] for name in ("ray", "alone"))
    ray_s, alone_s = (statistics.median(run.work_s for run in side) for side in (ray, without))
    print(
        json.dumps(
            {
                "overhead": round(ray_s / alone_s - 1.0, 4),
                "seconds_ray": round(ray_s, 1),
                "seconds_alone": round(alone_s, 1),
                "runs_ray": [round(run.work_s, 1) for run in ray],
                "runs_alone": [round(run.work_s, 1) for run in without],
                "startup_s": round(statistics.median(run.startup_s for run in ray), 1),
                "startup_alone_s": round(statistics.median(run.startup_s for run in without), 1),
                "end_s": round(statistics.median(run.laps.over - run.laps.last for run in ray), 1),
                "jobs": sum(name.endswith(".json") for name in written[0]),
                "symbols": given.symbols,
                "at_once": given.at_once,
                "equal": all(one == written[0] for one in written),
            }
        )
    )


if __name__ == "__main__":
    main()
