"""How long a scan of the bot takes, how fast predictions are journaled, and whether memory grows.

``python tests/benchmarks/bench_bot.py [--symbols 500] [--bars 750] [--scans 12] [--long 1000] [--store DIR]
[--parts scan,journal,memory]``

Trains pooled models of random walks (their weights do not matter for time) in a temporary store, and runs each part in
a process of its own.

The last line is JSON:

``scan_p50_s``, ``scan_first_s``
    A scan after new bars of all symbols came into the lake: bars are read, closed ones found, forecast by both models,
    turned into signals, journaled on SQLite, and traded on paper. Median of ``--scans``, and the first one, which loads
    models.
``scan_parts_s``
    Medians of the parts: reading bars, forecasts, the market, the step, and writing it.
``idle_scan_p50_s``
    A scan without new bars.
``journal_rows_per_s``
    100,000 predictions with baselines on SQLite, in transactions of one scan (1,000 rows); they are made before. With
    ``journal_rows_per_cpu_s``, which says what a busy machine would do if it were idle.
``memory_growth``
    Share by which the process is larger after ``--long`` scans than after the tenth, of a replay of five symbols, and
    ``memory_mib`` on the way.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bot_parts import journal_part, memory_part, prepare, scan_part


def main() -> None:
    """Run the parts that are asked for, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=500)
    parser.add_argument("--bars", type=int, default=750)
    parser.add_argument("--scans", type=int, default=12)
    parser.add_argument("--long", type=int, default=1000)
    parser.add_argument("--parts", default="scan,journal,memory")
    parser.add_argument("--store", help="keep the models here; they are not trained again")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.part:
        jobs: dict[str, Callable[[], Any]] = {
            "prepare": lambda: prepare(given.store, given.symbols, given.bars, given.scans),
            "scan": lambda: scan_part(given.store, given.symbols, given.bars, given.scans),
            "journal": journal_part,
            "memory": lambda: memory_part(given.long),
        }
        print(json.dumps(jobs[given.part]()))
        return
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        store = given.store or f"{folder}/store"
        parts = given.parts.split(",")
        for part in (["prepare"] if "scan" in parts and not Path(store).exists() else []) + parts:
            command = [sys.executable, __file__, "--part", part, "--store", store, "--symbols", str(given.symbols)]
            command += ["--bars", str(given.bars), "--scans", str(given.scans), "--long", str(given.long)]
            run = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, env=dict(os.environ))
            print(part, run.stdout.strip().splitlines()[-1], flush=True)
            found |= json.loads(run.stdout.strip().splitlines()[-1]) or {}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
