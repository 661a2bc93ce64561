"""What past forecasts were worth: the slope, its error by day, and when each outcome counts."""

import numpy as np
import pytest

from training.metrics.clustered import long_run_se
from training.strategy.class_returns import PRIOR_DAYS, class_returns, normal_class_returns
from training.strategy.confidence import past_rank
from training.strategy.outcomes import outcomes
from training.strategy.relative import above_median_known
from training.strategy.skill import RunningSkill, measured_skill, skill_of_sums


@pytest.mark.parametrize("horizon", [1, 3, 5])
def test_error_is_that_of_day_clusters_at_every_date(horizon):
    rng = np.random.default_rng(horizon)
    x = rng.standard_normal((120, 8))
    y = 0.3 * x + rng.standard_normal((120, 1)) + rng.standard_normal((120, 8))
    known = np.broadcast_to(np.arange(120)[:, None] + horizon, x.shape).copy()
    known[known >= 120] = -1
    found = measured_skill(x, y, known, horizon)
    for date in (60, 90, 119):
        rows = np.arange(date + 1 - horizon)
        a, b = (x[rows] ** 2).sum(axis=1), (x[rows] * y[rows]).sum(axis=1)
        slope = b.sum() / a.sum()
        assert found.slope[date] == pytest.approx(slope, rel=1e-9) and found.days[date] == len(rows)
        error = long_run_se(((b - slope * a) / a.sum())[:, None], horizon - 1)[0]
        assert found.error[date] == pytest.approx(error, rel=1e-6)


@pytest.mark.parametrize("horizon", [1, 2, 5])
def test_date_by_date_it_is_the_same_number_bit_for_bit(horizon):
    rng = np.random.default_rng(horizon)
    own = np.where(rng.random(80) < 0.2, 0.0, rng.random(80))  # some dates make no outcome known
    own[:3] = 0.0
    cross = np.where(own > 0.0, rng.standard_normal(80), 0.0)
    running = RunningSkill(horizon)
    for date in range(80):
        running.add(float(own[date]), float(cross[date]))
        whole = skill_of_sums(own[: date + 1], cross[: date + 1], horizon)
        for mine, theirs in zip(running.skill(), whole, strict=True):
            np.testing.assert_array_equal(mine, theirs[-1:], err_msg=str(date))
    assert np.isfinite(running.skill().error).all()


def test_without_skill_the_lower_bound_is_rarely_above_zero():
    rng = np.random.default_rng(0)
    above = 0
    for _ in range(400):
        x, y = rng.standard_normal((80, 5)), rng.standard_normal((80, 1)) + rng.standard_normal((80, 5))
        known = np.broadcast_to(np.arange(80)[:, None], x.shape)
        found = measured_skill(x, y, known, 1)
        above += found.slope[-1] - 1.645 * found.error[-1] > 0
    assert 0.02 <= above / 400 <= 0.09


def test_missing_outcomes_and_forecasts_are_left_out():
    x = np.array([[1.0, np.nan], [1.0, 1.0], [1.0, 1.0], [2.0, 1.0]])
    y = np.array([[1.0, 5.0], [np.nan, 0.5], [0.5, 1.0], [9.0, 9.0]])
    known = np.array([[1, 1], [2, 2], [3, 3], [-1, -1]])
    found = measured_skill(x, y, known, 1)
    assert found.days.tolist() == [0, 1, 2, 3] and np.isnan(found.slope[:2]).all()
    assert found.slope[3] == pytest.approx((1.0 + 0.5 + 1.5) / 4)
    nothing = measured_skill(np.full((3, 1), np.nan), np.zeros((3, 1)), np.full((3, 1), -1), 1)
    assert np.isnan(nothing.slope).all() and not nothing.days.any()


def test_outcomes_count_bars_of_the_symbol():
    close = np.array([[100.0, 50.0], [np.nan, 51.0], [110.0, 52.0], [121.0, np.nan]])
    found = outcomes(close, np.isfinite(close), 1)
    assert found.known.tolist() == [[2, 1], [-1, 2], [3, -1], [-1, -1]]
    np.testing.assert_allclose(found.log_return[[0, 2], 0], np.log(1.1))


def test_class_returns_go_from_the_normal_ones_to_past_means():
    k = np.full((300, 2), 0.43)
    outcome = np.tile([[2.0, -3.0]], (300, 1))
    known = np.broadcast_to(np.arange(300)[:, None], k.shape)
    found, normal = class_returns(k, outcome, known), normal_class_returns(0.43)
    share = 300 / (300 + PRIOR_DAYS)
    assert found.mean[-1, 0, 2] == pytest.approx(share * 2.0 + (1 - share) * normal.mean[2])
    assert found.second[-1, 0, 0] == pytest.approx(share * 9.0 + (1 - share) * normal.second[0])
    assert found.mean[-1, 0, 1] == 0.0


def test_rank_is_among_earlier_dates_only():
    found = past_rank(np.array([[0.1, 0.3], [0.2, np.nan], [0.5, 0.0005], [0.2, 0.1]]))
    assert np.isnan(found[0]).all() and found[1, 0] == 0.5 and np.isnan(found[1, 1])
    assert found[2].tolist() == [1.0, 0.0] and found[3].tolist() == [pytest.approx(2.5 / 5), pytest.approx(1.5 / 5)]


def test_relative_outcomes_do_not_wait_for_halted_symbols():
    values = np.array([[0.01, 0.03, 0.50]])
    found = above_median_known(values, np.array([[1, 1, 4]]))
    np.testing.assert_allclose(found, [[-0.01, 0.01, 0.0]])
