from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from sklearn import metrics as sk

from training.metrics import calibration, classification, volatility


def distributions(seed: int, rows: int = 300, concentration: float = 2.0) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet([concentration] * 3, rows)


def draw(probabilities: np.ndarray, seed: int) -> np.ndarray:
    uniform = np.random.default_rng(seed).random(len(probabilities))
    return np.minimum((uniform[:, None] > probabilities.cumsum(axis=1)).sum(axis=1), 2)


variances = st.floats(1e-10, 1e2)
seeds = st.integers(0, 10_000)


@pytest.mark.slow
@settings(deadline=None)
@given(seeds)
def test_scores_agree_with_scikit_learn(seed: int) -> None:
    p = distributions(seed)
    y, z = draw(p, seed + 1), p.argmax(axis=1)
    assert classification.log_loss(y, p) == pytest.approx(sk.log_loss(y, p, labels=[0, 1, 2]), abs=1e-12)
    assert classification.mcc(y, z) == pytest.approx(sk.matthews_corrcoef(y, z), abs=1e-12)
    assert classification.accuracy(y, z) == pytest.approx(sk.accuracy_score(y, z), abs=1e-12)
    assert classification.balanced_accuracy(y, z) == pytest.approx(sk.balanced_accuracy_score(y, z), abs=1e-12)
    assert classification.brier(y, p) == pytest.approx(
        np.mean([((p[i] - np.eye(3)[y[i]]) ** 2).sum() for i in range(len(y))])
    )


@settings(deadline=None)
@given(variances, variances, st.floats(1e-6, 1e6))
def test_qlike_is_positive_scale_free_and_zero_only_at_the_truth(y: float, f: float, scale: float) -> None:
    loss = volatility.qlike([y], [f])
    assert loss >= 0.0
    assert volatility.qlike([y], [y]) == 0.0
    assert volatility.qlike([y * scale], [f * scale]) == pytest.approx(loss, rel=1e-6, abs=1e-12)
    if abs(y / f - 1.0) > 1e-6:
        assert loss > 0.0
        assert loss == pytest.approx(y / f - np.log(y / f) - 1.0, rel=1e-3, abs=1e-15)


@settings(deadline=None)
@given(hnp.arrays(np.int64, 60, elements=st.integers(0, 2)), hnp.arrays(np.int64, 60, elements=st.integers(0, 2)))
def test_mcc_is_bounded_symmetric_and_invariant_to_names_of_classes(y: np.ndarray, z: np.ndarray) -> None:
    value = classification.mcc(y, z)
    assert -1.0 - 1e-12 <= value <= 1.0 + 1e-12
    assert classification.mcc(z, y) == pytest.approx(value, abs=1e-12)
    names = np.array([2, 0, 1])
    assert classification.mcc(names[y], names[z]) == pytest.approx(value, abs=1e-12)
    assert classification.mcc(y, y) == (pytest.approx(1.0) if len(np.unique(y)) > 1 else 0.0)
    assert classification.mcc(y, np.ones_like(y)) == 0.0


@settings(deadline=None)
@given(seeds, st.floats(-0.2, 0.2))
def test_expected_log_loss_is_least_at_the_truth(seed: int, tilt: float) -> None:
    truth = distributions(seed, rows=1)[0]
    other = truth * np.exp(tilt * np.array([1.0, 0.0, -1.0]))
    other /= other.sum()

    def expected(score: object, q: np.ndarray) -> float:
        return float(truth @ score([0, 1, 2], np.tile(q, (3, 1))))  # type: ignore[operator]

    for score in (classification.log_loss_rows, classification.brier_rows):
        assert expected(score, truth) <= expected(score, other) + 1e-12


@pytest.mark.parametrize("error", [calibration.expected_calibration_error, calibration.classwise_calibration_error])
def test_calibration_error_is_near_zero_if_calibrated_and_positive_if_overconfident(error: object) -> None:
    p = distributions(1, rows=200_000)
    y = draw(p, 2)
    sharper = p**3 / (p**3).sum(axis=1, keepdims=True)
    assert error(y, p) < 0.006  # type: ignore[operator]
    assert error(y, sharper) > 0.05  # type: ignore[operator]


def test_calibration_error_of_a_constant_forecast_is_its_distance_from_the_frequency() -> None:
    confidence, right = np.full(1000, 0.6), np.arange(1000) < 500
    assert calibration.binary_calibration_error(confidence, right) == pytest.approx(0.1)


def test_volatility_errors_are_those_of_annualised_volatility() -> None:
    rng = np.random.default_rng(3)
    y, f = np.exp(rng.normal(size=500)) * 1e-4, np.exp(rng.normal(size=500)) * 1e-4
    year = np.where(np.arange(500) < 250, 252.0, 1764.0)
    vol, forecast = np.sqrt(year * y), np.sqrt(year * f)
    assert volatility.vol_mse(y, f, year) == pytest.approx(sk.mean_squared_error(vol, forecast))
    assert volatility.vol_r2(y, f, year) == pytest.approx(sk.r2_score(vol, forecast))


def test_up_down_accuracy_excludes_sideways_and_counts_ties_half() -> None:
    p = np.array([[0.5, 0.2, 0.3], [0.2, 0.6, 0.2], [0.1, 0.2, 0.7], [0.1, 0.8, 0.1]])
    assert classification.up_down_accuracy([0, 2, 0, 1], p) == pytest.approx((1 + 0.5 + 0) / 3)
    assert np.isnan(classification.up_down_accuracy([1], p[:1]))


@pytest.mark.parametrize(
    ("labels", "probabilities", "message"),
    [
        ([0, 1], np.full((3, 3), 1 / 3), "shape"),
        ([], np.zeros((0, 3)), "n ≥ 1"),
        ([3], np.full((1, 3), 1 / 3), "integers"),
        ([0.5], np.full((1, 3), 1 / 3), "integers"),
        ([np.nan], np.full((1, 3), 1 / 3), "integers"),
        ([0], [[np.nan, 0.5, 0.5]], "finite"),
        ([0], [[0.2, 0.2, 0.2]], "sum to one"),
        ([0], [[-0.5, 1.0, 0.5]], "non-negative"),
    ],
)
def test_invalid_direction_forecasts_are_rejected(labels: list[float], probabilities: np.ndarray, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classification.log_loss(labels, probabilities)


@pytest.mark.parametrize(
    ("target", "forecast"), [([np.nan], [1.0]), ([0.0], [1.0]), ([1.0], [-1.0]), ([1.0, 2.0], [1.0])]
)
def test_invalid_variances_are_rejected(target: list[float], forecast: list[float]) -> None:
    with pytest.raises(ValueError, match=r"positive|shape"):
        volatility.qlike(target, forecast)
