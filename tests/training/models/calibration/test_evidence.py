"""The share of a correction that is applied: all of a true one, none of noise, never more than 1."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.models.calibration.evidence import ALONE, shrinkage_factor
from training.models.calibration.softmax_newton import softmax


def drawn(strength, rows=20_000, seed=0, days=200):
    """Return base, correction, labels and days of rows whose true logits are base + strength · correction."""
    rng = np.random.default_rng(seed)
    base, correction = rng.normal(0.0, 0.3, (2, rows, 3))
    chance = softmax(base + strength * correction)
    labels = (rng.random(rows)[:, None] > chance.cumsum(axis=1)).sum(axis=1)
    return base, correction, np.minimum(labels, 2), np.arange(rows) % days


def test_a_true_correction_gets_its_true_share():
    assert shrinkage_factor(*drawn(1.0)) > 0.9
    assert shrinkage_factor(*drawn(0.5)) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("strength", [0.0, -1.0])
def test_a_useless_or_harmful_correction_gets_none(strength):
    shares = [shrinkage_factor(*drawn(strength, rows=2_000, seed=seed), caution=4.0) for seed in range(20)]
    assert np.mean(np.array(shares) == 0.0) >= 0.9


def test_the_share_is_at_most_one():
    assert shrinkage_factor(*drawn(3.0)) == 1.0


def test_a_shock_that_all_rows_of_a_day_share_is_no_evidence():
    base, correction, labels, days = drawn(0.0, rows=2_000, days=5)
    same = np.repeat(np.eye(3)[labels[:5]], 400, axis=0)
    labels, days = np.repeat(labels[:5], 400), np.repeat(np.arange(5), 400)
    noisy = 0.05 * correction + 0.05 * same * np.where(days < 3, 1.0, -1.0)[:, None]
    independent = shrinkage_factor(base * 0.0, noisy, labels, np.arange(len(labels)))
    assert shrinkage_factor(base * 0.0, noisy, labels, days) < independent


@settings(deadline=None)
@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_the_share_is_between_zero_and_one_for_any_rows(rows, seed):
    rng = np.random.default_rng(seed)
    base, correction = rng.normal(0.0, 3.0, (2, rows, 3))
    share = shrinkage_factor(base, correction, rng.integers(0, 3, rows), np.arange(rows) // 3)
    assert 0.0 <= share <= 1.0


def test_a_correction_of_zero_gets_none():
    base, correction, labels, days = drawn(1.0, rows=50)
    assert shrinkage_factor(base, 0.0 * correction, labels, days) == 0.0


@pytest.mark.parametrize(("size", "rare"), [(3.0, 0.05), (5.0, 0.05), (2.0, 1.0)])
def test_large_and_rare_corrections_are_found(size, rare):
    rng = np.random.default_rng(4)
    for _ in range(50):
        base = rng.normal(0.0, 0.3, (2000, 3))
        correction = size * rng.normal(size=(2000, 3)) * (rng.random(2000) < rare)[:, None]
        labels = (rng.random(2000)[:, None] > softmax(base + correction).cumsum(axis=1)).sum(axis=1).clip(max=2)
        assert shrinkage_factor(base, correction, labels, np.arange(2000)) > 0.5


def test_noise_that_early_stopping_chose_rarely_gets_a_share():
    positive = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        labels, days = rng.integers(0, 3, 250), np.arange(250)
        epochs = np.cumsum(rng.normal(0.0, 0.1, (10, 250, 3)), axis=0)
        loss = [-np.log(softmax(z)[days, labels]).mean() for z in epochs]
        positive.append(
            shrinkage_factor(np.zeros((250, 3)), epochs[int(np.argmin(loss))], labels, days, caution=ALONE) > 0
        )
    assert np.mean(positive) < 0.15


def test_hours_of_one_day_are_one_day():
    base, correction, labels, _ = drawn(0.3, rows=2_000)
    days = np.datetime64("2024-01-01") + np.arange(2_000) // 8
    hours = days.astype("datetime64[ns]") + (np.arange(2_000) % 8) * np.timedelta64(1, "h")
    assert shrinkage_factor(base, correction, labels, hours) == shrinkage_factor(base, correction, labels, days)


def test_overlapping_labels_and_few_days_are_less_evidence():
    base, correction, labels, _ = drawn(1.0, rows=6_000)
    days = np.arange(6_000) // 30
    repeated = [np.repeat(values.reshape(200, 30, -1)[::5], 5, axis=0) for values in (base, correction, labels)]
    repeated = [values.reshape(6_000, -1).squeeze() for values in repeated]
    assert shrinkage_factor(*repeated, days, horizon=5) < shrinkage_factor(*repeated, days)
    assert shrinkage_factor(base, correction, labels, days * 0) == 0.0
