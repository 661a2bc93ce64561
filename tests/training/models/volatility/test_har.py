from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from configs.errors import ModelError
from training.models.volatility.fleet_state import symbol_index
from training.models.volatility.har import (
    BASELINE_LAGS,
    HarFleet,
    fit_per_symbol,
    fit_pooled,
    har_design,
    har_lags,
)

LAGS = (1, 5, 22)


def simulate(symbols=4, bars=600, seed=0):
    """Log variance that follows a HAR of its own for each symbol; the target is the next bar's."""
    rng = np.random.default_rng(seed)
    variance = []
    for i in range(symbols):
        b = np.array([0.2, 0.3, 0.3]) + 0.05 * i * np.array([1, -1, 0])
        v = np.full(bars + 60, 1e-4)
        for t in range(22, len(v)):
            logs = np.log([v[t - 1], v[t - 5 : t].mean(), v[t - 22 : t].mean()])
            v[t] = np.exp(np.log(1e-4) * (1 - b.sum()) + logs @ b + 0.6 * rng.normal())
        variance.append(v[60:])
    offsets = np.arange(symbols + 1) * bars
    v = np.concatenate(variance)
    target = np.append(v[1:], np.nan)
    target[offsets[1:] - 1] = np.nan
    return v, target, offsets


def test_lags_are_log_means_of_the_last_bars_and_causal():
    v, _, offsets = simulate(2, 100)
    x = har_lags(v, offsets, LAGS)
    t = 160
    np.testing.assert_allclose(x[t], np.log([v[t], v[t - 4 : t + 1].mean(), v[t - 21 : t + 1].mean()]))
    after = v.copy()
    after[t + 1 :] *= 9
    assert np.array_equal(har_lags(after, offsets, LAGS)[: t + 1], x[: t + 1], equal_nan=True)


def test_a_young_symbol_uses_all_its_bars_in_place_of_the_longest_lag():
    v, _, offsets = simulate(2, 100)
    x = har_lags(v, offsets, (1, 22, 66))
    np.testing.assert_allclose(x[130, 2], np.log(v[100:131].mean()))
    assert np.isnan(x[100:121]).all() and np.isfinite(x[121:]).all()


def test_symbols_of_all_lengths_have_the_lags_that_each_has_alone():
    rng = np.random.default_rng(3)
    lengths = np.array([100, 7, 100, 0, 30, 100, 7])
    offsets = np.append(0, np.cumsum(lengths))
    v = np.exp(rng.normal(size=offsets[-1]))
    v[rng.random(len(v)) < 0.02] = np.nan
    found = har_lags(v, offsets, LAGS)
    for start, stop in pairwise(offsets.tolist()):
        alone = har_lags(v[start:stop], np.array([0, stop - start]), LAGS)
        np.testing.assert_array_equal(found[start:stop], alone)
    assert np.isfinite(found).all(axis=1).sum() > 50


def test_a_bar_without_movement_has_a_finite_lag_and_a_flat_series_none():
    v = np.full(60, 1e-4)
    v[50] = 0.0
    x = har_lags(v, np.array([0, 60]), LAGS)
    assert x[50, 0] == pytest.approx(np.log(0.01 * v[29:51].mean()))
    assert np.isnan(har_lags(np.zeros(60), np.array([0, 60]), LAGS)).all()


def test_per_symbol_coefficients_are_least_squares():
    v, y, offsets = simulate()
    x = har_design(v, offsets, LAGS)
    rows = np.ones(len(v), bool)
    fleet = fit_per_symbol(x, y, offsets, rows, LAGS)
    for i in range(4):
        part = slice(offsets[i], offsets[i + 1])
        ok = np.isfinite(x[part]).all(axis=1) & np.isfinite(y[part])
        expected = np.linalg.lstsq(x[part][ok], np.log(y[part][ok]), rcond=None)[0]
        np.testing.assert_allclose(fleet.coefficients[i], expected, atol=1e-4)


def test_every_fit_has_mean_ratio_one_on_train():
    v, y, offsets = simulate()
    x = har_design(v, offsets, LAGS)
    index, rows = symbol_index(offsets), np.arange(len(v)) % 600 < 400
    ok = rows & np.isfinite(x).all(axis=1) & np.isfinite(y)
    own = fit_per_symbol(x, y, offsets, rows, LAGS).forecast(x, index)
    for i in range(4):
        assert np.mean((y / own)[ok & (index == i)]) == pytest.approx(1.0, abs=1e-10)
    pooled = fit_pooled(x, y, offsets, rows, LAGS).forecast(x, np.zeros(len(x), int))
    assert np.mean((y / pooled)[ok]) == pytest.approx(1.0, abs=1e-10)


