"""A store as `fleetcast train --bars lake` leaves it: two versions of each kind, the first one champion."""

import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from configs.schema import Config
from features.bars.schema import SymbolBars
from features.store.lake import Lake
from features.store.store import Store
from serving.engine import PredictionEngine
from training import ModelTrainer

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
HELD = 480


@pytest.fixture(scope="session")
def universe(make_universe) -> dict[str, SymbolBars]:
    """Five symbols of 500 bars; EEE is close-only."""
    bars = {one.symbol: one for one in make_universe(SYMBOLS, bars=500, seed=3)}
    flat = bars["EEE"]
    prices = {"open": flat.close, "high": flat.close, "low": flat.close, "volume": 0 * flat.volume}
    bars["EEE"] = replace(flat, **prices, has_range=False, has_volume=False)
    return bars


@pytest.fixture(scope="session")
def trained_store(bars_of, tiny_config, tmp_path_factory) -> Path:
    """Trained on the first 480 bars of a lake; of each kind the second version differs by its seed and calibration."""
    store = Store(tmp_path_factory.mktemp("serving") / "store")
    for symbol in SYMBOLS:
        Lake(store).append(bars_of(symbol, HELD))
    for seed, calibration, promote in ((1, "vector", "always"), (2, "none", "never")):
        settings = (f"run.seed={seed}", f"direction.calibration={calibration}", "run.block_symbols=2")
        config: Config = tiny_config("data.bars=lake", *settings)
        result = ModelTrainer(config, store).train_multi_asset_models([], [], promote=promote)
        assert all(one.version for one in result.results)
    return Path(store.root)


@pytest.fixture(scope="session")
def bars_of(universe) -> Callable[[str, int], SymbolBars]:
    """Return a symbol's first bars: ``bars_of(symbol, count)``."""
    return lambda symbol, count: universe[symbol].first(count)


@pytest.fixture
def store(trained_store, tmp_path) -> Store:
    """A copy that a test may change."""
    shutil.copytree(trained_store, tmp_path / "store", ignore=shutil.ignore_patterns("tails"))
    return Store(tmp_path / "store")


@pytest.fixture(scope="session")
def engine(trained_store) -> Iterator[PredictionEngine]:
    """An engine on the store that no test changes."""
    with PredictionEngine(trained_store, follow=False) as made:
        yield made


@pytest.fixture
def start_engine(store) -> Iterator[Callable[..., PredictionEngine]]:
    """Return the maker of engines on the test's own store; they do not follow it unless told to."""
    made: list[PredictionEngine] = []

    def start(**options) -> PredictionEngine:
        made.append(PredictionEngine(store, **{"follow": False, **options}))
        return made[-1]

    yield start
    for one in made:
        one.close()
