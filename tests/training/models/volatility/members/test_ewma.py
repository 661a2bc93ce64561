from __future__ import annotations

import numpy as np
import pytest

from configs.errors import ModelError
from training.models.volatility.fleet_state import symbol_index
from training.models.volatility.members.ewma import EwmaFleet, ewma_states, fit_ewma


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
        assert fleet.forecast(ewma_states(variance, offsets), symbol_index(offsets))[t] == pytest.approx(
            fleet.level[0] * state / weight, rel=1e-10
        )


def test_the_level_makes_mean_ratio_one_which_is_its_best_qlike(bars):
    variance, target, offsets = bars
    rows = np.arange(3000) % 1500 < 1000
    fleet = fit_ewma(variance, target, offsets, rows)
    index = symbol_index(offsets)
    forecast = fleet.forecast(ewma_states(variance, offsets), index)
    for symbol in (0, 1):
        mine = rows & (index == symbol)
        assert np.mean(target[mine] / forecast[mine]) == pytest.approx(1.0, abs=1e-12)
        best = qlike(target[mine], forecast[mine])
        assert all(qlike(target[mine], c * forecast[mine]) > best for c in (0.97, 1.03))


def test_nothing_outside_train_moves_the_fit(bars):
    variance, target, offsets = bars
    rows = np.arange(3000) % 1500 < 1000
    fleet = fit_ewma(variance, target, offsets, rows)
    shaken, moved = variance.copy(), target.copy()
    shaken[~rows] *= 50
    moved[~rows] *= 50
    again = fit_ewma(shaken, moved, offsets, rows)
    assert all(np.array_equal(value, again.to_arrays()[name]) for name, value in fleet.to_arrays().items())


def test_no_forecast_sees_what_follows(bars):
    variance, _, offsets = bars
    later = variance.copy()
    later[1001:1500] *= 9
    before, after = ewma_states(variance, offsets), ewma_states(later, offsets)
    assert np.array_equal(before[:1001], after[:1001]) and np.array_equal(before[1500:], after[1500:])
    assert (after[1001:1500] > before[1001:1500]).all()


def test_in_the_longest_halt_the_forecast_is_a_hundredth_of_the_mean_target(bars):
    variance, target, offsets = bars
    fleet = fit_ewma(variance, target, offsets, np.isfinite(target))
    halted = variance.copy()
    halted[100:1500] = 0.0
    forecast = fleet.forecast(ewma_states(halted, offsets), symbol_index(offsets))
    assert forecast[1499] == fleet.least[0] == pytest.approx(0.01 * np.nanmean(target[:1500]))
    assert fleet.forecast(np.full(2, np.nan), np.array([0, 1])).tolist() == fleet.least.tolist()


def test_a_flat_or_unseen_symbol_has_a_positive_forecast_and_moves_no_other(bars):
    variance, target, _ = bars
    offsets = np.array([0, 1500, 1700, 1800])
    flat = np.concatenate([variance[:1500], np.zeros(200), np.full(100, np.nan)])
    ahead = np.concatenate([target[:1500], np.zeros(200), np.full(100, np.nan)])
    both = fit_ewma(flat, ahead, offsets, np.ones(1800, bool))
    alone = fit_ewma(flat[:1500], ahead[:1500], np.array([0, 1500]), np.ones(1500, bool))
    assert both.level[0] == alone.level[0] and both.least[0] == alone.least[0]
    forecast = both.forecast(ewma_states(flat, offsets), symbol_index(offsets))
    assert both.level[1:].tolist() == [1.0, 1.0] and (forecast > 0).all()


def test_the_pooled_baseline_has_one_level_of_all_rows(bars):
    variance, target, offsets = bars
    rows = np.arange(3000) % 1500 < 1000
    pooled = fit_ewma(variance, target, offsets, rows, pooled=True)
    assert len(pooled) == 1
    each = fit_ewma(variance, target, offsets, rows)
    forecast = pooled.forecast(ewma_states(variance, offsets), np.zeros(3000, int))
    assert np.mean(target[rows] / forecast[rows]) == pytest.approx(1.0, abs=1e-12)
    assert pooled.least[0] == pytest.approx(0.01 * np.mean(target[rows]))
    # Both symbols have equally many rows.
    assert pooled.level[0] == pytest.approx(each.level.mean()) and each.level[0] != each.level[1]


def test_fleets_store_gather_and_join_by_symbol(bars):
    variance, target, offsets = bars
    fleet = fit_ewma(variance, target, offsets, np.ones(3000, bool))
    again = EwmaFleet.from_arrays({**fleet.to_arrays(), "other": np.zeros(9)})
    joined = EwmaFleet.concat([again.take([1]), again.take([0])])
    assert len(joined) == 2
    assert all(np.array_equal(value[::-1], joined.to_arrays()[name]) for name, value in fleet.to_arrays().items())
    with pytest.raises(ModelError, match="lacks the array 'level'"):
        EwmaFleet.from_arrays({"least": fleet.least})
    with pytest.raises(ModelError, match="different lengths"):
        EwmaFleet.from_arrays({**fleet.to_arrays(), "level": fleet.level[:1]})
