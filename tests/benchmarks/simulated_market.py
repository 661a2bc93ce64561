"""Simulated markets of one symbol, and forecasts of its direction whose edge is known."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from configs import Config, load_config
from features.bars.schema import SymbolBars
from training.backtesting.forecasts import OutOfSample
from training.strategy import ForecastView

BARS_PER_YEAR = 260.0  # business days without holidays
_FIRST = 100  # bars before the first forecast
_LOOSE = "{name: 1, group: 10, gross: 2, net: 2, volatility: null, no_trade_band: 0}"


class Sides:
    """The side that the forecast leans to, at a fixed size."""

    needs: ClassVar[tuple[str, ...]] = ()

    def __init__(self, size: float = 0.5) -> None:
        self.size = size

    def targets(self, view: ForecastView) -> Any:
        """Return positions (dates × symbols)."""
        return self.size * np.sign(np.nan_to_num(view.lean))


def settings(*overrides: str) -> Config:
    """Return settings of a backtest of :class:`Sides` without limits and costs."""
    own = [f"strategy.name={__name__}:{Sides.__name__}", f"strategy.caps={_LOOSE}", "strategy.size.method=given"]
    return load_config("demo", overrides=[*own, "backtest.costs.preset=none", *overrides])


def one_symbol(seed: int, right: float, bars: int = 1000, sigma: float = 0.01, model: int = 0) -> OutOfSample:
    """Return bars without any pattern, and forecasts of a ``model`` that are right with this probability.

    Log returns are normal with standard deviation ``sigma``. Bars open where the last one closed, so what is decided at
    a close earns the next bar's whole return. Equal seeds give equal bars, whatever the model.
    """
    rng = np.random.default_rng(seed)
    returns = sigma * rng.standard_normal(bars)
    close = 100.0 * np.exp(np.cumsum(returns))
    opened = np.concatenate([[100.0], close[:-1]])
    dates = pd.bdate_range("2010-01-01", periods=bars).to_numpy().astype("datetime64[ns]")
    high, low = np.maximum(opened, close), np.minimum(opened, close)
    one = SymbolBars("AAA", dates, opened, high, low, close, np.full(bars, 1e6), True, True)
    rows = np.arange(_FIRST, bars - 1)
    draws = (np.random.default_rng([seed, model]) if model else rng).random(len(rows))
    side = np.sign(returns[rows + 1]) * np.where(draws < right, 1.0, -1.0)
    p = np.where(side[:, None] > 0, [[0.3, 0.3, 0.4]], [[0.4, 0.3, 0.3]])
    columns: dict[str, Any] = {f"p_{name}": p[:, i] for i, name in enumerate(("down", "sideways", "up"))}
    prior = {f"p_{name}_prior": 1 / 3 for name in ("down", "sideways", "up")}
    tables = {"direction": pd.DataFrame({"symbol": "AAA", "date": dates[rows], **columns, **prior})}
    return OutOfSample("forecasts by hand", Config(), (one,), tables, models=lambda given: tables)


def true_sharpe(right: float, sigma: float = 0.01) -> float:
    """Return the annual Sharpe ratio of a side that is right so often, of normal returns: E|r| = σ √(2/π)."""
    mean = (2.0 * right - 1.0) * sigma * math.sqrt(2.0 / math.pi)
    return mean / math.sqrt(sigma**2 - mean**2) * math.sqrt(BARS_PER_YEAR)
