"""EGARCH: arch's recursion, its mean against simulation, and predictors of one member only."""

import numpy as np
import pytest
from arch.univariate import EGARCH, ConstantMean, Normal

from configs.errors import ConfigError
from training import VolatilityPredictor
from training.models.volatility.egarch import egarch_filter, egarch_mean
from training.models.volatility.members.garch import estimate_garch

TRUE = np.array([2e-4, -0.45, 0.12, -0.08, 0.95])


def simulate(parameters, shocks, log_variance):
    """Return variances (n, T + 1) and returns (n, T) from shocks (n, T)."""
    mu, omega, alpha, gamma, beta = parameters
    logs, out = [np.full(len(shocks), log_variance)], []
    for z in shocks.T:
        out.append(mu + z * np.exp(0.5 * logs[-1]))
        logs.append(omega + alpha * (np.abs(z) - np.sqrt(2 / np.pi)) + gamma * z + beta * logs[-1])
    return np.exp(np.stack(logs, axis=1)), np.stack(out, axis=1)


@pytest.fixture(scope="module")
def returns():
    return simulate(TRUE, np.random.default_rng(3).normal(size=(1, 4000)), -9.0)[1][0]


def test_the_filter_is_archs_recursion(returns):
    process = EGARCH(1, 1, 1)
    ConstantMean(returns, volatility=process, distribution=Normal(), rescale=False)
    residual = returns - TRUE[0]
    recursion, bounds = np.empty(len(returns)), process.variance_bounds(residual)
    process.compute_variance(TRUE[1:], residual, recursion, process.backcast(residual), bounds)
    np.testing.assert_allclose(egarch_filter(TRUE, returns)[:-1], recursion[1:], rtol=1e-9)


def test_the_estimate_does_not_depend_on_the_unit_and_finds_the_truth(returns):
    found = estimate_garch(returns, "EGARCH")
    np.testing.assert_allclose(found[2:], TRUE[2:], atol=0.06)
    assert found[1] / (1 - found[4]) == pytest.approx(TRUE[1] / (1 - TRUE[4]), abs=0.3), "the mean log variance"
    times_ten = estimate_garch(10 * returns, "EGARCH")
    np.testing.assert_allclose(times_ten[2:], found[2:], rtol=1e-3, atol=1e-4)


def test_the_mean_over_the_horizon_is_that_of_simulated_paths():
    variance = np.exp(-8.0)
    paths, _ = simulate(TRUE, np.random.default_rng(0).normal(size=(200_000, 4)), -8.0)
    mean = egarch_mean(TRUE[None], np.array([variance]), np.array([0]), 5)
    assert mean[0] == pytest.approx(paths.mean(), rel=2e-3)
    assert egarch_mean(TRUE[None], np.array([variance]), np.array([0]), 1)[0] == pytest.approx(variance)


@pytest.mark.parametrize(
    ("model", "garch", "member"),
    [
        ("garch", "GARCH", "garch"),
        ("garch", "EGARCH", "garch"),
        ("garch", "GJR", "garch"),
        ("har", None, "log_har"),
        ("lstm", None, "lstm"),
        ("forest", None, "forest"),
        ("ewma", None, "ewma"),
        ("linear", None, "linear"),
        ("boosting", None, "boosting"),
    ],
)
def test_one_member_is_the_whole_model(make_universe, tiny_config, model, garch, member):
    bars = make_universe(("AAA", "BBB"), bars=600)
    predictor = VolatilityPredictor(tiny_config(), model_type=model, garch_type=garch).fit(bars)
    examples = predictor.examples(bars)
    columns, others = predictor.compare(examples.panel, examples.part("test"))
    used = ~columns["fallback"] & np.isfinite(others[member])
    assert used.mean() > 0.9
    np.testing.assert_allclose(columns["variance"][used], others[member][used], rtol=1e-6)
    again = VolatilityPredictor.from_state(predictor.symbols, predictor.to_arrays(), predictor.meta())
    np.testing.assert_array_equal(predictor.predict(bars)["volatility"], again.predict(bars)["volatility"])
    if model == "garch":
        parameters, is_log = again._ensemble.members["garch"].parameters, again._ensemble.members["garch"].is_log
        assert is_log.all() == (garch == "EGARCH") and np.isfinite(parameters[:2]).all()
        assert (parameters[:2, 3] == 0).all() == (garch == "GARCH"), "leverage"


def test_the_three_garches_differ_and_an_unknown_one_is_refused(make_universe, tiny_config):
    bars = make_universe(("AAA",), bars=500)
    found = [
        VolatilityPredictor(tiny_config(), model_type="garch", garch_type=garch).fit(bars).predict(bars)["volatility"]
        for garch in ("GARCH", "EGARCH", "gjr")
    ]
    assert not np.allclose(found[0], found[1]) and not np.allclose(found[1], found[2])
    with pytest.raises(ConfigError, match=r"volatility\.garch has value 'ARIMA'; expected GARCH, EGARCH or GJR"):
        VolatilityPredictor(garch_type="ARIMA")
    with pytest.raises(ConfigError, match=r"volatility\.model has value 'prophet'"):
        VolatilityPredictor(model_type="prophet")
