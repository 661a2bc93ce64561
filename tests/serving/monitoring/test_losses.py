"""Gaps are differences of proper losses, with bounds that hold for every outcome and are known before."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.monitoring.losses import (
    LossGaps,
    direction_gaps,
    excess_loss,
    excess_misses,
    step_gap,
    volatility_gaps,
)
from training.metrics.classification import brier_rows
from training.metrics.volatility import qlike_rows

_P = st.lists(st.floats(1e-3, 1.0), min_size=3, max_size=3).map(lambda x: np.array(x) / np.sum(x))
_V = st.floats(1e-8, 1e-1)


@given(_P, _P, st.floats(0.0, 1.0))
def test_the_gap_of_each_class_is_bounded_and_its_mean_is_minus_the_claim(p, q, kept):
    gaps = direction_gaps([0, 1, 2], np.tile(p, (3, 1)), np.tile(q, (3, 1)))
    ours, theirs = (brier_rows([0, 1, 2], np.tile(one, (3, 1))) for one in (p, q))
    np.testing.assert_allclose(gaps.gap, ours - theirs, atol=1e-12)
    assert p @ gaps.gap == pytest.approx(-gaps.claim[0], abs=1e-12)
    excess, room = excess_loss(gaps, kept)
    assert (excess >= -room - 1e-12).all() and (room >= 0).all()
    assert p @ excess == pytest.approx(-(1.0 - kept) * gaps.claim[0], abs=1e-12)


@given(_V, _V, _V, st.floats(0.0, 1.0))
def test_the_gap_of_variances_is_that_of_qlike_below_the_cap_and_bounded_above_it(y, f, b, kept):
    gaps = volatility_gaps([y], [f], [b])
    if y <= 10 * max(f, b):
        expected = float((qlike_rows([y], [f]) - qlike_rows([y], [b]))[0])
        assert gaps.gap[0] == pytest.approx(expected, rel=1e-6, abs=1e-6 * max(1.0, y / f, y / b))
    else:
        assert gaps.gap[0] == volatility_gaps([10 * max(f, b)], [f], [b]).gap[0]
    excess, room = excess_loss(gaps, kept)
    assert excess[0] >= -room[0] * (1 + 1e-9) - 1e-12 and room[0] >= 0
    right = volatility_gaps([f], [f], [b])
    assert right.gap[0] == pytest.approx(-right.claim[0], rel=1e-6, abs=1e-9)


def test_a_bar_without_movement_has_a_finite_gap():
    assert np.isfinite(volatility_gaps([0.0], [1e-4], [2e-4]).gap[0])


def test_a_step_weighs_rows_by_their_room():
    excess, room = np.array([0.1, -0.2, 0.0]), np.array([0.2, 0.2, 0.1])
    weights = room / room.sum()
    assert step_gap(excess.sum(), room.sum()) == pytest.approx(float(weights @ (excess / room)))
    assert step_gap(5.0, 1.0, most=1.0) == 1.0
    assert step_gap(0.0, 0.0) == 0.0, "without a difference there is nothing to bet on"


def test_equal_forecasts_say_nothing():
    gaps = volatility_gaps([1e-4], [2e-4], [2e-4])
    assert gaps == LossGaps(*(pytest.approx([0.0]) for _ in range(3)))


def test_misses_may_be_as_many_as_allowed():
    excess, room = excess_misses([1.0, 0.0], 0.1)
    np.testing.assert_allclose(excess / room, [9.0, -1.0])
    with pytest.raises(ValueError, match="0 or 1"):
        excess_misses([0.5], 0.1)
    with pytest.raises(ValueError, match="share above 0"):
        excess_misses([1.0], 0.0)


@pytest.mark.parametrize(
    "values", [([1.0], [1.0, 2.0], [1.0, 2.0]), ([-1.0], [1.0], [1.0]), ([1.0], [0.0], [1.0]), ([1.0], [1.0], [np.inf])]
)
def test_wrong_variances_are_refused(values):
    with pytest.raises(ValueError, match=r"shapes|variances"):
        volatility_gaps(*values)
