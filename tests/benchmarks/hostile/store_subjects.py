"""Small stores with every kind of file that decides an answer, and what is read from them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from configs import load_config
from features.bars.quarantine import COLUMNS, Quarantine
from features.bars.schema import SymbolBars
from features.store.lake import Lake
from features.store.lake_files import read_as
from features.store.store import Store
from features.universe import UniverseFacts
from serving.latest_windows import FeatureRecipe, LatestWindows
from serving.newest_bars import NewestBars
from serving.window_cache import WindowCache
from training.registry.block_files import find_pooled, is_finished, read_index
from training.registry.blocks import Block, read_block, write_block
from training.registry.manager import ModelManager
from training.registry.walk_forwards import KindScores, WalkForwardRun, WalkForwards, WindowScores
from training.run.run_plan import make_plan, read_plan, write_plan
from training.run.staging import read_staged

NAMES = ("AAA", "IBM", "MSFT")


@dataclass(frozen=True)
class Subject:
    """A store and its reader.

    Attributes
    ----------
    make
        Writes a store into a folder and returns the reader: what all of its files say, from the disk every time.
    folders
        The folders whose files are damaged; all by default.
    may_miss
        Whether the reader returns None where a file is damaged, because the file is a cache.
    """

    make: Callable[[Path], Callable[[], Any]]
    folders: tuple[str, ...] = ("",)
    may_miss: bool = False


def bars_of(symbol: str, bars: int = 260) -> SymbolBars:
    """Return a random walk of daily bars that depends on the symbol's name."""
    rng = np.random.default_rng([*symbol.encode()])
    dates = np.busday_offset("2015-01-01", np.arange(bars), roll="forward").astype("datetime64[ns]")
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, 0.01, bars)))
    volume = rng.uniform(1e5, 1e6, bars)
    return SymbolBars(symbol, dates, close, 1.01 * close, 0.99 * close, close, volume, has_range=True, has_volume=True)


def make_registry(folder: Path | str) -> Callable[[], Any]:
    """Two versions of two blocks that share arrays, their aliases, and a saved model."""
    store = Store(folder)
    for seed in (1, 2):
        run, shared = f"runs/r{seed}", np.arange(50.0)
        write_block(store, f"{run}/pooled", Block("direction", (), {"forest": shared, "w": np.ones(3)}))
        prefixes = [f"{run}/block-{symbol}" for symbol in NAMES]
        for symbol, prefix in zip(NAMES, prefixes, strict=True):
            dates = np.arange(5).astype("datetime64[D]").astype("datetime64[ns]")
            test = pa.table({"symbol": [symbol] * 5, "date": dates, "loss": np.linspace(0.0, seed, 5)})
            meta, metrics = {"config": {"run": {"seed": seed}}}, {"mcc": 0.059, "seed": seed}
            arrays = {"forest": shared, "own": np.linspace(0.0, 1.0, 40)}
            write_block(store, prefix, Block("direction", (symbol,), arrays, meta, metrics, test), share=True)
        extra = {"config": {"run": {"seed": seed}}, "data_hash": "d", "metrics": {"mcc": 0.059}}
        manager = ModelManager(store)
        version = manager.publish("direction", prefixes, extra, {"BAD": ("failed", "too short")}).version
        manager.promote("direction", version, f"better than {seed}")
    write_block(store, "saved/X/v1", Block("direction", ("X",), {"w": np.ones(20)}, {"config": {}}, {"saved": "2026"}))

    return partial(read_registry, store)


def read_registry(store: Store) -> Any:
    """Return everything that the files of :func:`make_registry` say: first the aliases and the saved model."""
    manager = ModelManager(store)
    out: list[Any] = [manager.aliases("direction"), read_block(store, "saved/X/v1")]
    for alias in ("champion", "previous"):
        version = manager.resolve("direction", alias)
        manifest, roster = manager.manifest("direction", version), manager.roster("direction", version)
        blocks = [manager.load_block("direction", version, n, test=True) for n in range(len(manifest.blocks))]
        out += [manifest, roster.table, *blocks]
    return out


def make_run(folder: Path) -> Callable[[], Any]:
    """The plan, staged bars and market file of a run, and its first finished blocks."""

    class Source:
        name, read_as = "memory", MappingProxyType({})
        missing, quarantine = MappingProxyType({}), Quarantine.empty()

        def load(self, symbols: Any = (), start: Any = None, end: Any = None) -> Any:
            yield from map(bars_of, NAMES)

    split = "split={train_end: null, valid_end: null, test_start: null, test_end: null, valid_fraction: 0.2}"
    store, config = Store(folder), load_config("smoke", overrides=[split, "run.block_symbols=2", "data.min_bars=200"])
    plan = make_plan(Source(), config, store, None)
    write_plan(store, plan)
    pooled = next(job.output for job in plan.jobs if job.name == "pooled")
    block = f"{pooled.rpartition('/')[0]}/block-x"
    write_block(store, pooled, Block("direction", (), {"forest": np.arange(50.0)}))
    write_block(store, block, Block("direction", ("A",), {"forest": np.arange(50.0), "w": np.ones(9)}), share=True)
    staged = sorted({name for job in plan.jobs for name, _ in job.inputs})

    def read() -> Any:
        if not is_finished(store, pooled) or not is_finished(store, block):
            return None
        found, universe, context = read_plan.__wrapped__(str(folder), plan.name)[1:]
        find_pooled(store, block, read_index(store, block).shared)
        arrays = [] if context is None else context.to_arrays()
        bars = [one for name in staged for one in read_staged(store, name)]
        return [found, universe.to_arrays(), arrays, bars, read_block(store, block)]

    return read


