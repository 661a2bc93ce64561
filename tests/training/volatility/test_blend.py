from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from configs.errors import DataError
from training.volatility.blend import LEVEL_TRUST, BlendFleet, Prior, fit_blend, fit_pooled_blend
from training.volatility.intervals import conformal_ends
from training.volatility.simplex import solve_on_simplex

H = 5


def qlike(y, f):
    return float(np.mean(y / f - np.log(y / f) - 1))


def members(n=3000, seed=0, spread=(0.2, 0.4, 1.0)):
    """Forecasts that see the truth through noise of different size, and a target around the truth."""
    rng = np.random.default_rng(seed)
    truth = np.exp(-9 + rng.normal(size=n))
    forecasts = truth[:, None] * np.exp(rng.normal(size=(n, len(spread))) * spread)
    return forecasts, truth * rng.chisquare(8, n) / 8


def test_pooled_weights_are_the_optimum_that_a_general_optimiser_finds():
    forecasts, target = members()
    blend = fit_pooled_blend(forecasts, target, np.ones(len(target), bool), H, level_trust=1.0)

    def loss(theta):
        w = np.exp(theta[:3]) / np.exp(theta[:3]).sum()
        return qlike(target, np.exp(np.log(forecasts) @ w + theta[3]))

    found = minimize(loss, np.zeros(4), method="Nelder-Mead", options={"xatol": 1e-7, "fatol": 1e-12, "maxiter": 4000})
    w = np.exp(found.x[:3]) / np.exp(found.x[:3]).sum()
    np.testing.assert_allclose(blend.weights[0], w, atol=1e-3)
    f = blend.forecast(forecasts, np.zeros(len(target), int))
    assert qlike(target, f) <= found.fun + 1e-10
    assert np.mean(target / f) == pytest.approx(1.0, abs=1e-8)
    assert blend.weights[0, 0] > blend.weights[0, 1] > blend.weights[0, 2]


def test_the_blend_is_no_worse_than_any_levelled_member_on_the_rows_it_was_fitted_on():
    forecasts, target = members(seed=3)
    rows = np.ones(len(target), bool)
    best = min(qlike(target, f * np.mean(target / f)) for f in forecasts.T)
    blend = fit_pooled_blend(forecasts, target, rows, H, level_trust=1.0)
    assert qlike(target, blend.forecast(forecasts, np.zeros(len(target), int))) <= best


def test_a_part_of_the_validation_level_is_trusted_and_the_weights_are_the_same():
    forecasts, target = members()
    rows = np.ones(len(target), bool)
    whole = fit_pooled_blend(forecasts, 1.3 * target, rows, H, level_trust=1.0)
    some = fit_pooled_blend(forecasts, 1.3 * target, rows, H)
    assert some.log_level[0] == pytest.approx(whole.log_level[0] * LEVEL_TRUST)
    assert np.array_equal(some.weights, whole.weights)
    # The intervals are cut around the forecast that is made, so they do not move.
    np.testing.assert_allclose(some.ends + some.log_level[0], whole.ends + whole.log_level[0])


def test_the_fewer_days_validation_has_the_more_its_weights_are_the_prior_ones():
    forecasts, target = members()
    rows, names = np.ones(len(target), bool), ("log_har", "garch", "lstm")
    free = fit_pooled_blend(forecasts, target, rows, H).weights[0]
    away = []
    for days in (10, 250, 1000, 90_000):
        prior = Prior.of(names, np.datetime64("2000-01-01", "ns") + np.arange(days).astype("timedelta64[D]"))
        assert prior.weights.tolist() == [0.5, 0.0, 0.5] and prior.strength == 250 / days
        found = fit_pooled_blend(forecasts, target, rows, H, prior=prior).weights[0]
        away.append((np.abs(found - free).sum(), np.abs(found - prior.weights).sum()))
    assert [a for a, _ in away] == sorted((a for a, _ in away), reverse=True)
    assert away[0][1] < 0.1 and away[-1][0] < 1e-1
    assert Prior.of(("garch",), np.array(["2000-01-01"], "datetime64[ns]")).weights.tolist() == [1.0]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 4), st.integers(0, 10_000))
def test_the_quadratic_program_satisfies_its_optimality_conditions(m, seed):
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(3, m + 4, m + 1))
    a = np.einsum("sni,snj->sij", root, root)
    b = rng.normal(size=(3, m + 1)) * 3
    theta = solve_on_simplex(a, b, np.ones((3, m), bool))
    gradient = np.einsum("sij,sj->si", a, theta) - b
    for w, g in zip(theta[:, :m], gradient, strict=True):
        assert w.sum() == pytest.approx(1.0) and (w >= 0).all()
        assert abs(g[m]) < 1e-5
        # Every used member has the least gradient: moving weight elsewhere cannot help.
        assert (g[:m][w > 1e-9] <= g[:m].min() + 1e-5).all()


