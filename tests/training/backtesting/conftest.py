"""Forecasts made by hand on random bars, so that no model has to be fitted."""

import importlib
from collections.abc import Callable, Iterator
from pathlib import Path
from shutil import copytree
from types import ModuleType
from typing import Any

import pytest

from configs.schema import Config
from features.store.store import Store
from training.backtesting.forecasts import OutOfSample

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(scope="session")
def simulated_market() -> Iterator[ModuleType]:
    """The module that makes markets and forecasts with a known edge; the strategy in it can be imported."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        yield importlib.import_module("simulated_market")


@pytest.fixture
def settings(simulated_market: ModuleType) -> Callable[..., Config]:
    """Return the function that makes settings of a backtest without costs."""
    made: Callable[..., Config] = simulated_market.settings
    return made


@pytest.fixture
def one_symbol(simulated_market: ModuleType) -> Callable[..., OutOfSample]:
    """Return the function that makes one symbol's bars and forecasts of its direction that are right so often."""
    made: Callable[..., OutOfSample] = simulated_market.one_symbol
    return made


@pytest.fixture
def store(walked: Any, tmp_path: Path) -> Store:
    """A copy of the store with a walk-forward run."""
    return Store(str(copytree(walked.store, tmp_path / "store")))
