from __future__ import annotations

import numpy as np
import pytest

from training.models.volatility import prior
from training.models.volatility.anchor import TERMS
from training.models.volatility.regression import (
    POOL_LEVEL_ROWS,
    PRIOR_LEVEL_ROWS,
    LinearFleet,
    RegressionSums,
    fit_own_linear,
    fit_pooled_linear,
    with_levels,
)


def sums_of(inputs, features, target, symbol, size):
    return RegressionSums.of(inputs, features, target, np.ones(len(target)), symbol, size)


def own_fits(planted_rows, symbols, ridge=0.1):
    """Fit symbols, each (inputs, features, target), against a pool of other data."""
    pooled = sums_of(*planted_rows(20_000, [0.2, 0.0], seed=9)[:3], np.zeros(20_000, int), 1)
    pool = fit_pooled_linear(pooled, ridge)
    index = np.repeat(np.arange(len(symbols)), [len(one[2]) for one in symbols])
    joined = [np.concatenate([one[k] for one in symbols]) for k in range(3)]
    fleet = fit_own_linear(sums_of(*joined, index, len(symbols)), pool, pooled, ridge)
    return with_levels(fleet, *joined, np.ones(len(index)), index, pool), pool


def test_own_fits_leave_the_pool_as_far_as_their_rows_tell(planted_rows):
    planted, effects = prior.COEFFICIENTS + 0.2, [-0.3, 0.4]
    symbols = [planted_rows(n, effects, planted, seed=n)[:3] for n in (0, 300, 3000, 300_000)]
    fleet, pool = own_fits(planted_rows, symbols)
    np.testing.assert_allclose(fleet.coefficients[0], pool.coefficients[0], rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(fleet.anchor[0], pool.anchor[0], rtol=1e-9)
    away = np.abs(fleet.coefficients - pool.coefficients[0]).sum(axis=1)
    assert (np.diff(away) > 0).all()
    np.testing.assert_allclose(fleet.coefficients[3], [*planted, *effects], atol=0.05)


def test_an_own_fit_does_not_depend_on_the_other_symbols_of_the_call(planted_rows):
    symbols = [planted_rows(400, [0.1 * s, 0.2], seed=s)[:3] for s in range(4)]
    block, _ = own_fits(planted_rows, symbols)
    alone, _ = own_fits(planted_rows, symbols[2:3])
    for name, value in alone.to_arrays().items():
        assert np.array_equal(value[0], block.to_arrays()[name][2]), name


def test_levels_are_the_mean_ratio_shrunk_to_the_prior_or_to_the_pool(planted_rows):
    inputs, features, target, _ = planted_rows(700, [0.3, 0.1])
    index = np.repeat([0, 1], [700, 0])
    fleet = LinearFleet(np.zeros((2, TERMS)), np.ones(2), np.full((2, TERMS + 2), 0.05), np.ones(2))
    for pool in (None, LinearFleet(np.zeros((1, TERMS)), np.array([2.0]), np.zeros((1, TERMS + 2)), np.array([3.0]))):
        found = with_levels(fleet, inputs, features, target, np.ones(700), index, pool)
        rows = PRIOR_LEVEL_ROWS if pool is None else POOL_LEVEL_ROWS
        anchor_start, start = (prior.LEVEL, prior.LEVEL) if pool is None else (2.0, 3.0)
        ratio = np.minimum(target / fleet.forecast(inputs, features, index), 100.0).sum()
        assert found.level == pytest.approx([(ratio + rows * start) / (700 + rows), start])
        bare = np.minimum(target / np.exp(inputs[:, 0]), 100.0).sum()
        assert found.anchor_level == pytest.approx([(bare + rows * anchor_start) / (700 + rows), anchor_start])
        np.testing.assert_allclose(
            found.forecast(inputs, features, index), found.level[0] * fleet.forecast(inputs, features, index)
        )
