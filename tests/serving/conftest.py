"""A store as `fleetcast train --bars lake` leaves it: two versions of each kind, the first one champion."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from configs.schema import Config
from features.bars.schema import SymbolBars
from features.store.lake import Lake
from features.store.store import Store
from serving.engine import PredictionEngine
from training import ModelManager, ModelTrainer

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
LAKE_BARS = 480
COLUMNS = ("open", "high", "low", "close", "volume")


@pytest.fixture(scope="session")
def universe(make_universe) -> dict[str, SymbolBars]:
    """Five symbols of 500 bars; EEE is close-only."""
    universe = {bars.symbol: bars for bars in make_universe(SYMBOLS, bars=500, seed=3)}
    flat = universe["EEE"]
    prices = {"open": flat.close, "high": flat.close, "low": flat.close, "volume": 0 * flat.volume}
    universe["EEE"] = replace(flat, **prices, has_range=False, has_volume=False)
    return universe


@pytest.fixture(scope="session")
def bars_of(universe) -> Callable[[str, int], SymbolBars]:
    """Return a symbol's first bars: ``bars_of(symbol, count)``."""
    return lambda symbol, count: universe[symbol].first(count)


@pytest.fixture(scope="session")
def rows_of() -> Callable[[SymbolBars], list[list]]:
    """Return the conversion of bars to rows of a request body."""

    def rows(bars):
        columns = (bars.dates.astype("datetime64[D]").astype(str), *(getattr(bars, name) for name in COLUMNS))
        return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]

    return rows


@pytest.fixture(scope="session")
def trained_store(bars_of, tiny_config, made_once) -> Path:
    """Trained once for all test processes, on the first 480 bars of a lake; no test changes it.

    The second version of each kind differs by its seed and calibration.
    """
    return made_once("serving-store", lambda folder: _train(Store(folder), bars_of, tiny_config))


def _train(store, bars_of, tiny_config):
    for symbol in SYMBOLS:
        Lake(store).append(bars_of(symbol, LAKE_BARS))
    for seed, calibration, promote in ((1, "vector", "always"), (2, "none", "never")):
        settings = (f"run.seed={seed}", f"direction.calibration={calibration}", "run.block_symbols=2")
        config: Config = tiny_config("data.bars=lake", *settings)
        result = ModelTrainer(config, store).train_multi_asset_models([], [], promote=promote)
        assert all(kind.version for kind in result.results)


@pytest.fixture(scope="session")
def expected(trained_store, bars_of) -> dict[str, tuple[pd.Series, pd.Series]]:
    """The forecasts of each symbol's champion predictors at the last bar of the lake."""
    manager = ModelManager(trained_store)
    bars = [bars_of(symbol, LAKE_BARS) for symbol in SYMBOLS]
    out = {}
    for symbol in SYMBOLS:
        direction, volatility = (
            manager.load_model(f"{name}_{symbol}", "champion").predict(bars).loc[symbol].iloc[-1]
            for name in ("price_direction", "volatility")
        )
        out[symbol] = direction, volatility
    return out


@pytest.fixture
def store(trained_store, tmp_path) -> Store:
    """A copy that a test may change."""
    shutil.copytree(trained_store, tmp_path / "store", ignore=shutil.ignore_patterns("tails"))
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def engine(trained_store) -> Iterator[PredictionEngine]:
    """An engine on the store that no test changes."""
    with PredictionEngine(trained_store, follow=False) as engine:
        yield engine


@pytest.fixture
def start_engine(store) -> Iterator[Callable[..., PredictionEngine]]:
    """Return the constructor of engines on the test's own store; by default they do not follow it."""
    engines: list[PredictionEngine] = []

    def start(**options) -> PredictionEngine:
        engines.append(PredictionEngine(store, **{"follow": False, **options}))
        return engines[-1]

    yield start
    for engine in engines:
        engine.close()
