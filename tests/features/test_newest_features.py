"""The newest rows of features, most of them computed from the newest bars only, are bit for bit those of a panel."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from configs.data import ContextConfig, FeatureConfig
from configs.models import LabelConfig
from features import MarketContext, build_panel, build_universe
from features.engineer import newest_features

ROWS = 12
LABEL = LabelConfig(ewma_lambda=0.9)


@pytest.fixture(scope="module")
def world(make_bars):
    """Symbols with and without range and volume, long and short, with a day that is missing and flat prices."""
    first, other, flat, short, shortest = (
        make_bars(n=n, symbol=s) for s, n in (("A", 700), ("B", 400), ("C", 400), ("D", 70), ("E", 5))
    )
    prices = {"open": other.close, "high": other.close, "low": other.close, "volume": 0.0 * other.volume}
    closes = replace(other, **prices, has_range=False, has_volume=False)
    close = flat.close.copy()
    close[-90:-20] = close[-91]
    flat = replace(flat, open=close, high=close * 1.001, low=close * 0.999, close=close)
    holed = make_bars(n=400, symbol="F").take(np.arange(400) != 380)
    return [first, closes, flat, short, shortest, holed]


@pytest.fixture(scope="module")
def context():
    days = pd.bdate_range("2014-06-02", periods=900)
    values = 20.0 * np.exp(np.cumsum(np.random.default_rng(1).normal(0.0, 0.03, len(days))))
    frame = pd.DataFrame({"date": days, "series": "VIX", "value": values})
    return MarketContext.from_frame(frame, ContextConfig(kinds={"VIX": "level"}))


@pytest.mark.parametrize("lag", [0, 1])
@pytest.mark.parametrize("periods", [(5, 20, 60), (2,), (3, 100)])
def test_the_newest_rows_are_those_of_the_panel(world, context, lag, periods):
    config = FeatureConfig(lookback_periods=periods, universe_lag=lag)
    table = build_universe(world, config)
    panel = build_panel(world, config, table, context, LABEL)
    found, history = newest_features(world, ROWS, config, table, context, LABEL, panel.feature_names)
    assert found.shape == (len(world), ROWS, len(panel.feature_names))
    for i, bars in enumerate(world):
        rows = min(ROWS, len(bars))
        expected = panel.features[panel.rows(i)][-rows:]
        differ = [
            name
            for k, name in enumerate(panel.feature_names)
            if not np.array_equal(found[i, ROWS - rows :, k], expected[:, k], equal_nan=True)
        ]
        assert differ == [] and np.isnan(found[i, : ROWS - rows]).all()
    assert history.feature_names == () and history.features.shape == (len(panel.dates), 0)
    for name in ("offsets", "dates", "close", "variance", "ewma_vol"):
        np.testing.assert_array_equal(getattr(history, name), getattr(panel, name))
