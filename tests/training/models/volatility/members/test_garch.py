from __future__ import annotations

import warnings

import numpy as np
import pytest
from arch.univariate import GARCH, ConstantMean, StudentsT

from training.models.volatility.fleet_state import symbol_index
from training.models.volatility.garch.estimation import estimate_garch
from training.models.volatility.members.garch import GarchFleet, fit_garch, garch_filter


def simulate(n, mu=0.0, omega=2e-6, alpha=0.05, gamma=0.06, beta=0.9, seed=0):
    """GJR-GARCH returns with normal shocks."""
    rng = np.random.default_rng(seed)
    returns, variance = np.empty(n), omega / (1 - alpha - gamma / 2 - beta)
    for t in range(n):
        shock = np.sqrt(variance) * rng.normal()
        returns[t] = mu + shock
        variance = omega + (alpha + gamma * (shock < 0)) * shock**2 + beta * variance
    return returns


def prices(returns):
    return 50.0 * np.exp(np.concatenate([[0.0], np.cumsum(returns)]))


def test_the_linear_filter_is_archs_recursion():
    returns = simulate(1200, mu=3e-4)
    for gamma_order in (0, 1):
        process = GARCH(1, gamma_order, 1)
        model = ConstantMean(100 * returns, volatility=process, distribution=StudentsT(), rescale=False)
        fit = model.fit(disp="off")
        p = fit.params
        gamma = p["gamma[1]"] if gamma_order else 0.0
        parameters = np.array([p["mu"] / 100, p["omega"] / 1e4, p["alpha[1]"], gamma, p["beta[1]"]])
        ours = garch_filter(parameters, returns)
        residual = returns - parameters[0]
        recursion, bounds = np.empty(1200), process.variance_bounds(residual)
        process.compute_variance(
            parameters[[1, 2, 3, 4] if gamma_order else [1, 2, 4]],
            residual,
            recursion,
            process.backcast(residual),
            bounds,
        )
        np.testing.assert_allclose(ours[:-1], recursion[1:], rtol=1e-11)
        # arch itself keeps the backcast of its first guess of the mean, which is forgotten as β^t.
        np.testing.assert_allclose(ours[500:-1], fit.conditional_volatility[501:] ** 2 / 1e4, rtol=1e-9)
        ahead = fit.forecast(horizon=1, reindex=False).variance.to_numpy()[-1, 0]
        assert ours[-1] == pytest.approx(ahead / 1e4, rel=1e-9)


def test_the_mean_over_the_horizon_is_archs_analytic_forecast():
    returns = simulate(800)
    model = ConstantMean(100 * returns, volatility=GARCH(1, 1, 1), rescale=False)
    fit = model.fit(disp="off")
    p = fit.params
    row = [p["mu"] / 100, p["omega"] / 1e4, p["alpha[1]"], p["gamma[1]"], p["beta[1]"]]
    fleet = GarchFleet(np.array([row]), np.ones(1), np.zeros(1, bool))
    close = prices(returns)
    f = fleet.forecast(fleet.inputs(close, np.array([0, 801])), np.zeros(801, int), 7)
    # arch writes E[1(e < 0) e²] as σ²/2 as we do, so both are the same number.
    assert f[-1] == pytest.approx(fit.forecast(horizon=7, reindex=False).variance.to_numpy()[-1].mean() / 1e4, rel=1e-9)


def test_an_integrated_garch_has_a_forecast():
    fleet = GarchFleet(np.array([[0.0, 1e-6, 0.1, 0.0, 0.9]]), np.ones(1), np.zeros(1, bool))
    f = fleet.forecast(np.array([1e-4]), np.zeros(1, int), 5)
    assert f[0] == pytest.approx(1e-4 + 1e-6 * np.mean(range(5)), rel=1e-12)


def test_estimation_recovers_simulated_parameters_within_their_standard_errors():
    truth = np.array([0.05, 0.06, 0.9])
    estimates = np.stack([estimate_garch(simulate(2500, seed=s))[2:] for s in range(24)])
    spread = estimates.std(axis=0, ddof=1)
    # The mean of 24 independent fits, against its own standard error; β is known to be biased down by about 1 / n.
    assert (np.abs(estimates.mean(axis=0) - truth) < 3.5 * spread / np.sqrt(24) + 0.01).all()
    one = ConstantMean(100 * simulate(2500, seed=0), volatility=GARCH(1, 1, 1), rescale=False).fit(disp="off")
    errors = one.std_err[["alpha[1]", "gamma[1]", "beta[1]"]].to_numpy()
    assert (np.abs(estimates[0] - truth) < 3 * errors).all()


def test_estimates_do_not_depend_on_the_unit_of_returns():
    returns = simulate(1500)
    a, b = estimate_garch(returns), estimate_garch(returns / 1000)
    np.testing.assert_allclose(a[2:], b[2:], atol=2e-3)
    assert b[1] == pytest.approx(a[1] / 1e6, rel=0.02)


def test_a_failure_is_reported_and_leaves_the_others_as_they_are():
    good = [prices(simulate(700, seed=s)) for s in (1, 2)]
    flat, short = np.full(701, 20.0), prices(simulate(60))
    broken = good[0].copy()
    broken[300:] = np.nan
    closes = [good[0], flat, short, broken, good[1]]
    offsets = np.concatenate([[0], np.cumsum([len(c) for c in closes])])
    close = np.concatenate(closes)
    target = np.full(len(close), 1e-4)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fleet, failed = fit_garch(close, target, offsets, np.ones(len(close), bool), 5)
    assert set(failed) == {1, 2, 3}
    assert "equal" in failed[1] and "60 returns" in failed[2] and "not finite" in failed[3]
    index = symbol_index(offsets)
    f = fleet.forecast(fleet.inputs(close, offsets), index, 5)
    assert np.isnan(f[np.isin(index, [1, 2, 3])]).all()
    for position, series in ((0, good[0]), (4, good[1])):
        alone, none = fit_garch(series, np.full(701, 1e-4), np.array([0, 701]), np.ones(701, bool), 5)
        assert not none
        assert np.array_equal(alone.parameters[0], fleet.parameters[position])
        mine = f[index == position]
        assert np.isnan(mine[:75]).all() and (mine[75:] > 0).all()
        assert np.mean(1e-4 / mine[75:]) == pytest.approx(1.0, abs=1e-10)


def test_neither_the_fit_nor_a_forecast_sees_what_follows():
    close = prices(simulate(900))
    rows = np.arange(901) < 600
    target = np.full(901, 1e-4)
    offsets = np.array([0, 901])
    fleet, _ = fit_garch(close, target, offsets, rows, 5)
    later = close.copy()
    later[700:] *= np.linspace(1, 3, 201)
    again, _ = fit_garch(later, target, offsets, rows, 5)
    assert np.array_equal(fleet.parameters, again.parameters) and np.array_equal(fleet.level, again.level)
    assert np.array_equal(fleet.inputs(close, offsets)[:700], fleet.inputs(later, offsets)[:700], equal_nan=True)
    early = close.copy()
    early[74:] *= 1.2
    assert np.isnan(fleet.inputs(close, offsets)[:75]).all()
