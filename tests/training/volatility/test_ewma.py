from __future__ import annotations

import numpy as np
import pytest

from configs.errors import ModelError
from training.volatility.ewma import GRID, EwmaFleet, fit_ewma
from training.volatility.level import RatioSums
from training.volatility.state import symbol_index


def qlike(y, f):
    return float(np.mean(y / f - np.log(y / f) - 1))


@pytest.fixture
def bars():
    """Two symbols whose log variance wanders, one slowly and one fast; the target is the next bar's true level."""
    rng = np.random.default_rng(1)
    variance, target = [], []
    for memory in (0.999, 0.3):
        level = np.zeros(1500)
        for t in range(1, 1500):
            level[t] = memory * level[t - 1] + np.sqrt(1 - memory**2) * rng.normal()
        true = 1e-4 * np.exp(level)
        variance.append(true * rng.chisquare(2, 1500) / 2)
        target.append(np.append(true[1:], np.nan))
    return np.concatenate(variance), np.concatenate(target), np.array([0, 1500, 3000])


def test_the_forecast_is_the_recursion_times_the_level(bars):
    variance, target, offsets = bars
    fleet = fit_ewma(variance, target, offsets, np.ones(3000, bool))
    state, weight = 0.0, 0.0
    for t in range(40):
        state, weight = 0.94 * state + variance[t], 0.94 * weight + 1.0
        assert fleet.forecast(fleet.inputs(variance, offsets), symbol_index(offsets))[t] == pytest.approx(
            fleet.level[0] * state / weight, rel=1e-10
        )


def test_the_level_makes_mean_ratio_one_which_is_its_best_qlike(bars):
    variance, target, offsets = bars
    rows = np.arange(3000) % 1500 < 1000
    fleet = fit_ewma(variance, target, offsets, rows)
    index = symbol_index(offsets)
    forecast = fleet.forecast(fleet.inputs(variance, offsets), index)
    for symbol in (0, 1):
        mine = rows & (index == symbol)
        assert np.mean(target[mine] / forecast[mine]) == pytest.approx(1.0, abs=1e-12)
        best = qlike(target[mine], forecast[mine])
        assert all(qlike(target[mine], c * forecast[mine]) > best for c in (0.97, 1.03))


def test_a_fitted_decay_is_the_best_of_the_grid_for_each_symbol(bars):
    variance, target, offsets = bars
    rows = np.isfinite(target)
    fleet = fit_ewma(variance, target, offsets, rows, decay=None)
    index = symbol_index(offsets)
    losses = []
    for decay in GRID:
        one = fit_ewma(variance, target, offsets, rows, decay=decay)
        f = one.forecast(one.inputs(variance, offsets), index)
        losses.append([qlike(target[rows & (index == s)], f[rows & (index == s)]) for s in (0, 1)])
    assert np.array_equal(fleet.decay, np.array(GRID)[np.argmin(losses, axis=0)])
    assert fleet.decay[0] != fleet.decay[1]


def test_nothing_outside_train_moves_the_fit(bars):
    variance, target, offsets = bars
    rows = np.arange(3000) % 1500 < 1000
    fleet = fit_ewma(variance, target, offsets, rows, decay=None)
    shaken, moved = variance.copy(), target.copy()
    shaken[~rows] *= 50
    moved[~rows] *= 50
    again = fit_ewma(shaken, moved, offsets, rows, decay=None)
    assert np.array_equal(fleet.decay, again.decay) and np.array_equal(fleet.level, again.level)


def test_fleets_store_gather_and_join_by_symbol(bars):
    variance, target, offsets = bars
    fleet = fit_ewma(variance, target, offsets, np.ones(3000, bool), decay=None)
    again = EwmaFleet.from_arrays({**fleet.to_arrays(), "other": np.zeros(9)})
    joined = EwmaFleet.concat([again.take([1]), again.take([0])])
    assert len(joined) == 2
    assert np.array_equal(joined.level, fleet.level[::-1]) and np.array_equal(joined.decay, fleet.decay[::-1])
    with pytest.raises(ModelError, match="lacks the array 'level'"):
        EwmaFleet.from_arrays({"decay": fleet.decay})
    with pytest.raises(ModelError, match="different lengths"):
        EwmaFleet.from_arrays({"decay": fleet.decay, "level": fleet.level[:1]})


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
