from __future__ import annotations

import numpy as np
import pytest

from training.models.volatility.level import RatioSums


def test_levels_add_over_blocks_and_shrink_to_the_pool():
    rng = np.random.default_rng(2)
    target, forecast = rng.exponential(size=90), rng.exponential(size=90) + 0.1
    index, rows = np.repeat([0, 1, 2], 30), np.ones(90, bool)
    target[:30] = np.nan
    whole = RatioSums.of(target, forecast, index, rows, 3)
    parts = RatioSums.of(target, forecast, index, rows & (np.arange(90) % 2 == 0), 3) + RatioSums.of(
        target, forecast, index, rows & (np.arange(90) % 2 == 1), 3
    )
    np.testing.assert_allclose(whole.total, parts.total, rtol=1e-12)
    assert whole.pooled() == pytest.approx(np.mean(target[30:] / forecast[30:]))
    own = whole.level()
    assert own[0] == 1.0 and own[1] == pytest.approx(np.mean(target[30:60] / forecast[30:60]))
    assert whole.level(towards=2.0, shrinkage=30.0)[1] == pytest.approx((own[1] + 2.0) / 2)
    assert whole.level(towards=2.0)[0] == 2.0


def test_a_broken_bar_counts_as_a_ratio_of_a_hundred_and_a_weight_as_so_many_rows():
    forecast, index = np.ones(4), np.zeros(4, int)
    target = np.array([1.0, 2.0, 1e9, np.nan])
    assert RatioSums.of(target, forecast, index, np.ones(4, bool), 1).level()[0] == pytest.approx(103.0 / 3)
    weight = np.array([3.0, 1.0, 0.0, 5.0])
    assert RatioSums.of(target, forecast, index, weight, 1).level()[0] == pytest.approx(5.0 / 4)


def test_the_level_is_the_constant_of_the_least_qlike():
    rng = np.random.default_rng(3)
    target, forecast = rng.exponential(size=500), rng.exponential(size=500) + 0.5

    def qlike(level):
        ratio = target / (level * forecast)
        return np.mean(ratio - np.log(ratio) - 1)

    level = RatioSums.of(target, forecast, np.zeros(500, int), np.ones(500, bool), 1).pooled()
    assert qlike(level) < min(qlike(0.98 * level), qlike(1.02 * level))


def test_rows_without_a_positive_target_and_forecast_count_nothing():
    target = np.array([np.nan, np.inf, 0.0, -1.0, 1.0, 1.0, 1.0, 3.0])
    forecast = np.array([1.0, 1.0, 1.0, 1.0, np.nan, 0.0, np.inf, 2.0])
    sums = RatioSums.of(target, forecast, np.zeros(8, int), np.ones(8, bool), 2)
    assert sums.count.tolist() == [1.0, 0.0] and sums.level(7.0).tolist() == [1.5, 7.0]
