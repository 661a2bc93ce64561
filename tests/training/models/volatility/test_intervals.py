from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.models.volatility import prior
from training.models.volatility.intervals import (
    PRIOR_OBSERVATIONS,
    STEP,
    WIDER,
    IntervalFleet,
    fit_own_intervals,
    fit_pooled_intervals,
    prior_scale,
)

H = 5
START = IntervalFleet(np.array([[-1.0, 0.8]]))
any_error = st.floats() | st.sampled_from([0.0, np.nan, np.inf, -np.inf, 5.0, -5.0])
errors_of_symbols = st.lists(st.tuples(any_error, st.integers(0, 2)), max_size=60)

SHIPPED, SPREAD = WIDER * prior.ERROR_QUANTILES, prior.ERROR_SPREAD


def split(rows):
    return np.array([error for error, _ in rows], float), np.array([symbol for _, symbol in rows], int)


def missed(errors, ends):
    """The shares of errors below the lower end and above the upper one."""
    return np.mean(errors < ends[:, 0]), np.mean(errors > ends[:, 1])


@settings(max_examples=150, deadline=None)
@given(errors_of_symbols, st.floats(0.5, 0.99), st.floats(1e-9, 1e3))
def test_the_forecast_is_always_inside_its_interval(rows, level, variance):
    errors, symbol = split(rows)
    pool = fit_pooled_intervals(errors, len(errors) / H, level)
    own = fit_own_intervals(errors, symbol, 3, H, level, pool, 20.0)
    ends, later = own.walk_forward(errors, symbol, H, level)
    for fleet in (pool, own, later):
        found = variance * np.exp(fleet.ends)
        assert (found[:, 0] < variance).all() and (variance < found[:, 1]).all()
        assert np.isfinite(found).all() and (found > 0).all()
    assert (ends[:, 0] < 0).all() and (ends[:, 1] > 0).all()


def test_noisier_targets_than_the_shipped_ones_have_wider_shipped_ends():
    normal = np.random.default_rng(0).normal(size=20_000)
    usual = normal * SPREAD / 2.5631
    assert prior_scale(usual, 20_000) == 1.0 and prior_scale(1.2 * usual, 20_000) == 1.0
    assert prior_scale(3.0 * usual, 20_000) == pytest.approx(3.0 / 1.25, rel=0.02)
    assert prior_scale(usual / 3.0, 20_000) == pytest.approx(1.25 / 3.0, rel=0.02)
    assert 1.0 < prior_scale(3.0 * usual, 10) < prior_scale(3.0 * usual, 40) < 3.0 / 1.25
    assert prior_scale(3.0 * usual[:10], 10) == 1.0
    wide = fit_pooled_intervals(np.zeros(0), 0.0, 0.9, 2.0)
    np.testing.assert_allclose(wide.ends[0], 2.0 * SHIPPED)


@pytest.mark.parametrize("level", [0.8, 0.9, 0.95])
def test_pooled_quantiles_cover_exchangeable_errors_as_often_as_they_say(level):
    errors = np.random.default_rng(5).gumbel(size=60_000) - 0.6
    fleet = fit_pooled_intervals(errors[:30_000], 30_000, level)
    for share in missed(errors[30_000:], np.tile(fleet.ends, (30_000, 1))):
        assert share == pytest.approx((1 - level) / 2, abs=0.006)


def test_few_errors_are_near_the_shipped_quantiles():
    np.testing.assert_allclose(fit_pooled_intervals(np.zeros(0), 0.0, 0.9).ends, SHIPPED[None])
    wider = fit_pooled_intervals(np.full(9, np.nan), 9.0, 0.99).ends
    np.testing.assert_allclose(wider, SHIPPED[None] * 2.5758 / 1.6449, rtol=1e-4)
    errors = np.linspace(-4, 4, 25)
    away = []
    for independent in (1.0, 5.0, 100.0, 1e6):
        ends = fit_pooled_intervals(errors, independent, 0.9).ends[0]
        away.append(abs(ends[1] - SHIPPED[1]))
    assert away == sorted(away) and away[0] <= (4 - SHIPPED[1]) / (PRIOR_OBSERVATIONS + 1) + 1e-9


