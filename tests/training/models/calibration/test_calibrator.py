from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize

from training.metrics import calibration, classification
from training.models.calibration.calibrator import Calibrator, fit_calibrator, fit_pooled
from training.models.calibration.softmax_newton import MIN_SCALE, derivatives, loss_rows, newton, softmax

PRIOR = np.log([0.3, 0.38, 0.32])


def simulate(
    skill: float, symbols: int, bars: int, seed: int, sharpness: float = 1.0, shock: float = 0.0
) -> tuple[np.ndarray, ...]:
    """Return logits, labels, symbol, day; without skill logits are noise, ``shock`` moves a day's symbols together."""
    rng = np.random.default_rng(seed)
    rows = symbols * bars
    day = np.tile(np.arange(bars), symbols)
    z = rng.normal(size=(rows, 3))
    p = softmax(skill * z + PRIOR + shock * rng.normal(size=(bars, 3))[day])
    y = np.minimum((rng.random(rows)[:, None] > p.cumsum(axis=1)).sum(axis=1), 2)
    return (sharpness * (skill * z + PRIOR) if skill else z), y, np.repeat(np.arange(symbols), bars), day


def calibrate(z: np.ndarray, y: np.ndarray, row: np.ndarray, day: np.ndarray, **options: float) -> Calibrator:
    pooled = fit_pooled(z, y, day)
    return fit_calibrator(z, y, row, int(row.max()) + 1, pooled, **options)  # type: ignore[arg-type]


def test_newton_agrees_with_a_general_optimiser() -> None:
    z, y, _, _ = simulate(1.0, 1, 800, 0, sharpness=2.0)
    one = np.zeros(len(y), dtype=np.int64)
    free = np.ones(4, dtype=bool)
    mine = newton(z, y, one, np.array([[1.0, 0, 0, 0]]), np.zeros((4, 4)), 0.0, free)
    reference = minimize(lambda t: loss_rows(z, y, t[None], one).sum(), [1.0, 0, 0, 0], tol=1e-10)
    assert loss_rows(z, y, mine, one).sum() == pytest.approx(reference.fun, abs=1e-6)
    np.testing.assert_allclose(mine[0, 0], reference.x[0], rtol=1e-4)


