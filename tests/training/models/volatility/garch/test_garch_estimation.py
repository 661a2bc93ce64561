"""Newton's method finds at least the likelihood that ``arch`` finds, for each symbol by itself."""

from __future__ import annotations

import numpy as np
import pytest

from training.models.volatility.garch.by_arch import fit_with_arch
from training.models.volatility.garch.estimation import best_fit, estimate_garch
from training.models.volatility.garch.likelihood import StudentLikelihood
from training.models.volatility.garch.log_variance import RecursionStart
from training.models.volatility.garch.recursions import RECURSIONS

DYNAMICS = {
    "leverage": (0.02, 0.12, 0.9, 6.0),
    "symmetric": (0.1, 0.0, 0.85, 5.0),
    "integrated": (0.08, 0.0, 0.919, 8.0),
    "bursts": (0.3, 0.2, 0.2, 4.0),
    "normal shocks": (0.05, 0.06, 0.9, 200.0),
    "heavy tails": (0.1, 0.0, 0.88, 2.6),
}


def simulate(alpha, gamma, beta, nu, n=900, seed=0):
    """GJR-GARCH returns with Student's t shocks, of variance near 1e-4."""
    shocks = np.random.default_rng(seed).standard_t(nu, n) * np.sqrt((nu - 2.0) / nu)
    omega = 1e-4 * max(1.0 - alpha - gamma / 2 - beta, 1e-3)
    returns, variance = np.empty(n), 1e-4
    for t, shock in enumerate(shocks):
        move = np.sqrt(variance) * shock
        returns[t] = 3e-4 + move
        variance = omega + (alpha + gamma * (move < 0)) * move**2 + beta * variance
    return returns


def odd_series():
    """Return series that are no GARCH at all."""
    rng = np.random.default_rng(5)
    noise = 0.01 * rng.normal(size=700)
    jump, level, halts = noise.copy(), noise.copy(), noise.copy()
    jump[350] = 0.8
    level[:350] *= 20.0
    halts[rng.random(700) < 0.4] = 0.0
    return {"noise": noise, "jump": jump, "level": level, "halts": halts, "ticks": 0.005 * np.round(200.0 * noise)}


SERIES = {name: simulate(*values) for name, values in DYNAMICS.items()} | odd_series()


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name in SERIES for kind in ("GARCH", "GJR")] + [(name, "EGARCH") for name in DYNAMICS],
)
def test_the_likelihood_is_at_least_archs(name, kind):
    returns = SERIES[name] / SERIES[name].std()
    reference, found = fit_with_arch(returns, kind), best_fit(returns, RECURSIONS[kind])
    assert found.converged and found.value > reference.value - 1e-3
    same = StudentLikelihood(
        RECURSIONS[kind].variance(found.parameters[:5], returns, RecursionStart.of(returns)), found.parameters[5]
    )
    assert same.value == found.value


@pytest.mark.parametrize("kind", RECURSIONS)
def test_the_likelihood_of_given_parameters_is_archs(kind):
    returns = SERIES["leverage"] / SERIES["leverage"].std()
    reference = fit_with_arch(returns, kind)
    variance = RECURSIONS[kind].variance(reference.parameters[:5], returns, RecursionStart.of(returns))
    assert StudentLikelihood(variance, reference.parameters[5]).value == pytest.approx(reference.value, abs=1e-8)


@pytest.mark.parametrize("kind", RECURSIONS)
def test_derivatives_are_those_of_differences(kind):
    returns = SERIES["leverage"] / SERIES["leverage"].std()
    start = RecursionStart.of(returns)
    at = np.array([0.03, 0.02, 0.15, -0.06 if kind == "EGARCH" else 0.06, 0.8, 0.15])

    def likelihood(parameters):
        return StudentLikelihood(RECURSIONS[kind].variance(parameters[:5], returns, start), parameters[5])

    gradient, hessian = likelihood(at).derivatives()
    sides = [(likelihood(at + step), likelihood(at - step)) for step in 1e-6 * np.eye(6)]
    np.testing.assert_allclose(gradient, [(up.value - down.value) / 2e-6 for up, down in sides], rtol=1e-4, atol=1e-3)
    differences = [(up.derivatives()[0] - down.derivatives()[0]) / 2e-6 for up, down in sides]
    np.testing.assert_allclose(hessian, differences, rtol=1e-4, atol=1e-4 * np.abs(hessian).max())


def test_the_information_is_the_mean_curvature_at_the_truth():
    at = np.array([0.0, 0.05, 0.1, 0.05, 0.825, 1.0 / 6.0])
    curvature, information = np.zeros((6, 6)), np.zeros((6, 6))
    for seed in range(12):
        returns = (simulate(0.1, 0.05, 0.825, 6.0, 1500, seed) - 3e-4) / 1e-2
        likelihood = StudentLikelihood(RECURSIONS["GJR"].variance(at[:5], returns, RecursionStart.of(returns)), at[5])
        curvature -= likelihood.derivatives()[1]
        information += likelihood.information()
    size = np.sqrt(np.diag(information))
    np.testing.assert_allclose(curvature / np.outer(size, size), information / np.outer(size, size), atol=0.12)


def test_a_search_that_newton_cannot_finish_is_archs():
    cycle = 0.01 * np.sin(np.arange(600) / 7.0)
    standard = cycle / cycle.std()
    assert not best_fit(standard, RECURSIONS["GJR"]).converged
    reference = fit_with_arch(standard, "GJR")
    expected = reference.parameters[:5] * np.array([cycle.std(), cycle.var(), 1.0, 1.0, 1.0])
    np.testing.assert_allclose(estimate_garch(cycle), expected, rtol=1e-12)


@pytest.mark.parametrize("kind", ["GARCH", "GJR"])
def test_estimates_are_a_variance_on_series_that_are_no_garch(kind):
    for name, returns in odd_series().items():
        _, omega, alpha, gamma, beta = estimate_garch(returns, kind)
        assert omega > 0 and alpha >= 0 and beta >= 0, name
        assert alpha + gamma > -1e-6 and alpha + gamma / 2 + beta < 1 + 1e-6, name
