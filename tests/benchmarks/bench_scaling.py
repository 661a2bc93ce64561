"""How long ``fleetcast train`` takes and how much memory all its processes use, for more and more symbols.

``python tests/benchmarks/bench_scaling.py --bars BARS.parquet [--symbols 50,100,200] [--epochs 10] [--set a.b=c …]``

Each size is one run of the command as a user types it, both kinds, on the symbols with the most bars and an empty
store, with Ray on all cores of this machine. The last line is JSON: by size ``seconds`` of wall time from start to
exit, ``symbols_per_min`` and ``peak_gib``, the largest sum over the command's process tree of the memory each process
holds (proportional set size: shared pages count once); over sizes the ``exponent`` of seconds = c · symbolsᵉ, and
``fixed_s`` and ``per_symbol_s`` of the straight line through them.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from typing import Any

import numpy as np
import psutil
from bench_skill import longest_symbols

_SAMPLE_S = 1.0
_EPOCHS = ("epochs", "pooled_epochs")


@dataclass(frozen=True, slots=True)
class Run:
    """One training: wall seconds, peak memory of all processes, and what the command reported."""

    seconds: float
    peak_gib: float
    report: dict[str, Any]


def train(symbols: list[str], given: argparse.Namespace, store: str) -> Run:
    """Run the command on these symbols and watch its memory."""
    epochs = [f"{kind}.fit.{key}={given.epochs}" for kind in ("direction", "volatility") for key in _EPOCHS]
    command = [sys.executable, "-m", "cluster.cli", "train", "--preset", "equities", "--json", "--bars", given.bars]
    command += ["--symbols", ",".join(symbols), "--store", store]
    for override in [*epochs, *given.overrides]:
        command += ["--set", override]
    start, peak = time.perf_counter(), 0
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        while process.poll() is None:
            peak = max(peak, held_by_tree(process.pid))
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(_SAMPLE_S)
        output = process.stdout.read() if process.stdout else ""
    if process.returncode:
        raise SystemExit(f"the training of {len(symbols)} symbols ended with exit code {process.returncode}.")
    return Run(time.perf_counter() - start, peak / 2**30, json.loads(output))


def held_by_tree(pid: int) -> int:
    """Return the bytes that a process and all its descendants hold, shared pages divided among those that map them."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for one in (parent, *parent.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError):
                total += one.memory_full_info().pss
    return total


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bars", required=True, help="a Parquet file with one row per symbol and date")
    parser.add_argument("--symbols", default="50,100,200", help="how many symbols, separated by commas")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--set", action="append", default=[], dest="overrides", metavar="a.b=c")
    given = parser.parse_args()
    sizes = sorted(int(size) for size in given.symbols.split(","))
    names = longest_symbols(given.bars, max(sizes))
    runs: dict[int, Run] = {}
    for size in sizes:
        with tempfile.TemporaryDirectory() as store:
            runs[size] = run = train(names[:size], given, store)
        stages = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in run.report["seconds"].items())
        print(
            f"{run.report['symbols']['trained']} of {size} symbols in {run.seconds:.0f} s ({stages}), "
            f"{60 * size / run.seconds:.1f} symbols/min, at most {run.peak_gib:.2f} GiB, load {os.getloadavg()[0]:.1f}",
            flush=True,
        )
    figures: dict[str, Any] = {
        "seconds": {size: round(run.seconds, 1) for size, run in runs.items()},
        "symbols_per_min": {size: round(60 * size / run.seconds, 2) for size, run in runs.items()},
        "peak_gib": {size: round(run.peak_gib, 3) for size, run in runs.items()},
    }
    if len(runs) > 1:
        seconds = [run.seconds for run in runs.values()]
        slope, fixed = np.polyfit(sizes, seconds, 1)
        exponent = np.polyfit(np.log(sizes), np.log(seconds), 1)[0]
        figures |= {"exponent": round(exponent, 3), "fixed_s": round(fixed, 1), "per_symbol_s": round(slope, 3)}
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