def make_lake(folder: Path | str) -> Callable[[], Any]:
    """Bars of three symbols with quarantined rows, and market series."""
    lake = Lake(Store(folder))
    for symbol in NAMES:
        rows = pd.DataFrame({"symbol": [symbol] * 3, "date": bars_of(symbol).dates[:3], "rule": "spike", "close": 1.0})
        lake.append(bars_of(symbol), Quarantine(rows.reindex(columns=list(COLUMNS))), [f"read {symbol} as daily bars"])
    series = {"date": bars_of("VIX").dates, "series": "VIX", "value": bars_of("VIX").close}
    lake.write_context(pd.DataFrame(series))

    def read() -> Any:
        lines = [read_as(lake.store, symbol) for symbol in NAMES]
        bars = [lake.read(symbol) for symbol in NAMES]
        rows = [lake.quarantine(symbol).frame for symbol in NAMES]
        return [lake.symbols(), lake.info(), lines, bars, rows, lake.read_context()]

    return read


def make_windows(folder: Path) -> Callable[[], Any]:
    """The featurised windows that a server has stored for the next one."""
    lake = Lake(Store(folder))
    for symbol in NAMES:
        lake.append(bars_of(symbol))
    config = load_config("smoke")
    newest = NewestBars(lake.store, "lake", NAMES, 250, [config])
    names = tuple(recipe_names(config, newest))
    recipe = FeatureRecipe(config, names, UniverseFacts(5, 0), frozenset(NAMES))
    cache = WindowCache(recipe, 5, frozenset(NAMES), newest, newest.stamp())
    table, note = recipe.table(newest.of_universe())
    bars = newest.of_symbols(frozenset(NAMES))
    cache.write(LatestWindows.build(recipe, 5, bars, frozenset(NAMES), table, None, note))

    def read() -> Any:
        found = cache.read()
        return found and [found.features, found.history, found.table.to_arrays(), found.note, newest.missing]

    return read


def make_walk(folder: Path) -> Callable[[], Any]:
    """A walk-forward run of two windows of each kind: its scores and its tables of forecasts."""
    store, kinds = Store(folder), dict[str, KindScores]()
    runs = WalkForwards(store)
    for kind in ("direction", "volatility"):
        windows = []
        for number in range(2):
            dates = bars_of("IBM").dates[50 * number : 50 * number + 50]
            forecast = np.random.default_rng([number, *kind.encode()]).uniform(size=50)
            table = pa.table({"symbol": ["IBM"] * 50, "date": dates, "window": [number] * 50, "forecast": forecast})
            sink = pa.BufferOutputStream()
            pq.write_table(table, sink)
            file, sha256 = runs.write_table("r1", kind, number, sink.getvalue().to_pybytes())
            day = (str(dates[0])[:10], str(dates[-1])[:10])
            facts = {"number": number, "periods": {"test": day}, "symbols": 1, "metrics": {"loss": 0.3 + number}}
            windows.append(WindowScores(**facts, file=file, sha256=sha256, parameters={"weight.garch": 0.1 * number}))
        kinds[kind] = KindScores(kind=kind, horizon=5, metrics={"loss": 0.8}, windows=tuple(windows))
    facts = {"name": "r1", "created": "2026-01-01T00:00:00+00:00", "config": {}, "data_hash": "d", "bars": "embedded"}
    inputs = (("runs/bars/x", ("IBM",)),)
    rest = {"symbols": ("IBM",), "left_over": 3, "inputs": inputs, "market": "runs/m", "feature_names": ("a", "b")}
    runs.write(WalkForwardRun(**facts, **rest, kinds=kinds))

    def read() -> Any:
        run = WalkForwards(store).read("r1")
        return [run, *(WalkForwards(store).forecasts(run, kind) for kind in run.kinds)]

    return read


def recipe_names(config: Any, newest: NewestBars) -> tuple[str, ...]:
    """Return the features of these bars."""
    from features.engineer import feature_names
    from features.universe_build import build_universe

    universe = build_universe(newest.of_universe(), config.features)
    return feature_names(config.features, universe, None, has_range=True, has_volume=True)


SUBJECTS = {
    "models": Subject(make_registry, ("models", "saved")),
    "training runs": Subject(make_run, may_miss=True),
    "walk-forward runs": Subject(make_walk, ("walk_forward",)),
    "the lake": Subject(make_lake, ("lake",)),
    "featurised windows": Subject(make_windows, ("tails",), may_miss=True),
}
