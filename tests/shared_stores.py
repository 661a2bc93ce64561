"""Stores with fitted models that many tests read; who changes one copies it first."""

import fcntl
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from configs.schema import Config
from features.bars.schema import SymbolBars


@pytest.fixture(scope="session")
def made_once(
    tmp_path_factory: pytest.TempPathFactory, worker_id: str
) -> Callable[[str, Callable[[Path], None]], Path]:
    """Return a function that makes a folder once for all test processes: ``made_once(name, make)``."""
    base = tmp_path_factory.getbasetemp()

    def folder(name: str, make: Callable[[Path], None]) -> Path:
        place = (base if worker_id == "master" else base.parent) / name
        with open(f"{place}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not place.exists():
                make(place.with_suffix(".unfinished"))
                place.with_suffix(".unfinished").rename(place)
        return place

    return folder


@pytest.fixture(scope="session")
def smoke_store(made_once: Callable[[str, Callable[[Path], None]], Path]) -> Path:
    """A store with models of AAPL and IBM, trained in one process with the preset ``smoke``."""
    from configs import load_config
    from training import ModelTrainer

    def train(folder: Path) -> None:
        ModelTrainer(load_config("smoke"), str(folder)).train_multi_asset_models(["AAPL", "IBM"])

    return made_once("smoke-store", train)


class Walked(NamedTuple):
    """A walk-forward run of both kinds on three symbols: its store, the file with its bars, and its name."""

    store: Path
    bars: Path
    name: str


@pytest.fixture(scope="session")
def walked(
    tmp_path_factory: pytest.TempPathFactory,
    tiny_config: Callable[..., Config],
    make_universe: Callable[..., list[SymbolBars]],
) -> Walked:
    """Three windows of 60 dates, fitted in this process; copy the store to change it."""
    import pandas as pd

    from training.walk_forward import WalkForward

    folder = tmp_path_factory.mktemp("walked")
    columns = ("open", "high", "low", "close", "volume")
    bars = [
        pd.DataFrame({"symbol": one.symbol, "date": one.dates, **{name: getattr(one, name) for name in columns}})
        for one in make_universe(("AAA", "BBB", "CCC"), bars=450)
    ]
    pd.concat(bars).to_parquet(folder / "bars.parquet")
    config = tiny_config(
        f"data.bars={folder / 'bars.parquet'}",
        "walk_forward={train_window: 260, test_window: 60}",
        "run.block_symbols=8",
        "volatility.members=[boosting]",
    )
    walk = WalkForward(config, str(folder / "store"))
    result = walk.run(walk.prepare())
    assert not result.failed
    return Walked(folder / "store", folder / "bars.parquet", result.run.name)
