from __future__ import annotations

import numpy as np
import pytest

from training.models.calibration.conformal import LabelSets, fit_label_sets, pool_scores


def simulate(symbols: int, bars: int, seed: int, concentration: float = 3.0) -> tuple[np.ndarray, ...]:
    rng = np.random.default_rng(seed)
    p = rng.dirichlet([concentration] * 3, symbols * bars)
    y = np.minimum((rng.random(len(p))[:, None] > p.cumsum(axis=1)).sum(axis=1), 2)
    return y, p, np.repeat(np.arange(symbols), bars)


def fit(
    symbols: int, bars: int, seed: int, level: float = 0.9, shrinkage: float = 500.0, **options: float
) -> LabelSets:
    y, p, row = simulate(symbols, bars, seed, **options)
    return fit_label_sets(y, p, row, symbols, pool_scores(y, p), level, shrinkage)


def covered(sets: np.ndarray, y: np.ndarray) -> np.ndarray:
    return sets[np.arange(len(y)), y]


@pytest.mark.parametrize("level", [0.7, 0.8, 0.9, 0.95])
@pytest.mark.parametrize("concentration", [1.5, 10.0, 200.0])
def test_coverage_is_nominal_within_a_point(level: float, concentration: float) -> None:
    sets = fit(50, 250, 0, level, concentration=concentration)
    y, p, row = simulate(50, 800, 1, concentration)
    got = sets.sets(p, row)
    assert covered(got, y).mean() == pytest.approx(level, abs=0.01)
    assert got.any(axis=1).all() and got[np.arange(len(y)), p.argmax(axis=1)].all()


@pytest.mark.slow
def test_small_sample_correction_gives_coverage_without_pooling() -> None:
    """19 rows at 90 %: the uncorrected quantile would cover 85 %, the corrected one 90 %."""
    rates = []
    for seed in range(400):
        y, p, row = simulate(1, 19, seed)
        sets = fit_label_sets(y, p, row, 1, pool_scores(y, p), 0.9, shrinkage=0.0)
        fresh = simulate(1, 200, seed + 10_000)
        rates.append(covered(sets.sets(fresh[1], fresh[2]), fresh[0]).mean())
    assert 0.89 <= np.mean(rates) <= 0.92


def test_symbol_with_too_few_rows_and_no_pooling_gets_every_class() -> None:
    y, p, row = simulate(1, 5, 0)
    sets = fit_label_sets(y, p, row, 1, pool_scores(y, p), 0.9, shrinkage=0.0)
    assert sets.sets(p, row).all()


def test_symbol_without_rows_gets_the_pooled_threshold() -> None:
    y, p, row = simulate(3, 400, 2)
    sets = fit_label_sets(y, p, row, 4, pool_scores(y, p), 0.9)
    assert sets.offset[3] == pytest.approx(0.0, abs=0.01)
    assert covered(sets.sets(p, np.full(len(p), 3)), y).mean() == pytest.approx(0.9, abs=0.01)


def test_result_of_a_symbol_does_not_depend_on_its_neighbours() -> None:
    y, p, row = simulate(4, 100, 3)
    pooled = pool_scores(y, p)
    together = fit_label_sets(y, p, row, 4, pooled)
    alone = fit_label_sets(y[row == 2], p[row == 2], np.zeros(100), 1, pooled)
    assert alone.offset[0] == together.offset[2]
    a, _ = alone.walk_forward(p[row == 2], y[row == 2], np.zeros(100), horizon=1)
    b, _ = together.walk_forward(p, y, row, horizon=1)
    np.testing.assert_array_equal(a, b[row == 2])


def test_unpooled_sets_cover_and_do_not_depend_on_other_symbols() -> None:
    y, p, row = simulate(4, 400, 3)
    together = fit_label_sets(y, p, row, 4, None)
    alone = fit_label_sets(y[row == 2], p[row == 2], np.zeros(400), 1, None)
    first, state = alone.walk_forward(p[row == 2], y[row == 2], np.zeros(400), horizon=1)
    second, states = together.walk_forward(p, y, row, horizon=1)
    np.testing.assert_array_equal(first, second[row == 2])
    taken = states.take([2])
    for name, values in state.to_arrays().items():
        np.testing.assert_array_equal(values, taken.to_arrays()[name])
    fresh = simulate(4, 4000, 5)
    assert covered(together.sets(fresh[1], fresh[2]), fresh[0]).mean() == pytest.approx(0.9, abs=0.015)


def test_adaptive_sets_recover_coverage_under_drift() -> None:
    sets = fit(20, 250, 4)
    y, p, row = simulate(20, 1000, 5)
    drifted = np.where(np.random.default_rng(6).random(len(y)) < 0.4, p.argmin(axis=1), y)
    static = covered(sets.sets(p, row), drifted).mean()
    got, _ = sets.walk_forward(p, drifted, row, horizon=1)
    late = np.tile(np.arange(1000) >= 400, 20)
    assert static < 0.8
    assert covered(got, drifted)[late].mean() == pytest.approx(0.9, abs=0.01)


@pytest.mark.parametrize("horizon", [1, 5])
def test_set_of_a_bar_uses_only_outcomes_known_before_it(horizon: int) -> None:
    sets = fit(3, 100, 7)
    y, p, row = simulate(3, 60, 8)
    base, _ = sets.walk_forward(p, y, row, horizon, gamma=0.05)
    time = np.tile(np.arange(60), 3)
    changed, _ = sets.walk_forward(p, np.where(time >= 30, (y + 1) % 3, y), row, horizon, gamma=0.05)
    np.testing.assert_array_equal(base[time < 30 + horizon], changed[time < 30 + horizon])
    assert (base[time >= 30 + horizon] != changed[time >= 30 + horizon]).any()


def test_walk_forward_is_the_update_written_as_a_loop() -> None:
    sets = fit(1, 200, 9)
    y, p, _ = simulate(1, 80, 10)
    rate, expected = sets.error_rate[0], []
    for t in range(80):
        if t >= 3:
            rate += 0.02 * (0.1 - (not expected[t - 3][y[t - 3]]))
        state = LabelSets(0.9, sets.offset, np.array([rate]), sets.quantiles)
        expected.append(state.sets(p[t : t + 1], [0])[0])
    got, final = sets.walk_forward(p, y, np.zeros(80), horizon=3, gamma=0.02)
    np.testing.assert_array_equal(got, expected)
    for t in range(77, 80):
        rate += 0.02 * (0.1 - (not expected[t][y[t]]))
    assert final.error_rate[0] == pytest.approx(rate, abs=1e-12)


def test_to_arrays_round_trips() -> None:
    y, p, row = simulate(3, 100, 11)
    _, state = fit(3, 100, 12).walk_forward(p, y, row, horizon=1)
    again = LabelSets.from_arrays(state.to_arrays())
    assert again.level == state.level
    np.testing.assert_array_equal(again.sets(p, row), state.sets(p, row))
    assert (again.error_rate != 1 - again.level).any()


def test_invalid_input_is_rejected() -> None:
    y, p, row = simulate(2, 30, 13)
    pooled = pool_scores(y, p)
    with pytest.raises(ValueError, match="symbol_row"):
        fit_label_sets(y, p, row, 1, pooled)
    with pytest.raises(ValueError, match="level"):
        fit_label_sets(y, p, row, 2, pooled, level=1.0)
    with pytest.raises(ValueError, match="horizon"):
        fit_label_sets(y, p, row, 2, pooled).walk_forward(p, y, row, horizon=0)
    with pytest.raises(ValueError, match="sum to one"):
        pool_scores(y, p * 2)
