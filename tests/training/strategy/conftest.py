"""Random markets and forecasts, and views of a few cells by hand."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from training.strategy.view import ForecastView
from training.strategy.view_builder import read_view
from training.validation.backtest.market import Market


@pytest.fixture(scope="session")
def random_market() -> Callable[..., Market]:
    """Return a function that makes a market of daily bars with a common factor, halts and late starts."""

    def make(seed: int = 0, days: int = 200, symbols: int = 6, halts: float = 0.02) -> Market:
        rng = np.random.default_rng(seed)
        shock = 0.01 * (0.6 * rng.standard_normal((days, 1)) + rng.standard_normal((days, symbols)))
        close = 100.0 * np.exp(np.cumsum(shock, axis=0))
        open_ = close * np.exp(0.003 * rng.standard_normal(close.shape))
        high = np.maximum(open_, close) * np.exp(0.004 * rng.random(close.shape))
        low = np.minimum(open_, close) * np.exp(-0.004 * rng.random(close.shape))
        none = rng.random(close.shape) < halts
        none[:20, -1] = True
        prices = [np.where(none, np.nan, one) for one in (open_, high, low, close)]
        dates = pd.bdate_range("2020-01-01", periods=days).to_numpy().astype("datetime64[ns]")
        names = tuple(f"S{i}" for i in range(symbols))
        return Market(dates, names, *prices, volume=np.where(none, 0.0, 1e6))

    return make


@pytest.fixture(scope="session")
def random_view(random_market: Callable[..., Market]) -> Callable[..., ForecastView]:
    """Return a function that makes a view with forecasts from row ``first`` on, right for a share ``skill``."""

    def make(
        seed: int = 0, days: int = 200, symbols: int = 6, first: int = 80, skill: float = 0.0, halts: float = 0.02
    ) -> ForecastView:
        market = random_market(seed, days, symbols, halts)
        rng = np.random.default_rng(seed + 1)
        rows, columns = np.nonzero(market.has_bar & (np.arange(days) >= first)[:, None])
        kept = rng.random(len(rows)) > 0.03
        rows, columns = rows[kept], columns[kept]
        p = rng.dirichlet([30.0, 30.0, 30.0], size=len(rows))
        ahead = np.full(market.shape, np.nan)
        ahead[:-1] = np.log(market.mark[1:] / np.where(market.mark[:-1] > 0, market.mark[:-1], np.nan))
        came = np.sign(np.nan_to_num(ahead[rows, columns]))
        p[:, 2] += 0.25 * skill * came
        p[:, 0] -= 0.25 * skill * came
        p = np.clip(p, 0.01, None)
        p /= p.sum(axis=1, keepdims=True)
        keys = {"symbol": [market.symbols[c] for c in columns], "date": market.dates[rows]}
        direction = pd.DataFrame({**keys, "p_down": p[:, 0], "p_sideways": p[:, 1], "p_up": p[:, 2]})
        variance = 0.0001 * np.exp(0.4 * rng.standard_normal(len(rows)))
        volatility = pd.DataFrame({**keys, "forecast": variance, "low": variance / 3, "high": variance * 3})
        return read_view(market, direction, volatility)

    return make


@pytest.fixture(scope="session")
def view_of() -> Callable[..., ForecastView]:
    """Return a function that makes a view from arrays (D, S) or rows (S,) of one date; volatility is annualised."""

    def make(
        p: Any = None, sigma: Any = 0.20, high: Any = None, close: Any = None, dates: int = 1, **fields: Any
    ) -> ForecastView:
        p = np.array([[[1 / 3, 1 / 3, 1 / 3]]] if p is None else p, dtype=np.float64)
        p = np.broadcast_to(p, (dates, *p.shape[-2:])).copy()
        shape = p.shape[:2]
        sigma = np.broadcast_to(np.asarray(sigma, dtype=np.float64), shape).copy()
        high = sigma if high is None else np.broadcast_to(np.asarray(high, dtype=np.float64), shape).copy()
        rng = np.random.default_rng(0)
        moving = 100.0 * np.exp(np.cumsum(0.001 * rng.standard_normal(shape), axis=0))
        close = moving if close is None else np.broadcast_to(np.asarray(close, dtype=np.float64), shape).copy()
        values = {
            "dates": pd.bdate_range("2024-01-01", periods=dates).to_numpy().astype("datetime64[ns]"),
            "symbols": tuple("ABCDEFGHIJ"[: shape[1]]),
            **dict.fromkeys(("open", "high", "low", "close"), close),
            "bar_variance": sigma**2 / 252,
            "ewma_vol": sigma / np.sqrt(252),
            "band": 0.43 * sigma / np.sqrt(252),
            "probabilities": p,
            "variance": sigma**2 / 252,
            "variance_low": sigma**2 / 252 / 2,
            "variance_high": high**2 / 252,
            "bars_per_year": np.full(shape[1], 252.0),
        }
        return ForecastView(**(values | fields))

    return make
