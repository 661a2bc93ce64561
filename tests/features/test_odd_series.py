"""Series with missing data or extreme values give finite numbers or NaN, without warnings."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from configs.data import FeatureConfig
from features import SymbolBars, build_panel, build_universe
from features.catalog import all_specs
from features.feature_plan import plan_features
from features.inputs import Layout

N = 260
CONFIG = FeatureConfig()
PRICES = ("open", "high", "low", "close")
ROWS = np.arange(N)


def with_prices(bars: SymbolBars, change) -> SymbolBars:
    return dataclasses.replace(bars, **{name: change(getattr(bars, name)) for name in PRICES})


def flat(bars: SymbolBars, price: np.ndarray) -> SymbolBars:
    return with_prices(bars, lambda _: price)


def with_volume(bars: SymbolBars, volume: np.ndarray) -> SymbolBars:
    return dataclasses.replace(bars, volume=volume)


NO_VOLUME = np.zeros(N)
ODD_SERIES = {
    "close only": lambda b: dataclasses.replace(flat(b, b.close), volume=NO_VOLUME, has_range=False, has_volume=False),
    "no volume": lambda b: dataclasses.replace(b, volume=NO_VOLUME, has_volume=False),
    "volume all zero": lambda b: with_volume(b, NO_VOLUME),
    "volume mostly zero": lambda b: with_volume(b, np.where(np.random.default_rng(5).random(N) < 0.7, 0.0, b.volume)),
    "volume spike": lambda b: with_volume(b, np.where(ROWS == 150, 1e15, b.volume)),
    "constant": lambda b: flat(b, np.full(N, 7.3)),
    "halted": lambda b: with_prices(b, lambda x: np.where(ROWS < 120, x, b.close[119])),
    "coarse ticks": lambda b: flat(b, np.round(b.close / 5.0) * 5.0),
    "tiny prices": lambda b: with_prices(b, lambda x: x * 1e-300),
    "huge moves": lambda b: with_prices(b, lambda x: x * np.where(ROWS % 50 < 25, 1.0, 1e12)),
    "one bar": lambda b: b.first(1),
    "thirty bars": lambda b: b.first(30),
    "no bar": lambda b: b.first(0),
}


@pytest.fixture(scope="module")
def ordinary(make_bars) -> SymbolBars:
    return make_bars(seed=3, n=N)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", ODD_SERIES)
def test_odd_series_give_finite_numbers_or_nan_without_a_warning(kind, ordinary, make_bars):
    odd = dataclasses.replace(ODD_SERIES[kind](ordinary), symbol="ODD")
    universe = build_universe([*(make_bars(n=N, symbol=s) for s in "ABCDEF"), odd], CONFIG)
    names = plan_features(CONFIG, universe=universe).names
    panel = build_panel([odd], CONFIG, universe, columns=names)
    assert panel.features.shape == (len(odd), len(names))
    assert not np.isinf(panel.features).any()
    # Larger values would be quotients of rounding errors; the largest correct ones are z-scores of one spike.
    assert np.nanmax(np.abs(panel.features), initial=0.0) < 200.0


def test_a_constant_price_has_no_momentum_and_no_trend(ordinary):
    panel = build_panel([ODD_SERIES["constant"](ordinary)], CONFIG)
    names = ("rsi_20", "roc_20", "sma_distance_20", "macd", "drawdown_20", "price_percentile_20")
    for name in (*names, "trend_consistency_20"):
        values = panel.features[panel.warmup :, panel.feature_names.index(name)]
        assert np.isnan(values).all() or np.abs(values).max() <= 0.05, name


def test_series_lack_only_the_columns_that_need_what_they_lack(ordinary):
    close_only = dataclasses.replace(ODD_SERIES["close only"](ordinary), symbol="FX")
    panel = build_panel([ordinary, close_only], CONFIG)
    usable = ~np.isnan(panel.features[panel.rows(1)][panel.warmup :]).all(axis=0)
    needs = {c: spec.needs for spec in all_specs() for c in spec.columns(Layout(CONFIG.lookback_periods))}
    for name, defined in zip(panel.feature_names, usable, strict=True):
        assert defined == (not needs[name] & {"range", "volume"}), name
    assert usable.sum() >= 50
