"""How fast files of bars are read and imported: a folder of CSV files, one Parquet file of the same bars, minute bars.

``python tests/benchmarks/bench_import.py [--symbols 2000] [--bars-per-symbol 2500] [--minutes 2000000] [--lake]``

Synthetic prices, plain ISO dates. Each layout is read in a process of its own. The last line is JSON, by layout:
``rows_per_second``, ``per_cpu_second`` (the same over processor time, on a busy machine) and ``peak_mib`` (resident
memory). ``--lake`` appends to a lake as
``fleetcast data import`` does; without it the bars are read and dropped.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd

from features.lake_import import import_bars
from features.sources.files import FileSource
from features.store.store import Store


def write(folder: Path, symbols: int, bars: int) -> None:
    """Write the bars of all symbols as ``csv/S0000.csv`` … and as ``bars.parquet``."""
    (folder / "csv").mkdir()
    dates = pd.bdate_range("2014-01-02", periods=bars).strftime("%Y-%m-%d")
    random, frames = np.random.default_rng(0), []
    for i in range(symbols):
        close = np.round(100 * np.exp(np.cumsum(random.normal(0, 0.01, bars))), 4)
        opened = np.round(close * np.exp(random.normal(0, 0.003, bars)), 4)
        high, low = np.maximum(opened, close) + 0.01, np.minimum(opened, close) * 0.99
        prices = {"Open": opened, "High": high.round(4), "Low": low.round(4), "Close": close}
        frame = pd.DataFrame({"Date": dates, **prices, "Volume": random.integers(1, 10**8, bars)})
        frame.to_csv(folder / "csv" / f"S{i:04}.csv", index=False)
        frames.append(frame.assign(Symbol=f"S{i:04}"))
    pd.concat(frames, ignore_index=True).astype({"Symbol": "category"}).to_parquet(folder / "bars.parquet")


def write_minutes(path: Path, bars: int) -> None:
    """Write minute bars of one symbol, whose stamps have a zone: the form that needs the most memory."""
    days = pd.bdate_range("2003-01-02", periods=bars // 390 + 1).to_numpy()
    stamps = pd.DatetimeIndex((days[:, None] + np.arange(870, 1260).astype("timedelta64[m]")).ravel()[:bars])
    close = np.round(100 * np.exp(np.cumsum(np.random.default_rng(0).normal(0, 1e-4, bars))), 4)
    prices = {"Open": close, "High": close + 0.01, "Low": (close * 0.99).round(4), "Close": close}
    pd.DataFrame({"Date": stamps.strftime("%Y-%m-%dT%H:%M:%SZ"), **prices, "Volume": 100}).to_csv(path, index=False)


def measure(path: str, lake: bool) -> dict[str, float]:
    """Return the rate and the peak memory of reading ``path`` in this process."""
    started, cpu = time.perf_counter(), time.process_time()
    if lake:
        with tempfile.TemporaryDirectory() as store:
            rows = sum(item.added for item in import_bars(FileSource(path), Store(store)).appended)
    else:
        rows = sum(len(bars) for bars in FileSource(path).load())
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    per_cpu = round(rows / (time.process_time() - cpu))
    return {
        "rows": rows,
        "rows_per_second": round(rows / seconds),
        "per_cpu_second": per_cpu,
        "peak_mib": round(peak, 1),
    }


def main() -> None:
    """Measure both layouts and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--symbols", type=int, default=2000)
    parser.add_argument("--bars-per-symbol", type=int, default=2500)
    parser.add_argument("--minutes", type=int, default=2_000_000, help="bars of the file of minute bars")
    parser.add_argument("--lake", action="store_true", help="append to a lake as well")
    parser.add_argument("--folder", type=Path, help="keep the files here, and use those of an earlier run")
    parser.add_argument("--read", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read is not None:
        print(json.dumps(measure(given.read, given.lake)))
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = given.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        if not (folder / "bars.parquet").exists():
            write(folder, given.symbols, given.bars_per_symbol)
        if not (folder / "minutes.csv").exists():
            write_minutes(folder / "minutes.csv", given.minutes)
        found = {}
        for name in ("csv", "bars.parquet", "minutes.csv"):
            command = [sys.executable, __file__, "--read", str(folder / name), *(["--lake"] if given.lake else [])]
            found[name] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
            print(f"{name}: {found[name]}")
    print(json.dumps(found))


if __name__ == "__main__":
    main()
