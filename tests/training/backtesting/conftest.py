"""Forecasts made by hand on random bars, so that no model has to be fitted."""

from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pandas as pd
import pytest

from configs import load_config
from configs.schema import Config
from features.bars.schema import SymbolBars
from features.store.store import Store
from training.backtesting.forecasts import OutOfSample

OWN = '''
import numpy as np


class Sides:
    """The side that the forecast leans to, at a fixed size."""

    needs = ()

    def __init__(self, size=0.5):
        self.size = size

    def targets(self, view):
        return self.size * np.sign(np.nan_to_num(view.lean))
'''


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Config]:
    """Return a function that makes settings of a backtest without costs; ``own.Sides`` can be imported."""
    (tmp_path / "own_strategy.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    loose = "{name: 1, group: 10, gross: 2, net: 2, volatility: null, no_trade_band: 0}"
    own = ["strategy.name=own_strategy:Sides", f"strategy.caps={loose}", "strategy.size.method=given"]
    return lambda *overrides: load_config("demo", overrides=[*own, "backtest.costs.preset=none", *overrides])


@pytest.fixture
def one_symbol() -> Callable[..., OutOfSample]:
    """Return a function that makes one symbol's bars and forecasts of its direction that are right so often.

    Bars open where the last one closed, so what is decided at a close earns the next bar's whole return.
    """

    def make(seed: int, right: float, bars: int = 1000, sigma: float = 0.01) -> OutOfSample:
        rng = np.random.default_rng(seed)
        returns = sigma * rng.standard_normal(bars)
        close = 100.0 * np.exp(np.cumsum(returns))
        opened = np.concatenate([[100.0], close[:-1]])
        dates = pd.bdate_range("2010-01-01", periods=bars).to_numpy().astype("datetime64[ns]")
        high, low = np.maximum(opened, close), np.minimum(opened, close)
        one = SymbolBars("AAA", dates, opened, high, low, close, np.full(bars, 1e6), True, True)
        rows = np.arange(100, bars - 1)
        side = np.sign(returns[rows + 1]) * np.where(rng.random(len(rows)) < right, 1.0, -1.0)
        p = np.where(side[:, None] > 0, [[0.3, 0.3, 0.4]], [[0.4, 0.3, 0.3]])
        columns: dict[str, Any] = {f"p_{name}": p[:, i] for i, name in enumerate(("down", "sideways", "up"))}
        prior = {f"p_{name}_prior": 1 / 3 for name in ("down", "sideways", "up")}
        table = pd.DataFrame({"symbol": "AAA", "date": dates[rows], **columns, **prior})
        tables = {"direction": table}
        return OutOfSample("forecasts by hand", Config(), (one,), tables, models=lambda given: tables)

    return make


@pytest.fixture
def store(walked: Any, tmp_path: Path) -> Store:
    """A copy of the store with a walk-forward run."""
    return Store(str(copytree(walked.store, tmp_path / "store")))
