from __future__ import annotations

from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.models.volatility import prior
from training.models.volatility.anchor import TERMS, log_response
from training.models.volatility.regression import (
    BLOCKS,
    PRIOR_ROWS,
    RIDGES,
    RegressionSums,
    choose_ridge,
    fit_pooled_linear,
    with_levels,
)


def sums_of(inputs, features, target, block, weight=None, size=BLOCKS):
    return RegressionSums.of(inputs, features, target, np.ones(len(target)) if weight is None else weight, block, size)


def assert_equal_sums(a, b):
    for name in (one.name for one in fields(RegressionSums)):
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=1e-10, atol=1e-9, err_msg=name)


def stacked_least_squares(inputs, features, target, ridge):
    """The fit in one plain least-squares problem: the prior and the ridge are rows next to those of the data."""
    width, root = TERMS + features.shape[1], np.zeros((TERMS, TERMS + features.shape[1]))
    root[:, :TERMS] = np.sqrt(PRIOR_ROWS) * np.linalg.cholesky(prior.MOMENTS).T
    shrink = np.sqrt(ridge * len(target)) * np.eye(width)[TERMS:]
    x = np.concatenate([np.concatenate([inputs[:, 1:], features], axis=1), root, shrink])
    y = np.concatenate([log_response(target, inputs), root[:, :TERMS] @ prior.COEFFICIENTS, np.zeros(len(shrink))])
    return np.linalg.lstsq(x, y, rcond=None)[0]


@pytest.mark.parametrize("ridge", [RIDGES[0], 1.0, RIDGES[-1]])
def test_without_rows_the_pooled_fit_is_the_prior(planted_rows, ridge):
    inputs, features, target, block = planted_rows(0, [0.3, 0.1])
    fleet = fit_pooled_linear(sums_of(inputs, features, target, block), ridge)
    np.testing.assert_allclose(fleet.anchor[0], prior.COEFFICIENTS, rtol=1e-12)
    np.testing.assert_allclose(fleet.coefficients[0], [*prior.COEFFICIENTS, 0.0, 0.0], rtol=1e-12, atol=1e-15)
    levelled = with_levels(fleet, inputs, features, target, np.zeros(0), np.zeros(0, int))
    assert levelled.anchor_level[0] == levelled.level[0] == prior.LEVEL


def test_with_a_huge_ridge_the_member_is_the_anchor(planted_rows):
    inputs, features, target, block = planted_rows(3000, [0.5, -0.5], prior.COEFFICIENTS + 0.1)
    fleet = fit_pooled_linear(sums_of(inputs, features, target, block), RIDGES[-1])
    np.testing.assert_allclose(fleet.coefficients[0, TERMS:], 0.0, atol=1e-8)
    np.testing.assert_allclose(fleet.coefficients[0, :TERMS], fleet.anchor[0], rtol=1e-6)
    index = np.zeros(3000, int)
    np.testing.assert_allclose(fleet.forecast(inputs, features, index), fleet.anchor_forecast(inputs, index), rtol=1e-6)


def test_much_data_recovers_planted_coefficients(planted_rows):
    planted, effects = prior.COEFFICIENTS + 0.1, [0.3, -0.2, 0.0]
    inputs, features, target, block = planted_rows(100_000, effects, planted)
    fleet = fit_pooled_linear(sums_of(inputs, features, target, block), RIDGES[0])
    np.testing.assert_allclose(fleet.coefficients[0], [*planted, *effects], atol=0.015)
    few = planted_rows(100, effects, planted)
    shrunk = fit_pooled_linear(sums_of(*few), RIDGES[0]).coefficients[0, :TERMS]
    assert np.abs(shrunk - prior.COEFFICIENTS).max() < 0.05


@pytest.mark.parametrize("ridge", [0.003, 0.3, 30.0])
def test_the_pooled_fit_is_plain_least_squares_with_rows_for_the_prior_and_the_ridge(planted_rows, ridge):
    inputs, features, target, block = planted_rows(800, [0.3, -0.2, 0.0, 0.1])
    fleet = fit_pooled_linear(sums_of(inputs, features, target, block), ridge)
    np.testing.assert_allclose(fleet.coefficients[0], stacked_least_squares(inputs, features, target, ridge), atol=1e-9)
    anchor = stacked_least_squares(inputs, features[:, :0], target, ridge)
    np.testing.assert_allclose(fleet.anchor[0], anchor, atol=1e-9)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, BLOCKS - 1), min_size=60, max_size=60), st.integers(0, 60))
def test_sums_add_up_over_blocks_and_over_rows(planted_rows, blocks, cut):
    inputs, features, target, _ = planted_rows(60, [0.2, 0.0])
    block, rows = np.array(blocks), np.arange(60) < cut
    whole = sums_of(inputs, features, target, block)
    parts = [sums_of(inputs[r], features[r], target[r], block[r]) for r in (rows, ~rows)]
    names = ("xx", "xy", "yy", "count")
    added = RegressionSums(*(getattr(parts[0], name) + getattr(parts[1], name) for name in names))
    assert_equal_sums(added, whole)
    assert_equal_sums(sums_of(inputs, features, target, 0 * block).pooled(), whole.pooled())
    assert whole.pooled().count[0] == 60 and np.array_equal(whole.count, np.bincount(block, minlength=BLOCKS))
    np.testing.assert_allclose(whole.pooled().yy[0], np.sum(log_response(target, inputs) ** 2))


def test_a_weight_counts_a_row_so_many_times(planted_rows):
    inputs, features, target, block = planted_rows(90, [0.2])
    times = np.arange(90) % 4
    repeated = np.repeat(np.arange(90), times)
    weighted = sums_of(inputs, features, target, block, times.astype(float))
    assert_equal_sums(weighted, sums_of(inputs[repeated], features[repeated], target[repeated], block[repeated]))
    fleet, index = fit_pooled_linear(weighted, 0.1), np.zeros(90, int)
    one = with_levels(fleet, inputs, features, target, times.astype(float), index)
    other = with_levels(
        fleet,
        inputs[repeated],
        features[repeated],
        target[repeated],
        np.ones(len(repeated)),
        np.zeros(len(repeated), int),
    )
    np.testing.assert_allclose([one.level, one.anchor_level], [other.level, other.anchor_level])


def test_the_ridge_is_large_where_features_are_noise_and_small_where_they_matter(planted_rows):
    noise = [choose_ridge(sums_of(*planted_rows(200, np.zeros(40), seed=s))) for s in range(6)]
    signal = [choose_ridge(sums_of(*planted_rows(5000, np.full(10, 0.1), seed=s))) for s in range(6)]
    assert min(noise) >= 1.0 and max(signal) <= 0.03


def test_the_ridge_is_the_one_that_forecasts_held_out_blocks_best(planted_rows):
    inputs, features, target, block = planted_rows(400, [0.2, 0.1, *np.zeros(10)], seed=3)
    errors = []
    for ridge in RIDGES:
        error = 0.0
        for held_out in range(BLOCKS):
            fitted = block != held_out
            b = stacked_least_squares(inputs[fitted], features[fitted], target[fitted], ridge)
            x = np.concatenate([inputs[:, 1:], features], axis=1)[~fitted]
            error += np.sum((log_response(target, inputs)[~fitted] - x @ b) ** 2)
        errors.append(error)
    assert choose_ridge(sums_of(inputs, features, target, block)) == RIDGES[int(np.argmin(errors))]
    assert 0 < np.argmin(errors) < len(RIDGES) - 1
