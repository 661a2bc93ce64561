"""What a walk-forward run costs: cold, again, and with one more window of bars; alone, and on Ray.

``python tests/benchmarks/bench_walk_forward.py --bars BARS.parquet [--symbols 32] [--windows 12] [--train-window 1000]
[--test-window 63] [--kinds direction,volatility] [--preset equities]``

The symbols with the most bars, of which the last are used: so many that the windows fit, and one more. Each case runs
in a separate process, with an empty store, so libraries are imported and graphs traced in each. The last line is
JSON:

``windows``, ``fits_cold``, ``fits_warm``, ``fits_after_one_window``
    Fits of the first run, of the same command again, and with one more window of bars.
``seconds_cold``, ``seconds_warm``
    In one process, without Ray.
``ray_one_worker_vs_none``, ``two_workers_vs_one``
    Seconds on Ray with one worker over those without Ray, and with two workers over one; Ray is started before.
``per_window_vs_single_fit``
    Seconds of the cold run over those of a run with one window times the windows.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path

import numpy as np

from cluster.session import connect
from configs import load_config
from features.bars.schema import SymbolBars
from features.sources import open_source
from features.sources.given import GivenSource
from features.store.store import Store
from training.walk_forward import WalkForward


def bars_of(given: argparse.Namespace, windows: int) -> list[SymbolBars]:
    """Return the first bars of these symbols, with which so many windows can be tested."""
    everything = list(open_source(given.bars, Store(tempfile.gettempdir())).load())
    chosen = sorted(everything, key=lambda one: (-len(one), one.symbol))[: given.symbols]
    dates = np.unique(np.concatenate([one.dates for one in chosen]))
    total = given.train_window + (given.windows + 1) * given.test_window
    if len(dates) < total:
        sys.exit(f"the bars have {len(dates)} dates and {total} are needed; give fewer windows")
    first, last = dates[-total], dates[-total + given.train_window + windows * given.test_window - 1]
    cut = [(np.searchsorted(one.dates, first), np.searchsorted(one.dates, last, side="right")) for one in chosen]
    return [one.take(slice(int(a), int(b))) for one, (a, b) in zip(chosen, cut, strict=True)]


def run_case(given: argparse.Namespace) -> None:
    """Run one case in this process, and print its seconds and numbers of fits."""
    overrides = [
        f"walk_forward={{train_window: {given.train_window}, test_window: {given.test_window}}}",
        f"run.kinds=[{given.kinds}]",
        *([f"run.workers={given.workers}"] if given.workers else []),
    ]
    config = load_config(given.preset, overrides=overrides)
    with connect(cpus=given.workers) if given.workers else nullcontext():
        found = []
        for windows in map(int, given.case.split(",")):
            bars, start = bars_of(given, windows), time.perf_counter()
            walk = WalkForward(config, given.store)
            result = walk.run(walk.prepare(GivenSource(bars)))
            scores = next(iter(result.run.kinds.values()))
            seconds = round(time.perf_counter() - start, 3)
            found.append({"seconds": seconds, "fits": result.fits, "windows": len(scores.windows)})
            assert not result.failed, result.failed
    print(json.dumps(found))


def measured(given: argparse.Namespace, case: str, workers: int = 0) -> list[dict[str, float]]:
    """Run a case in a new process and an empty store: numbers of windows, one run each."""
    with tempfile.TemporaryDirectory() as store:
        command = [sys.executable, __file__, *sys.argv[1:], "--case", case, "--workers", str(workers), "--store", store]
        done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    found: list[dict[str, float]] = json.loads(done.stdout.splitlines()[-1])
    print(f"{case} windows, {workers or 'no'} Ray workers: {found}", flush=True)
    return found


def main() -> None:
    """Measure all cases and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--bars", required=True)
    parser.add_argument("--symbols", type=int, default=32)
    parser.add_argument("--windows", type=int, default=12)
    parser.add_argument("--train-window", type=int, default=1000)
    parser.add_argument("--test-window", type=int, default=63)
    parser.add_argument("--kinds", default="direction,volatility")
    parser.add_argument("--preset", default="equities")
    for hidden in ("--case", "--store"):
        parser.add_argument(hidden, help=argparse.SUPPRESS)
    parser.add_argument("--workers", type=int, default=0, help=argparse.SUPPRESS)
    given = parser.parse_args()
    given.bars = str(Path(given.bars).resolve())
    if given.case:
        run_case(given)
        return
    n = given.windows
    cold, warm, more = measured(given, f"{n},{n},{n + 1}")
    (single,) = measured(given, "1")
    (one,), (two,) = measured(given, str(n), 1), measured(given, str(n), 2)
    print(
        json.dumps(
            {
                "windows": cold["windows"],
                "fits_cold": cold["fits"],
                "fits_warm": warm["fits"],
                "fits_after_one_window": more["fits"],
                "seconds_cold": cold["seconds"],
                "seconds_warm": warm["seconds"],
                "ray_one_worker_vs_none": round(one["seconds"] / cold["seconds"], 3),
                "two_workers_vs_one": round(two["seconds"] / one["seconds"], 3),
                "per_window_vs_single_fit": round(cold["seconds"] / (n * single["seconds"]), 3),
            }
        )
    )


if __name__ == "__main__":
    main()
