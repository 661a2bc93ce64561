"""Valid tables of bars, and the bars of one symbol that are made of them."""

import numpy as np
import pandas as pd

from features.bars.quarantine import Quarantine
from features.bars.schema import SymbolBars, bars_from_frame


def ohlcv(rows: int = 6, seed: int = 0) -> pd.DataFrame:
    """Return a valid table with our column names."""
    random = np.random.default_rng(seed)
    close = 100 * np.exp(np.cumsum(random.normal(0, 0.01, rows)))
    open_ = close * np.exp(random.normal(0, 0.005, rows))
    return pd.DataFrame(
        {
            "date": pd.date_range("2024-01-01", periods=rows, freq="B"),
            "open": open_,
            "high": np.maximum(open_, close) * 1.01,
            "low": np.minimum(open_, close) * 0.99,
            "close": close,
            "volume": random.integers(1, 1000, rows),
        }
    )


def only(frame: pd.DataFrame, symbol: str | None = "X") -> tuple[SymbolBars, Quarantine]:
    bars, quarantine = bars_from_frame(frame, symbol)
    assert len(bars) == 1
    return bars[0], quarantine


def assert_valid(bars: SymbolBars) -> None:
    assert bars.dates.dtype == "datetime64[ns]"
    assert (np.diff(bars.dates) > np.timedelta64(0)).all()
    assert (bars.low > 0).all() and np.isfinite(bars.high).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.volume >= 0).all()