def test_rows_outside_the_mask_do_not_move_a_fit():
    v, y, offsets = simulate()
    x = har_design(v, offsets, LAGS)
    rows = np.arange(len(v)) % 600 < 400
    moved, shaken = y.copy(), x.copy()
    moved[~rows] *= 100
    shaken[~rows] += 3
    before = fit_per_symbol(x, y, offsets, rows, LAGS)
    after = fit_per_symbol(shaken, moved, offsets, rows, LAGS)
    assert np.array_equal(before.coefficients, after.coefficients) and np.array_equal(before.level, after.level)


def test_pooled_coefficients_are_least_squares_over_all_symbols():
    v, y, offsets = simulate()
    x = har_design(v, offsets, LAGS)
    pooled = fit_pooled(x, y, offsets, np.ones(len(v), bool), LAGS)
    ok = np.isfinite(x).all(axis=1) & np.isfinite(y)
    np.testing.assert_allclose(pooled.coefficients[0], np.linalg.lstsq(x[ok], np.log(y[ok]), rcond=None)[0], atol=1e-4)


def test_planted_coefficients_are_recovered():
    v, _, offsets = simulate(3)
    x = har_design(v, offsets, LAGS)
    planted = np.array([[-1.0, 0.2, 0.3, 0.4], [-3.0, 0.5, 0.1, 0.1], [0.0, 0.1, 0.2, 0.7]])
    y = 1.5 * np.exp(np.einsum("nk,nk->n", x, planted[symbol_index(offsets)]))
    fleet = fit_per_symbol(x, y, offsets, np.ones(len(v), bool), LAGS)
    np.testing.assert_allclose(fleet.coefficients[:, 1:], planted[:, 1:], atol=1e-4)
    known = np.isfinite(y)
    np.testing.assert_allclose(fleet.forecast(x, symbol_index(offsets))[known], y[known], rtol=1e-4)


def test_a_symbol_fitted_in_a_block_is_the_symbol_fitted_alone():
    v, y, offsets = simulate()
    x = har_design(v, offsets, LAGS)
    rows = np.ones(len(v), bool)
    block, part = fit_per_symbol(x, y, offsets, rows, LAGS), slice(offsets[2], offsets[3])
    alone = fit_per_symbol(x[part], y[part], np.array([0, 600]), rows[part], LAGS)
    assert np.array_equal(alone.coefficients[0], block.coefficients[2]) and alone.level[0] == block.level[2]


def test_too_few_rows_give_no_forecast_alone_and_the_others_stay_as_they_are():
    v, y, offsets = simulate(2)
    x = har_design(v, offsets, LAGS)
    fleet = fit_per_symbol(x, y, offsets, np.arange(len(v)) < 600 + 4 + 7, LAGS)
    assert np.isfinite(fleet.coefficients[0]).all() and np.isnan(fleet.coefficients[1]).all()
    assert np.isnan(fleet.forecast(x, symbol_index(offsets))[600:]).all()
    enough = fit_per_symbol(x, y, offsets, np.arange(len(v)) < 600 + 4 + 8, LAGS)
    assert np.isfinite(enough.coefficients).all()
    assert np.array_equal(enough.coefficients[0], fleet.coefficients[0])


def test_a_constant_variance_is_its_own_forecast():
    v, offsets = np.full(300, 1e-4), np.array([0, 300])
    x = har_design(v, offsets, LAGS)
    fleet = fit_per_symbol(x, v, offsets, np.ones(300, bool), LAGS)
    np.testing.assert_allclose(fleet.forecast(x, np.zeros(300, int))[4:], 1e-4, rtol=1e-9)


def test_forecasts_of_any_mix_of_symbols_are_gathered():
    v, y, offsets = simulate()
    fleet = fit_per_symbol(har_design(v, offsets, LAGS), y, offsets, np.ones(len(v), bool), LAGS)
    x = fleet.inputs(v, offsets)
    whole = fleet.forecast(x, symbol_index(offsets))
    picked = np.array([2000, 100, 1300, 101])
    assert np.array_equal(fleet.forecast(x[picked], symbol_index(offsets)[picked]), whole[picked])
    assert (whole[np.isfinite(whole)] > 0).all()


def test_only_fleets_with_the_same_lags_join():
    v, y, offsets = simulate(2)
    rows = np.ones(len(v), bool)
    fleet = fit_per_symbol(har_design(v, offsets, LAGS), y, offsets, rows, LAGS)
    joined = HarFleet.concat([fleet.take([1]), HarFleet.from_arrays(fleet.to_arrays()).take([0])])
    assert np.array_equal(joined.coefficients, fleet.coefficients[::-1]) and tuple(joined.lags) == BASELINE_LAGS
    other = fit_per_symbol(har_design(v, offsets, (1, 2, 3)), y, offsets, rows, (1, 2, 3))
    with pytest.raises(ModelError, match="different lags"):
        HarFleet.concat([fleet, other])
