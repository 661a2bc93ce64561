"""A lake of six random symbols, and the smallest sweeps that still go through everything."""

from collections.abc import Callable
from pathlib import Path

import pytest

from configs.schema import Config
from features.store.lake import Lake
from features.store.store import Store
from tuning.sweep_task import SweepTask, task_of_source

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE", "FFF")


@pytest.fixture(scope="session")
def lake(make_universe, tmp_path_factory) -> Store:
    """A store that tests only read; sweeps write nothing to it but staged bars."""
    store = Store(tmp_path_factory.mktemp("tuning") / "store")
    for series in make_universe(SYMBOLS, bars=700, seed=5):
        Lake(store).append(series)
    return store


@pytest.fixture(scope="session")
def sweep_config(tiny_config) -> Callable[..., Config]:
    """Return a factory of configurations: ``sweep_config("tune.trials=3", …)``."""
    return lambda *overrides: tiny_config("data.bars=lake", "tune.trials=3", "tune.scored_fraction=0.5", *overrides)


@pytest.fixture(scope="session")
def task_of(lake, sweep_config) -> Callable[..., SweepTask]:
    """Return a factory of tasks: ``task_of("direction", "tune.folds=1", …)``."""
    return lambda kind, *overrides: task_of_source(sweep_config(*overrides), kind, lake)


@pytest.fixture
def store(tmp_path) -> Store:
    """An empty store, for studies."""
    return Store(Path(tmp_path) / "store")
