"""What 10,000 and 1,000,000 symbols take on many workers, from parts measured here, and what gives out first.

``python tests/benchmarks/bench_scale.py [--symbols 500,2000] [--bars 1000] [--check 1,2,4] [--usd 0.04]``

Bars are made: random walks in Parquet files of 250 symbols. Measured are the driver's preparing (reading and checking
files, staging, the universe's table) and its memory at two sizes, publishing at two numbers of blocks, jobs on a
worker, calls of the queue's actor, and requests to the store. A model of straight lines (``scale_model.py``) adds them
up. It is checked against real runs on Ray with each of ``--check`` workers: on this machine's cores, so more workers
than cores show overheads and no speed-up; what starting Ray and Train takes is fitted to the first of these runs.

The last line is JSON: ``predicted`` by symbols and workers (hours, USD at ``--usd`` a core and hour, utilisation),
``check`` (seconds measured and predicted by workers), ``first_bottleneck`` and ``limits`` by symbols, and ``costs``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from scale_model import Costs, first_bottleneck, forecast, limits, line

_FILE_SYMBOLS, _FITTED, _CHECKED, _BLOCK = 250, 128, 192, 32  # as many fitted as a pooled fit samples
_PUBLISHED = (20, 100)
_EPOCHS = [f"{kind}.fit.{key}=5" for kind in ("direction", "volatility") for key in ("epochs", "pooled_epochs")]
_SPLIT = "split={train_end: null, valid_end: null, test_start: null, test_end: null, valid_fraction: 0.2}"
_WRITES = ("write", "create", "update", "copy")
_SIZES, _WORKERS = (10_000, 100_000, 1_000_000), (1, 10, 100, 1000)


def make_bars(folder: Path, symbols: int, bars: int) -> str:
    """Write random walks, and return the folder."""
    folder.mkdir(parents=True)
    dates = np.busday_offset("2015-01-01", np.arange(bars), roll="forward").astype("datetime64[ns]")
    for start in range(0, symbols, _FILE_SYMBOLS):
        names = [f"SYM{i:07d}" for i in range(start, min(start + _FILE_SYMBOLS, symbols))]
        rng = np.random.default_rng(start)
        close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, (len(names), bars)), axis=1))
        opened = close * np.exp(rng.normal(0.0, 0.002, close.shape))
        columns = {
            "symbol": pa.array(np.repeat(names, bars)),
            "date": pa.array(np.tile(dates, len(names))),
            "open": opened.ravel(),
            "high": (np.maximum(opened, close) * 1.003).ravel(),
            "low": (np.minimum(opened, close) * 0.997).ravel(),
            "close": close.ravel(),
            "volume": np.exp(rng.normal(12.0, 0.4, close.size)),
        }
        pq.write_table(pa.table(columns), folder / f"{start:07d}.parquet")
    return str(folder)


def configured(bars: str, symbols: int, *more: str) -> Any:
    """Return the configuration of all runs here: the preset for many symbols, with few epochs."""
    from configs.load import load_config

    names = json.dumps([f"SYM{i:07d}" for i in range(symbols)])
    given = [f"data.bars={json.dumps(bars)}", f"data.symbols={names}", f"run.block_symbols={_BLOCK}", _SPLIT, *_EPOCHS]
    return load_config("equities", overrides=[*given, *more])


def driver(bars: str, symbols: int, store: str) -> dict[str, float]:
    """Prepare a run; seconds, and the peak of memory above what an idle driver has."""
    from training.trainer import ModelTrainer

    trainer = ModelTrainer(configured(bars, symbols), store)
    before, start = _peak_mib(), time.perf_counter()
    trainer.prepare()
    return {"seconds": time.perf_counter() - start, "mib": _peak_mib() - before, "base_mib": before}


def worker(bars: str, symbols: int, store: str) -> dict[str, Any]:
    """Do every job of a run in this process; seconds by job, and calls of the store for each block."""
    start = time.perf_counter()
    from features.store.local_files import LocalFiles
    from training.run.local import run_here
    from training.run.queue import JobQueue
    from training.trainer import ModelTrainer

    imported = time.perf_counter() - start
    calls = Counter[str]()
    for name in _WRITES:
        _count(LocalFiles, name, calls)
    trainer = ModelTrainer(configured(bars, symbols), store)
    plan = trainer.prepare().plan
    laps: list[tuple[str, str, float, int]] = []
    last = time.perf_counter()

    class Watched(JobQueue):
        def finish(self, name: str, output: str) -> None:
            nonlocal last
            super().finish(name, output)
            now = time.perf_counter()
            job = next(job for job in self.jobs if job.output == output)
            laps.append((job.kind, job.name, now - last, sum(calls.values())))
            calls.clear()
            last = now

    calls.clear()
    run_here(store, plan.name, Watched(plan.jobs, 0), lambda progress: None)
    return {"import_s": imported, "laps": laps}


def publisher(store: str, blocks: int) -> dict[str, float]:
    """Publish copies of a fitted block under other names, both kinds; seconds and the manifest's bytes."""
    from dataclasses import replace

    from features.store.store import Store
    from training.registry.blocks import read_block, write_block
    from training.registry.layout import manifest_path
    from training.registry.manager import ModelManager

    place, seconds, size = Store(store), 0.0, 0
    for folder in sorted(name for name in place.names("runs") if "-" in name and not name.startswith("copies")):
        first = next(name for name in place.names(f"runs/{folder}") if name.startswith("block") and ".json" in name)
        block = read_block(place, f"runs/{folder}/{first.removesuffix('.json')}")
        prefixes = []
        for number in range(blocks):
            names = tuple(f"C{number:05d}-{i}" for i in range(len(block.symbols)))
            prefixes.append(f"runs/copies-{folder}/block-{number:05d}")
            write_block(place, prefixes[-1], replace(block, symbols=names))
        manager, start = ModelManager(place), time.perf_counter()
        extra = {"config": {"copies": blocks}, "data_hash": "d"}
        made = manager.publish(block.kind, prefixes, extra)
        seconds += time.perf_counter() - start
        size += place.size(manifest_path(block.kind, made.version))
    return {"seconds": seconds, "bytes": size, "mib": _peak_mib()}


