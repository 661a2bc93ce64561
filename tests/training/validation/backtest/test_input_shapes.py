"""Shapes of bars and targets that mean the same."""

import numpy as np
import pandas as pd
import pytest

from features.bars.schema import bars_from_frame
from training.validation import Costs, simulate
from training.validation.backtest.read_market import read_market

DAYS = pd.date_range("2024-01-01", periods=6)
TARGETS = pd.DataFrame({"X": 10.0}, index=DAYS)


def frame(price):
    p = np.full(len(DAYS), price) if np.isscalar(price) else np.asarray(price, float)
    return pd.DataFrame({"Open": p, "High": p, "Low": p, "Close": p, "Volume": 1e6}, index=DAYS)


def test_shapes_of_bars_are_equivalent():
    bars = frame([100, 101, 102, 103, 104, 105])
    expected = simulate({"X": bars}, TARGETS, cash=2_000).equity
    zoned = bars.tz_localize("America/New_York")
    wide = pd.concat({"X": bars}, axis=1).swaplevel(axis=1)
    long = bars.rename_axis("Date").reset_index().assign(Symbol="X")
    shuffled = bars.iloc[::-1]
    for unnamed in ({"X": bars}, long, wide, bars):
        pd.testing.assert_series_equal(simulate(unnamed, TARGETS["X"].rename(None), cash=2_000).equity, expected)
    for form in (bars, {"X": zoned}, wide, {"X": wide}, long, {"X": shuffled}, {"X": bars["Close"]}):
        pd.testing.assert_series_equal(simulate(form, TARGETS, cash=2_000).equity, expected)
    zoned_targets = TARGETS.tz_localize("America/New_York")
    pd.testing.assert_series_equal(simulate({"X": zoned}, zoned_targets, cash=2_000).equity, expected)


@pytest.mark.parametrize("column", ["Adj Close", "adj_factor"])
def test_bars_are_adjusted_as_everywhere_else(column):
    bars = frame([100, 101, 102, 103, 104, 105]).assign(**{column: [50.0, 50.5, 51, 51.5, 52, 52.5]})
    if column == "adj_factor":
        bars[column] /= bars["Close"]
    market, (expected,) = read_market({"X": bars}), bars_from_frame(bars, "X")[0]
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_allclose(getattr(market, name)[:, 0], getattr(expected, name))
    bars_of_it = read_market([expected])
    np.testing.assert_array_equal(bars_of_it.close, market.close)


@pytest.mark.parametrize(
    "targets",
    [
        pd.DataFrame({"X": [10] * 6}, index=[f"{day:%Y-%m-%d}" for day in DAYS]),
        pd.DataFrame({"X": [10, None, None, None, None, None]}, index=DAYS, dtype=object),
        pd.DataFrame({"X": [10] * 6}, index=DAYS.tz_localize("UTC")),
        pd.DataFrame({"X": [10] * 6}, index=DAYS.to_period("D")),
        pd.DataFrame({"date": DAYS, "X": [10] * 6}),
        pd.DataFrame({"X": [10] * 6}, index=DAYS).astype("Int64").iloc[::-1],
        pd.DataFrame({"X": [10] * 6}, index=DAYS.date),
    ],
)
def test_shapes_of_targets_are_equivalent(targets):
    expected = simulate({"X": frame(100.0)}, TARGETS, Costs(commission_bps=10), cash=2_000).equity
    found = simulate({"X": frame(100.0)}, targets, Costs(commission_bps=10), cash=2_000).equity
    pd.testing.assert_series_equal(found, expected)