def test_few_independent_errors_reach_to_the_extremes():
    errors, none = np.linspace(-1, 1, 101), np.zeros(101, int)
    few = fit_own_intervals(errors, none, 1, 10, 0.9, START, 0.0).ends[0]
    many = fit_own_intervals(errors, none, 1, 1, 0.9, START, 0.0).ends[0]
    assert few.tolist() == [-1.0, 1.0]
    assert -1 < many[0] <= -0.9 and 0.9 <= many[1] < 1


def test_own_ends_are_averaged_with_the_pool_and_none_depends_on_another_symbol():
    rng = np.random.default_rng(1)
    symbol = rng.permutation(np.repeat([0, 1], [500, 1000]))
    errors = rng.normal(size=1500) * np.array([2.0, 0.3])[symbol]
    fleet = fit_own_intervals(errors, symbol, 3, H, 0.9, START, 100.0)
    alone = fit_own_intervals(errors[symbol == 1], np.zeros(1000, int), 1, H, 0.9, START, 100.0)
    assert np.array_equal(fleet.ends[1], alone.ends[0]) and np.array_equal(fleet.ends[2], START.ends[0])
    plain = fit_own_intervals(errors, symbol, 3, H, 0.9, START, 0.0)
    np.testing.assert_allclose(
        fleet.ends[0], (plain.ends[0] + START.ends[0]) / 2
    )  # 500 / 5 errors, as many as the pool
    np.testing.assert_allclose(fleet.ends[1], (2 * plain.ends[1] + START.ends[0]) / 3)


@settings(max_examples=50, deadline=None)
@given(errors_of_symbols, st.integers(1, 8), st.floats(-3, 3))
def test_an_outcome_is_used_only_after_the_horizon(rows, horizon, other):
    errors, symbol = split(rows)
    start = IntervalFleet(np.array([[-1.0, 0.8], [-0.3, 0.1], [-2.0, 2.0]]))
    ends, _ = start.walk_forward(errors, symbol, horizon, 0.9)
    late = np.concatenate([np.flatnonzero(symbol == i)[-horizon:] for i in range(3)])
    moved = errors.copy()
    moved[late] = other
    assert np.array_equal(start.walk_forward(moved, symbol, horizon, 0.9)[0], ends)
    for i in range(3):
        assert (ends[symbol == i][:horizon] == start.ends[i]).all()
        # A symbol is walked as if it were alone.
        alone, last = start.take([i]).walk_forward(
            errors[symbol == i], np.zeros(np.sum(symbol == i), int), horizon, 0.9
        )
        assert np.array_equal(alone, ends[symbol == i])
        assert np.array_equal(last.ends[0], start.walk_forward(errors, symbol, horizon, 0.9)[1].ends[i])


def test_an_end_that_missed_moves_outwards_and_one_that_held_inwards():
    errors = np.array([2.0, 0.0, np.nan, -3.0])
    ends, last = START.walk_forward(errors, np.zeros(4, int), 1, 0.9)
    assert ends[0].tolist() == START.ends[0].tolist()
    out, back = STEP * 1.8 * 0.95, STEP * 1.8 * 0.05
    np.testing.assert_allclose(ends[1] - ends[0], [back, out])
    np.testing.assert_allclose(ends[2] - ends[1], [back, -back])
    assert np.array_equal(ends[3], ends[2])  # nothing is learnt of an unknown error
    np.testing.assert_allclose(last.ends[0] - ends[3], [-out, -back])


def test_nominal_coverage_is_kept_where_errors_drift_and_static_ends_fail():
    rng = np.random.default_rng(2)
    time = np.arange(12_000)
    errors = 0.5 * np.sin(time / 700) + 0.4 * (1 + 0.8 * np.sin(time / 1500) ** 2) * rng.normal(size=12_000)
    start = fit_pooled_intervals(0.4 * rng.normal(size=2000), 2000.0, 0.9)
    ends, _ = start.walk_forward(errors, np.zeros(12_000, int), H, 0.9)
    below, above = missed(errors, ends)
    assert below + above == pytest.approx(0.1, abs=0.01) and max(below, above) < 0.06
    assert sum(missed(errors, np.tile(start.ends, (12_000, 1)))) > 0.3