def queued(jobs: int) -> dict[str, float]:
    """Return seconds of a look at a queue's progress, with this many jobs, and of a call of the actor."""
    import ray

    from cluster.session import connect
    from training.run.job import Job
    from training.run.queue import JobQueue, Worker

    names = tuple(tuple(f"S{i}-{j}" for j in range(_BLOCK)) for i in range(jobs))
    made = tuple(
        Job(kind="direction", name=f"block-{i:05d}", output=f"runs/x/{i}", inputs=(("bars", own),))
        for i, own in enumerate(names)
    )
    queue = JobQueue(made, 2)
    start = time.perf_counter()
    for _ in range(20):
        queue.progress()
    looked = (time.perf_counter() - start) / 20
    with connect(cpus=1):
        actor: Any = ray.remote(num_cpus=0)(JobQueue).remote(made[:200], 2)
        ray.get(actor.join.remote(Worker("only")))
        start = time.perf_counter()
        for i in range(200):
            ray.get(actor.next.remote("only"))
            ray.get(actor.finish.remote("only", f"runs/x/{i}"))
        called = (time.perf_counter() - start) / 400
    return {"progress_s": looked, "call_s": called}


def trained(bars: str, symbols: int, store: str, workers: int) -> dict[str, float]:
    """Train on Ray with so many workers on this machine's cores; seconds by stage."""
    from cluster.session import connect
    from training.trainer import ModelTrainer

    cores = os.cpu_count() or 1
    config = configured(bars, symbols, f"run.workers={workers}", f"run.cpus_per_worker={min(1.0, cores / workers)}")
    start = time.perf_counter()
    trainer = ModelTrainer(config, store)
    prepared = trainer.prepare()
    with connect():
        result = trainer.run(prepared)
        return {"seconds": time.perf_counter() - start, **result.seconds}


PARTS = {one.__name__: one for one in (driver, worker, publisher, queued, trained)}