def test_a_missing_member_has_weight_zero_and_the_rest_add_to_one():
    forecasts, target = members(2000)
    index = np.repeat([0, 1], 1000)
    forecasts[1000:, 0] = np.nan
    rows = np.ones(2000, bool)
    pool = fit_pooled_blend(forecasts[:1000], target[:1000], rows[:1000], H)
    blend = fit_blend(forecasts, target, index, rows, 2, H, pool, 100.0)
    assert blend.weights[1, 0] == 0.0 and blend.weights[0, 0] > 0.3
    np.testing.assert_allclose(blend.weights.sum(axis=1), 1.0)
    f = blend.forecast(forecasts, index)
    assert (f > 0).all()
    assert qlike(target[1000:], f[1000:]) < qlike(target[1000:], forecasts[1000:, 2])


def test_a_forecast_missing_in_one_row_is_replaced_by_the_others():
    blend = BlendFleet(np.array([[0.6, 0.4, 0.0]]), np.zeros(1), np.zeros((1, 2)), np.zeros((1, 4, 4)))
    f = blend.forecast(
        np.array([[2.0, 2.0, 9.0], [np.nan, 3.0, 9.0], [np.nan, np.nan, 9.0], [np.nan] * 3]), np.zeros(4, int)
    )
    np.testing.assert_allclose(f, [2.0, 3.0, 9.0, np.nan])


def test_shrinkage_runs_from_the_symbols_own_optimum_to_the_pool():
    a, ya = members(1000, 1, (0.2, 1.0))
    b, yb = members(1000, 2, (1.0, 0.2))
    forecasts, target = np.concatenate([a, b]), np.concatenate([ya, 3 * yb])
    index, rows = np.repeat([0, 1], 1000), np.ones(2000, bool)
    pool = fit_pooled_blend(forecasts, target, rows, H)
    own = fit_blend(forecasts, target, index, rows, 2, H, pool, 0.0)
    alone = fit_pooled_blend(b, 3 * yb, rows[:1000], H, level_trust=1.0)
    np.testing.assert_allclose(own.weights[1], alone.weights[0], atol=1e-6)
    np.testing.assert_allclose(own.log_level[1], alone.log_level[0], atol=1e-6)
    np.testing.assert_allclose(own.ends[1], alone.ends[0], atol=1e-5)
    far = fit_blend(forecasts, target, index, rows, 2, H, pool, 1e9)
    np.testing.assert_allclose(far.weights, np.tile(pool.weights, (2, 1)), atol=1e-4)
    np.testing.assert_allclose(far.ends, np.tile(pool.ends, (2, 1)), atol=1e-4)
    distance = [
        abs(fit_blend(forecasts, target, index, rows, 2, H, pool, k).weights[0, 0] - pool.weights[0, 0])
        for k in (1.0, 30.0, 300.0, 3000.0)
    ]
    assert distance == sorted(distance, reverse=True)


def test_a_symbol_without_validation_rows_gets_the_pool():
    forecasts, target = members(1000)
    rows = np.ones(1000, bool)
    pool = fit_pooled_blend(forecasts, target, rows, H)
    blend = fit_blend(forecasts, target, np.zeros(1000, int), rows, 2, H, pool, 50.0)
    np.testing.assert_allclose(blend.weights[1], pool.weights[0], atol=1e-6)
    assert np.array_equal(blend.ends[1], pool.ends[0])


def test_a_symbol_does_not_depend_on_its_block():
    forecasts, target = members(1500)
    index, rows = np.repeat([0, 1, 2], 500), np.ones(1500, bool)
    pool = fit_pooled_blend(forecasts, target, rows, H)
    block = fit_blend(forecasts, target, index, rows, 3, H, pool, 20.0)
    part = slice(500, 1000)
    alone = fit_blend(forecasts[part], target[part], np.zeros(500, int), rows[part], 1, H, pool, 20.0)
    for name, value in alone.to_arrays().items():
        np.testing.assert_allclose(value[0], block.to_arrays()[name][1], rtol=1e-12, err_msg=name)


def test_intervals_cover_new_rows_as_often_as_they_say():
    forecasts, target = members(40_000, 5)
    fitted = np.arange(40_000) < 20_000
    for level in (0.8, 0.9):
        blend = fit_pooled_blend(forecasts, target, fitted, 1, level)
        index = np.zeros(40_000, int)
        ends = blend.interval(blend.forecast(forecasts, index), index)
        inside = ((target >= ends[:, 0]) & (target <= ends[:, 1]))[~fitted].mean()
        assert inside == pytest.approx(level, abs=0.01)


def test_few_effective_rows_widen_an_interval_to_the_extremes():
    errors = np.linspace(-1, 1, 100)
    wide = conformal_ends(errors, np.zeros(100, int), 1, 10, 0.9, None, 0.0)
    assert wide[0].tolist() == [-1.0, 1.0]
    narrow = conformal_ends(errors, np.zeros(100, int), 1, 1, 0.9, None, 0.0)
    assert -1 < narrow[0, 0] < -0.88 and 0.88 < narrow[0, 1] < 1


def test_no_validation_rows_is_one_clear_line():
    forecasts, target = members(100)
    with pytest.raises(DataError, match=r"none of 0 validation rows .* Lengthen the validation period"):
        fit_pooled_blend(forecasts, target, np.zeros(100, bool), H)
