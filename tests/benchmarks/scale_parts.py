"""What `bench_scale` measures, each part in a process of its own: driver, worker, publication, queue, training."""

from __future__ import annotations

import json
import os
import re
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

BLOCK = 32  # symbols
_FILE_SYMBOLS = 250
_EPOCHS = [f"{kind}.fit.{key}=5" for kind in ("direction", "volatility") for key in ("epochs", "pooled_epochs")]
_SPLIT = "split={train_end: null, valid_end: null, test_start: null, test_end: null, valid_fraction: 0.2}"
_WRITES = ("write", "create", "update", "copy")


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
    given = [f"data.bars={json.dumps(bars)}", f"data.symbols={names}", f"run.block_symbols={BLOCK}", _SPLIT, *_EPOCHS]
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

    names = tuple(tuple(f"S{i}-{j}" for j in range(BLOCK)) for i in range(jobs))
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