def measured(part: str, *arguments: Any) -> Any:
    """Run a part in a process of its own, so that its memory and imports are its own."""
    command = [sys.executable, __file__, "--part", part, json.dumps(arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout.splitlines()[-1])
    print(f"{part} {arguments[1:]}: {str(found)[:300]}", flush=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--symbols", default="500,2000", help="two sizes at which the driver is measured")
    parser.add_argument("--bars", type=int, default=1000, help="bars of each symbol")
    parser.add_argument("--check", default="1,2,4", help="numbers of workers to check the prediction with")
    parser.add_argument("--usd", type=float, default=0.04, help="price of a core and hour")
    parser.add_argument("--part", nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        print(json.dumps(PARTS[given.part[0]](*json.loads(given.part[1]))))
        return
    few, many = (int(text) for text in given.symbols.split(","))
    with tempfile.TemporaryDirectory() as folder:
        bars = make_bars(Path(folder, "bars"), many, given.bars)
        small, large = (measured("driver", bars, size, f"{folder}/d{size}") for size in (few, many))
        done = measured("worker", bars, _FITTED, f"{folder}/w")
        blocks = [lap for lap in done["laps"] if lap[1] != "pooled"]
        second = {lap[0]: lap for lap in blocks}  # the last of each kind: nothing is traced any more
        count = _FITTED // _BLOCK
        tracing = sum(lap[2] for lap in blocks) - count * sum(lap[2] for lap in second.values())
        published = [measured("publisher", f"{folder}/w", count) for count in _PUBLISHED]
        queues = [measured("queued", count) for count in (1_000, 20_000)]
        costs = Costs(
            prepare_s=line((few, small["seconds"]), (many, large["seconds"])),
            memory_mib=line((few, small["base_mib"] + small["mib"]), (many, large["base_mib"] + large["mib"])),
            publish_s=line(*((c, p["seconds"]) for c, p in zip(_PUBLISHED, published, strict=True))),
            manifest_bytes=line(*((c, p["bytes"]) for c, p in zip(_PUBLISHED, published, strict=True))),
            start_s=0.0,
            worker_s=done["import_s"] + max(tracing, 0.0),
            pooled_s=tuple(lap[2] for lap in done["laps"] if lap[1] == "pooled"),
            block_s=sum(lap[2] for lap in second.values()),
            block_symbols=_BLOCK,
            kinds=len(second),
            writes_per_block=sum(lap[3] for lap in second.values()),
            calls_per_block=2.0 * len(second),
            call_s=queues[0]["call_s"],
            progress_s=line((500, queues[0]["progress_s"]), (10_000, queues[1]["progress_s"])),
        )
        cores, check = float(os.cpu_count() or 1), {}
        for workers in (int(text) for text in given.check.split(",")):
            seconds = measured("trained", bars, _CHECKED, f"{folder}/t{workers}", workers)
            guess = forecast(costs, _CHECKED, workers, cores, given.usd)
            row = {"measured_s": round(seconds["seconds"], 1)}
            if not check:
                costs = replace(costs, start_s=max(seconds["seconds"] - guess.total_s, 0.0))
                row["fitted_start_s"] = round(costs.start_s, 1)
            else:
                row["predicted_s"] = round(guess.total_s, 1)
            check[workers] = row
            print(f"{workers} workers: {row}", flush=True)
    predicted = {}
    for symbols in _SIZES:
        for workers in _WORKERS:
            one = forecast(costs, symbols, workers, float(workers), given.usd)
            row = {"hours": one.total_s / 3600, "usd": one.usd, "utilisation": one.utilisation}
            predicted.setdefault(symbols, {})[workers] = {name: round(value, 3) for name, value in row.items()}
    document = {
        "predicted": predicted,
        "check": check,
        "first_bottleneck": {symbols: first_bottleneck(costs, symbols) for symbols in _SIZES},
        "limits": {s: {name: round(value, 3) for name, value in limits(costs, s).items()} for s in _SIZES},
        "costs": asdict(costs),
    }
    print(json.dumps(document))


def _count(owner: type, name: str, calls: Counter[str]) -> None:
    before = getattr(owner, name)

    def counted(self: Any, *arguments: Any, **named: Any) -> Any:
        calls[name] += 1
        return before(self, *arguments, **named)

    setattr(owner, name, counted)


def _peak_mib() -> float:
    """Return this process' peak; the usage that the system reports begins with that of the process that started it."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+)", status)[1]) / 1024.0  # type: ignore[index]


if __name__ == "__main__":
    main()
