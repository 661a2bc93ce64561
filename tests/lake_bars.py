"""Bars of random walks for lakes, and what is compared of them."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from features.bars.merge import fingerprint
from features.bars.schema import SymbolBars

FIELDS = ("dates", "open", "high", "low", "close", "volume")


def series(symbol: str = "X", rows: int = 300, seed: int = 0, first: str = "2020-01-01") -> SymbolBars:
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, rows)))
    dates = (np.datetime64(first) + np.arange(rows)).astype("datetime64[ns]")
    volume = random.integers(1, 10**6, rows).astype(float)
    return SymbolBars(symbol, dates, close, close * 1.01, close * 0.99, close, volume, True, True)


def cut(bars: SymbolBars, rows) -> SymbolBars:
    return replace(bars, **{name: getattr(bars, name)[rows] for name in FIELDS})


def scaled(bars: SymbolBars, ratio: float) -> SymbolBars:
    prices = {name: getattr(bars, name) * ratio for name in ("open", "high", "low", "close")}
    return replace(bars, **prices, volume=bars.volume / ratio)


def files(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in root.rglob("*.parquet")}


def assert_equal_bars(left: SymbolBars, right: SymbolBars) -> None:
    assert fingerprint(left) == fingerprint(right)
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(left, name), getattr(right, name))