def test_derivatives_agree_with_finite_differences() -> None:
    z, y, row, _ = simulate(0.5, 3, 40, 1)
    theta = np.random.default_rng(2).normal(size=(3, 4)) + 1.0
    gradient, hessian = derivatives(z, y, row, theta)
    step = 1e-5
    for k in range(4):
        nudge = step * np.eye(4)[k]
        up, down = theta + nudge, theta - nudge
        loss = [np.bincount(row, weights=loss_rows(z, y, t, row)) for t in (up, down)]
        np.testing.assert_allclose(gradient[:, k], (loss[0] - loss[1]) / (2 * step), rtol=1e-5, atol=1e-5)
        slopes = [derivatives(z, y, row, t)[0] for t in (up, down)]
        np.testing.assert_allclose(hessian[:, k], (slopes[0] - slopes[1]) / (2 * step), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("shock", [0.0, 0.3])
@pytest.mark.parametrize("symbols", [1, 8, 100])
def test_network_without_skill_ends_at_the_class_prior(symbols: int, shock: float) -> None:
    z, y, row, day = simulate(0.0, symbols, 250, 3, shock=shock)
    fresh = simulate(0.0, symbols, 500, 4)
    frequency = np.bincount(y, minlength=3) / len(y)
    p = calibrate(z, y, row, day).apply(fresh[0], fresh[2])
    assert np.abs(p - frequency).mean() < 0.01
    assert np.quantile(np.abs(p - frequency), 0.95) < 0.02
    assert classification.log_loss(fresh[1], p) < classification.log_loss(fresh[1], softmax(fresh[0])) - 0.2


def test_prior_of_train_is_used_where_there_is_no_skill() -> None:
    z, y, _, day = simulate(0.0, 20, 250, 5)
    prior = softmax(PRIOR)
    pooled = fit_pooled(z, y, day, prior=prior)
    assert pooled.parameters[0] == MIN_SCALE
    np.testing.assert_allclose(softmax(pooled.parameters[1:]), prior, atol=1e-3)


def test_a_market_wide_shock_in_the_validation_year_is_not_learned() -> None:
    z, y, row, day = simulate(0.5, 50, 250, 5)
    risen = np.where((y == 0) & (day % 5 == 0), 2, y)
    assert np.bincount(risen)[2] > 1.15 * np.bincount(y)[2]
    means, moved = [], []
    for labels in (y, risen):
        pooled = fit_pooled(z, labels, day, prior=softmax(PRIOR))
        own = fit_calibrator(z, labels, row, 50, pooled)
        means.append([c.mean(axis=0) for c in (own.apply(z, row), own.apply(z, np.full(len(z), -1)))])
        moved.append(np.mean(np.abs(own.parameters - pooled.parameters).max(axis=1) > 1e-3))
    np.testing.assert_allclose(means[1], means[0], atol=0.01)
    assert moved[1] < moved[0] + 0.2, "no more symbols find something of their own than in a quiet year"


def test_overlapping_labels_carry_less_information() -> None:
    """Twenty bars' returns on every bar: neighbours share nineteen of them, and the network's noise lasts as long."""
    horizon, bars, symbols = 20, 250, 40
    rng = np.random.default_rng(11)
    smooth = np.apply_along_axis(
        np.convolve, 1, rng.normal(size=(symbols, bars + horizon - 1)), np.ones(horizon), "valid"
    )
    y = np.searchsorted([-0.43 * np.sqrt(horizon), 0.43 * np.sqrt(horizon)], smooth.ravel())
    noise = rng.normal(size=(symbols, bars + horizon - 1, 3))
    z = np.stack([np.apply_along_axis(np.convolve, 1, noise[..., k], np.ones(horizon), "valid") for k in range(3)], -1)
    z = z.reshape(-1, 3) / np.sqrt(horizon)
    row, day = np.repeat(np.arange(symbols), bars), np.tile(np.arange(bars), symbols)
    prior = np.full(3, 1 / 3)
    away = {}
    for assumed in (1, horizon):
        own = fit_calibrator(z, y, row, symbols, fit_pooled(z, y, day, prior=prior, horizon=assumed), horizon=assumed)
        away[assumed] = np.sqrt(np.mean((own.apply(z, row) - prior) ** 2))
    assert away[horizon] < 0.01
    assert away[horizon] < 0.5 * away[1]


def test_overconfidence_is_corrected_and_skill_is_preserved() -> None:
    z, y, row, day = simulate(1.0, 50, 250, 6, sharpness=3.0)
    c = calibrate(z, y, row, day)
    assert c.pooled[0] == pytest.approx(1 / 3, rel=0.05)
    fresh = simulate(1.0, 50, 500, 7, sharpness=3.0)
    p = c.apply(fresh[0], fresh[2])
    assert calibration.expected_calibration_error(fresh[1], p) < 0.015
    assert classification.log_loss(fresh[1], p) < classification.log_loss(fresh[1], softmax(fresh[0] / 3.0)) + 0.002


@pytest.mark.parametrize("method", ["vector", "temperature", "none"])
@pytest.mark.parametrize(("skill", "sharpness"), [(0.0, 1.0), (0.1, 1.0), (0.3, 1.0), (1.0, 0.3), (1.0, 4.0)])
def test_calibration_costs_a_few_nats_at_most_on_all_validation_rows(
    skill: float, sharpness: float, method: str
) -> None:
    for seed in range(3):
        z, y, row, day = simulate(skill, 6, 120, seed, sharpness)
        pooled = fit_pooled(z, y, day, method)  # type: ignore[arg-type]
        raw = classification.log_loss(y, softmax(z))
        for shrinkage in (0.0, 500.0):
            c = fit_calibrator(z, y, row, 6, pooled, method, shrinkage)  # type: ignore[arg-type]
            assert classification.log_loss(y, c.apply(z, row)) <= raw + 2.0 / len(y)
        if method == "none":
            np.testing.assert_allclose(c.apply(z, row), softmax(z))


def test_symbols_own_rows_decide_only_when_there_are_many() -> None:
    z, y, row, _ = simulate(1.0, 3, 4000, 8)
    z[row == 2] *= 4.0
    pooled = fit_pooled(z[row == 0], y[row == 0], np.arange(4000))
    keep = (row != 1) | (np.arange(len(row)) % 4000 < 20)
    c = fit_calibrator(z[keep], y[keep], row[keep], 4, pooled)
    assert c.parameters[2, 0] == pytest.approx(0.25, rel=0.15)
    np.testing.assert_allclose(c.parameters[1], pooled.parameters, atol=0.1)
    np.testing.assert_array_equal(c.parameters[3], pooled.parameters)


def test_result_of_a_symbol_does_not_depend_on_its_neighbours() -> None:
    z, y, row, day = simulate(0.5, 5, 300, 9)
    pooled = fit_pooled(z, y, day)
    together = fit_calibrator(z, y, row, 5, pooled, shrinkage=50.0)
    alone = fit_calibrator(z[row == 3], y[row == 3], np.zeros(300), 1, pooled, shrinkage=50.0)
    np.testing.assert_allclose(alone.parameters[0], together.parameters[3], atol=1e-6)


def test_to_arrays_round_trips_and_unknown_symbols_get_the_pooled_calibration() -> None:
    z, y, row, day = simulate(0.5, 4, 200, 10)
    c = calibrate(z, y, row, day)
    again = Calibrator.from_arrays(c.to_arrays())
    np.testing.assert_array_equal(again.apply(z, row), c.apply(z, row))
    np.testing.assert_allclose(c.apply(z[:2], [-1, -1]), softmax(c.pooled[0] * z[:2] + c.pooled[1:]))
    shifted = c.apply(z + 7.0, row)
    np.testing.assert_allclose(shifted, c.apply(z, row), atol=1e-12)


def test_classes_that_never_occur_and_separable_rows_stay_finite() -> None:
    z = np.eye(3)[[0, 2, 0, 2, 0, 2]] * 50.0
    y = np.array([0, 2, 0, 2, 0, 2])
    c = calibrate(z, y, np.array([0, 0, 0, 1, 1, 1]), np.arange(6))
    p = c.apply(z, [0] * 6)
    assert np.isfinite(p).all() and np.abs(p.sum(axis=1) - 1).max() < 1e-12


def test_invalid_input_is_rejected() -> None:
    z, y, row, day = simulate(0.5, 2, 20, 11)
    with pytest.raises(ValueError, match="finite"):
        fit_pooled(np.full_like(z, np.nan), y, day)
    with pytest.raises(ValueError, match="rows"):
        fit_pooled(z[:-1], y, day)
    pooled = fit_pooled(z, y, day)
    with pytest.raises(ValueError, match=r"\[0, 1\)"):
        fit_calibrator(z, y, row, 1, pooled)
    with pytest.raises(ValueError, match="negative"):
        fit_calibrator(z, y, row, 2, pooled, shrinkage=-1.0)
    with pytest.raises(ValueError, match="from -1 to 1"):
        fit_calibrator(z, y, row, 2, pooled).apply(z, row + 1)
