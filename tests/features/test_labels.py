"""Labels agree with their definitions and use returns of their horizon only."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.models import LabelConfig
from features.labels import (
    annualised,
    bar_variance,
    direction_labels,
    ewma_volatility,
    forward_return,
    relative_labels,
    volatility_target,
)


def test_relative_labels_compare_with_the_median_of_the_day():
    days = np.array(["2020-01-02"] * 5 + ["2020-01-03"] * 3, "datetime64[ns]")
    forward = np.array([0.01, 0.02, 0.03, 0.30, -0.30, np.nan, -0.05, 0.05])
    volatility = np.array([0.01, 0.01, 0.01, 0.01, 0.01, 0.01, 0.01, np.nan])
    found = relative_labels(forward, days, volatility, horizon=4, k=0.4)
    assert found.tolist() == [0, 1, 2, 2, 0, -1, -1, -1]  # median 0.02, band ± 0.008; a single symbol has no class
    order = np.random.default_rng(0).permutation(8)
    mixed = relative_labels(forward[order], days[order], volatility[order], horizon=4, k=0.4)
    assert mixed.tolist() == found[order].tolist()


def test_variance_of_one_bar_by_hand(make_bars):
    bars = dataclasses.replace(
        make_bars(n=2),
        open=np.array([100.0, 102.0]),
        high=np.array([100.0, 105.0]),
        low=np.array([100.0, 101.0]),
        close=np.array([100.0, 104.0]),
    )
    expected = np.log(1.02) ** 2 + 0.5 * np.log(105 / 101) ** 2 - (2 * np.log(2) - 1) * np.log(104 / 102) ** 2
    np.testing.assert_allclose(bar_variance(bars), [np.nan, expected])
    np.testing.assert_allclose(bar_variance(dataclasses.replace(bars, has_range=False)), [np.nan, np.log(1.04) ** 2])


@pytest.mark.parametrize("n", [0, 1])
def test_bars_too_few_for_a_return_have_no_label(make_bars, n):
    bars = make_bars(n=n)
    assert np.isnan(bar_variance(bars)).all() and len(bar_variance(bars)) == n
    assert (direction_labels(bars.close, np.full(n, 0.01), 1, LabelConfig()) == -1).all()


def test_variance_is_unbiased_for_a_random_walk():
    rng = np.random.default_rng(4)
    days, steps, sigma = 1500, 1600, 0.02
    path = np.cumsum(rng.normal(0.0, sigma / np.sqrt(steps), days * steps)).reshape(days, steps)
    from features.bars.schema import SymbolBars

    prices = np.exp(path)
    dates = np.datetime64("2000-01-03", "ns") + np.arange(days) * np.timedelta64(1, "D")
    bars = SymbolBars(
        "X", dates, prices[:, 0], prices.max(1), prices.min(1), prices[:, -1], np.zeros(days), True, False
    )
    # With 1,600 observations a day the range is too narrow by a few per cent.
    assert np.nanmean(bar_variance(bars)) / sigma**2 == pytest.approx(1.0, abs=0.08)


variances = st.lists(st.one_of(st.floats(0.0, 1.0), st.just(np.nan)), min_size=1, max_size=40).map(np.array)


@settings(max_examples=60, deadline=None)
@given(variances, st.sampled_from([0.5, 0.94, 0.99]))
def test_ewma_is_the_weighted_mean_of_past_values(variance, lam):
    got = ewma_volatility(variance, lam)
    for t in range(len(variance)):
        past = variance[: t + 1][::-1]
        weights = np.where(np.isnan(past), 0.0, lam ** np.arange(t + 1))
        expected = np.sqrt((weights * np.nan_to_num(past)).sum() / weights.sum()) if weights.sum() else np.nan
        np.testing.assert_allclose(got[t], expected, rtol=1e-9, atol=1e-12)


closes = st.lists(st.floats(1.0, 1e4), min_size=1, max_size=60).map(np.array)


@settings(max_examples=80, deadline=None)
@given(closes, st.integers(1, 10), st.floats(0.0, 2.0), st.sampled_from(["volatility", "threshold"]))
def test_direction_is_the_sign_of_the_return_outside_the_band(close, horizon, k, mode):
    vol = np.full(len(close), 0.02)
    vol[0] = np.nan
    label = LabelConfig(mode=mode, k=k, threshold=0.01)
    got = direction_labels(close, vol, horizon, label)
    assert got.dtype == np.int8
    for t in range(len(close)):
        if t + horizon >= len(close) or (mode == "volatility" and t == 0):
            assert got[t] == -1
            continue
        forward = np.log(close[t + horizon] / close[t])
        band = k * 0.02 * np.sqrt(horizon) if mode == "volatility" else 0.01
        assert got[t] == (2 if forward > band else 0 if forward < -band else 1)


def test_default_band_makes_three_equal_classes_of_a_normal_walk():
    rng = np.random.default_rng(0)
    close = np.exp(np.cumsum(rng.normal(0.0, 0.01, 60_000)))
    for horizon in (1, 5):
        labels = direction_labels(close, np.full(60_000, 0.01), horizon, LabelConfig())[:-horizon]
        np.testing.assert_allclose(np.bincount(labels) / len(labels), 1 / 3, atol=0.02)


@settings(max_examples=60, deadline=None)
@given(variances, st.integers(1, 12))
def test_volatility_target_is_the_mean_of_the_next_bars(variance, horizon):
    got = volatility_target(variance, horizon)
    for t in range(len(variance)):
        future = variance[t + 1 : t + 1 + horizon]
        expected = future.mean() if len(future) == horizon else np.nan
        np.testing.assert_allclose(got[t], expected, rtol=1e-9, atol=1e-15)


def test_labels_do_not_depend_on_bars_beyond_the_horizon(make_bars):
    bars = make_bars(n=80)
    vol = ewma_volatility(bar_variance(bars), 0.94)
    close = bars.close.copy()
    close[50:] *= 3.0
    for horizon in (1, 5):
        for label in (LabelConfig(), LabelConfig(mode="threshold")):
            a, b = (direction_labels(c, vol, horizon, label) for c in (bars.close, close))
            np.testing.assert_array_equal(a[: 50 - horizon], b[: 50 - horizon])
        np.testing.assert_array_equal(*(forward_return(c, horizon)[: 50 - horizon] for c in (bars.close, close)))


def test_annualised_volatility_of_one_per_cent_a_day():
    assert annualised(np.array([0.0001]), 252.0)[0] == pytest.approx(np.sqrt(252) * 0.01)
