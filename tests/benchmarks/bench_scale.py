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
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from scale_model import Costs, first_bottleneck, forecast, limits, line
from scale_parts import BLOCK, driver, make_bars, publisher, queued, trained, worker

from training.run.job import POOLED, TESTED

_FITTED, _CHECKED = 128, 192  # as many fitted as a pooled fit samples
_PUBLISHED = (20, 100)
_SIZES, _WORKERS = (10_000, 100_000, 1_000_000), (1, 10, 100, 1000)
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
        first = [lap for lap in done["laps"] if lap[1] in (TESTED, POOLED)]  # one after the other, before the blocks
        blocks = [lap for lap in done["laps"] if lap[1] not in (TESTED, POOLED)]
        second = {lap[0]: lap for lap in blocks}  # the last of each kind: nothing is traced any more
        count = _FITTED // BLOCK
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
            pooled_s=tuple(sum(lap[2] for lap in first if lap[0] == kind) for kind in second),
            block_s=sum(lap[2] for lap in second.values()),
            block_symbols=BLOCK,
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


if __name__ == "__main__":
    main()
