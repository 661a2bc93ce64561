"""Random bars for the tests of features."""

from __future__ import annotations

import numpy as np
import pytest

from features.bars.schema import SymbolBars


def random_bars(seed: int = 0, n: int = 200, symbol: str = "A", start: str = "2015-01-01") -> SymbolBars:
    """Return bars on weekdays with clustered volatility, a range and volume."""
    rng = np.random.default_rng([seed, *symbol.encode()])
    dates = np.busday_offset(start, np.arange(n), roll="forward").astype("datetime64[ns]")
    sigma = 0.015 * np.exp(np.convolve(rng.normal(0.0, 0.2, n + 20), np.full(20, 0.3), "same")[:n])
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, sigma)))
    before = np.concatenate([[50.0], close[:-1]])
    opened = before * np.exp(rng.normal(0.0, 0.3 * sigma))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0.0, 0.5 * sigma)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0.0, 0.5 * sigma)))
    volume = np.exp(rng.normal(12.0, 0.4, n))
    return SymbolBars(symbol, dates, opened, high, low, close, volume, has_range=True, has_volume=True)


@pytest.fixture(scope="session")
def make_bars():
    """Return the function ``make_bars(seed, n, symbol, start)``."""
    return random_bars
