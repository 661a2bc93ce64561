"""What `bench_bot` measures: scans, the journal and memory."""

from __future__ import annotations

import gc
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from conftest import random_universe  # noqa: E402

from configs.load import load_config  # noqa: E402
from configs.schema import Config  # noqa: E402
from features.store.lake import Lake  # noqa: E402
from features.store.store import Store  # noqa: E402

KINDS = ("direction", "volatility")
_MIB = 2**20
_SCANS_BETWEEN = 10  # measurements of memory


def names(symbols: int) -> list[str]:
    """Return the names of so many symbols."""
    return [f"S{i:04d}" for i in range(symbols)]


def prepare(folder: str, symbols: int, bars: int, scans: int) -> None:
    """Fill the lake up to the bars before the scans, and train both kinds."""
    from training import ModelTrainer

    store = Store(folder)
    for one in random_universe(names(symbols), bars + scans):
        Lake(store).append(one.first(bars))
    quick = [f"{kind}.fit={{pooled_epochs: 1, pooled_rows: 20000, pooled_symbols: 16}}" for kind in KINDS]
    more = ["data.bars=lake", "data.min_bars=400", "volatility.members=[boosting]"]
    trainer = ModelTrainer(load_config("equities", overrides=[*quick, *more]), store)
    trainer.train_multi_asset_models([], [], promote="always")  # both kinds, whatever they are worth


def scan_part(folder: str, symbols: int, bars: int, scans: int) -> dict[str, Any]:
    """Scan after each of so many new bars."""
    from serving import MLPredictionBot
    from serving.bot import scanner as timed

    universe = random_universe(names(symbols), bars + scans)
    now = _close(universe[0].dates[bars - 1])
    seconds: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as place:
        shutil.copytree(folder, f"{place}/store")
        store = Store(f"{place}/store")
        config = Config.model_validate({"bot": {"name": "bench"}})
        with MLPredictionBot(config=config, store=store, database=f"sqlite:///{place}/j.db", clock=lambda: now) as bot:
            _time_parts(bot.services.scanner, timed, seconds)
            began = time.perf_counter()
            bot.run_scan()
            first = time.perf_counter() - began
            seconds.clear()
            idle = []
            for count in range(bars + 1, bars + scans + 1):
                for one in universe:
                    Lake(store).append(one.first(count))
                now = _close(universe[0].dates[count - 1])
                began = time.perf_counter()
                signals = bot.run_scan()
                seconds.setdefault("scan", []).append(time.perf_counter() - began)
                assert len(signals) == symbols
                began = time.perf_counter()
                bot.run_scan()
                idle.append(time.perf_counter() - began)
    medians = {name: round(statistics.median(some), 4) for name, some in seconds.items()}
    return {
        "scan_p50_s": medians.pop("scan"),
        "scan_first_s": round(first, 3),
        "scan_parts_s": medians,
        "idle_scan_p50_s": round(statistics.median(idle), 4),
        "symbols": symbols,
        "bars": bars,
    }


def _time_parts(scanner: Any, module: Any, seconds: dict[str, list[float]]) -> None:
    """Make the parts of a scan record how long they take."""

    def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **more: Any) -> Any:
            began = time.perf_counter()
            try:
                return call(*arguments, **more)
            finally:
                seconds.setdefault(name, []).append(time.perf_counter() - began)

        return run

    for name in ("refresh", "forecasts", "market"):
        setattr(scanner.feed, name, timed(name, getattr(scanner.feed, name)))
    for name in ("record", "step", "write_step"):
        setattr(module, name, timed(name, getattr(module, name)))


