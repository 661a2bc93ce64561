"""How much of a correction is kept: all of one that is right, none of one that is noise, never more than all."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from training.calibration.evidence import kept_share
from training.calibration.newton import softmax


def drawn(strength, rows=20_000, seed=0, days=200):
    """Return base, correction, labels and days of rows whose true logits are base + strength · correction."""
    rng = np.random.default_rng(seed)
    base, correction = rng.normal(0.0, 0.3, (2, rows, 3))
    chance = softmax(base + strength * correction)
    labels = (rng.random(rows)[:, None] > chance.cumsum(axis=1)).sum(axis=1)
    return base, correction, np.minimum(labels, 2), np.arange(rows) % days


def test_a_correction_that_is_right_is_kept():
    assert kept_share(*drawn(1.0)) > 0.9
    assert kept_share(*drawn(0.5)) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("strength", [0.0, -1.0])
def test_one_that_tells_nothing_or_the_opposite_is_not(strength):
    shares = [kept_share(*drawn(strength, rows=2_000, seed=seed), caution=4.0) for seed in range(20)]
    assert np.mean(np.array(shares) == 0.0) >= 0.9


def test_more_than_all_is_never_kept():
    assert kept_share(*drawn(3.0)) == 1.0


def test_a_shock_that_all_rows_of_a_day_share_is_no_evidence():
    base, correction, labels, days = drawn(0.0, rows=2_000, days=5)
    same = np.repeat(np.eye(3)[labels[:5]], 400, axis=0)
    labels, days = np.repeat(labels[:5], 400), np.repeat(np.arange(5), 400)
    noisy = 0.05 * correction + 0.05 * same * np.where(days < 3, 1.0, -1.0)[:, None]
    alone = kept_share(base * 0.0, noisy, labels, np.arange(len(labels)))
    assert kept_share(base * 0.0, noisy, labels, days) < alone


@given(st.integers(1, 40), st.integers(0, 2**32 - 1))
def test_it_is_a_share_whatever_the_rows(rows, seed):
    rng = np.random.default_rng(seed)
    base, correction = rng.normal(0.0, 3.0, (2, rows, 3))
    share = kept_share(base, correction, rng.integers(0, 3, rows), np.arange(rows) // 3)
    assert 0.0 <= share <= 1.0


def test_of_no_correction_nothing_is_kept():
    base, correction, labels, days = drawn(1.0, rows=50)
    assert kept_share(base, 0.0 * correction, labels, days) == 0.0