def journal_part(rows: int = 100_000, together: int = 1_000) -> dict[str, Any]:
    """Journal so many predictions, as many in a transaction as a scan of 500 symbols has."""
    from serving.journal import open_journal
    from serving.journal.predictions import PredictionRow, record

    first = datetime(2020, 1, 1, tzinfo=UTC)
    made = [
        PredictionRow(
            symbol=f"S{i % 500:04d}",
            kind=KINDS[i // 500 % 2],
            bar_date=first + timedelta(days=i // 1000),
            bar_close=first + timedelta(days=i // 1000, hours=21),
            horizon_bars=1,
            version="20260101T000000Z-abcdef",
            made_at=first,
            made_by="bot:bench",
            close=100.0,
            p_down=0.3,
            p_sideways=0.4,
            p_up=0.3,
            level=0.9,
            bars_per_year=252.0,
            baselines={"prior": [0.33, 0.34, 0.33], "logistic": [0.3, 0.4, 0.3], "ewma": 1e-4},
        )
        for i in range(rows)
    ]
    with tempfile.TemporaryDirectory() as place, open_journal(f"sqlite:///{place}/j.db") as journal:
        began, began_cpu = time.perf_counter(), time.process_time()
        for start in range(0, rows, together):
            with journal.begin() as connection:
                record(connection, made[start : start + together])
        took, took_cpu = time.perf_counter() - began, time.process_time() - began_cpu
    return {"journal_rows_per_s": round(rows / took), "journal_rows_per_cpu_s": round(rows / took_cpu)}


def memory_part(scans: int, symbols: int = 5) -> dict[str, Any]:
    """Replay so many days, and compare the process with itself after the tenth."""
    import psutil

    from serving.bot.leader import lease_name
    from serving.bot.past import PastFeed
    from serving.bot.scanner import Scanner
    from serving.journal import open_journal
    from serving.journal.leases import acquire
    from training.backtesting.forecasts import OutOfSample

    bars = random_universe(names(symbols), scans + 320)
    found = OutOfSample("random forecasts", Config(), tuple(bars), random_tables(bars, 300))
    feed = PastFeed(found, load_config("smoke", overrides=["bot.name=bench"]), dict.fromkeys(found.tables, "v1"))
    process, sizes = psutil.Process(), list[int]()
    with tempfile.TemporaryDirectory() as place, open_journal(f"sqlite:///{place}/j.db") as journal:
        lease = acquire(journal, lease_name("bench"), term_s=3600.0)
        assert lease is not None
        scanner = Scanner(feed, journal, "bench", bars_per_year=feed.terms.bars_per_year)
        began = time.process_time()
        for count, date in enumerate(feed.dates[:scans], start=1):
            scanner.scan(lease, feed.clock(date))
            if count % _SCANS_BETWEEN == 0:
                gc.collect()
                sizes.append(process.memory_info().rss)
        took = time.process_time() - began
    return {
        "memory_growth": round(sizes[-1] / sizes[0] - 1.0, 4),
        "memory_mib": [round(size / _MIB, 1) for size in sizes[:: max(len(sizes) // 10, 1)]],
        "memory_scans": count,
        "memory_scan_cpu_s": round(took / count, 4),
    }


def random_tables(bars: list[Any], first: int) -> dict[str, pd.DataFrame]:
    """Return random forecasts of both kinds, of all bars from a row on but the last."""
    rng = np.random.default_rng(0)
    days = [pd.DataFrame({"symbol": one.symbol, "date": one.dates[first:-1]}) for one in bars]
    table = pd.concat(days, ignore_index=True)
    p = rng.dirichlet([20.0, 20.0, 20.0], len(table))
    variance = 1e-4 * np.exp(0.2 * rng.normal(size=len(table)))
    direction = table.assign(**{f"p_{name}": p[:, i] for i, name in enumerate(("down", "sideways", "up"))})
    ends = {"forecast": variance, "low": 0.5 * variance, "high": 2.0 * variance}
    return {"direction": direction, "volatility": table.assign(**ends)}


def _close(date: np.datetime64) -> datetime:
    found: datetime = date.astype("datetime64[us]").item()
    return found.replace(tzinfo=UTC) + timedelta(days=1)
