from __future__ import annotations

import numpy as np
import pytest

from training.models.volatility.market_surprise import (
    DECAY,
    HALF_SHARE_SYMBOLS,
    MIN_DAYS,
    RIDGE,
    SHARE,
    THRESHOLD,
    MarketFleet,
    fit_market,
)

H = 5
COLUMNS, LEVEL_COLUMN = np.array([1, 3, 4, 5, 6]), 1
DAYS = np.datetime64("2001-01-01", "D") + np.arange(1000)


@pytest.fixture
def model():
    """A model of two features that follows 40 % of a surprise beyond the threshold."""
    return MarketFleet(np.array([0.4]), np.array([[-9.0, 0.5, -0.2]]), np.array([1, 3]), np.array([1]))


@pytest.fixture
def windows():
    rng = np.random.default_rng(0)
    return rng.normal(size=(6, 30, 2)).astype(np.float32), rng.normal(-9, 0.3, size=(6, 30)).astype(np.float32)


def market_rows(days=1000, noise=0.0, seed=0):
    """Return the scaled market-wide features of days and the level that is to come."""
    rng = np.random.default_rng(seed)
    scaled = rng.normal(size=(days, len(COLUMNS)))
    return scaled, -9.0 + scaled @ [0.6, -0.1, 0.3, 0.0, 0.2] + noise * rng.normal(size=days)


def beyond(mean):
    return np.sign(mean) * np.maximum(np.abs(mean) - THRESHOLD, 0.0)


def test_the_factor_is_a_share_of_the_exponential_mean_of_the_errors_beyond_the_threshold(model, windows):
    scaled, level = windows
    found = model.log_factor(scaled, level, H)
    assert (found == 0.0).any() and (found > 0.0).any() and (found < 0.0).any()
    for row in range(6):
        total = weights = 0.0
        for bar in range(H, 30):
            error = level[row, bar] - (-9.0 + scaled[row, bar - H] @ [0.5, -0.2])
            total, weights = DECAY * total + error, DECAY * weights + 1.0
        assert found[row] == pytest.approx(0.4 * beyond(total / weights), rel=1e-5)


def test_nothing_is_moved_without_a_model_or_errors(model, windows):
    scaled, level = windows
    nothing = MarketFleet.none()
    assert np.array_equal(nothing.log_factor(scaled[:, :, nothing.columns], level, H), np.zeros(6))
    assert np.array_equal(model.log_factor(scaled[:, :H], level[:, :H], H), np.zeros(6))
    assert np.array_equal(model.log_factor(scaled, np.full((6, 30), np.nan), H), np.zeros(6))
    assert np.array_equal(model.log_factor(np.full((6, 30, 2), np.nan), level, H), np.zeros(6))
    assert (model.log_factor(scaled[:, : H + 1], level[:, : H + 1] + 3.0, H) > 0).all()


def test_missing_errors_are_left_out(model, windows):
    scaled, level = windows
    holes = level.copy()
    holes[:, 12:20], holes[:, 25] = np.nan, np.inf
    found = model.log_factor(scaled, holes, H)
    known = np.setdiff1d(np.arange(H, 30), [*range(12, 20), 25])
    errors = level[:, known] - (-9.0 + scaled[:, known - H] @ [0.5, -0.2])
    mean = np.average(errors, axis=1, weights=DECAY ** (29.0 - known))
    np.testing.assert_allclose(found, 0.4 * beyond(mean), rtol=1e-5)
    assert np.count_nonzero(found) > 2


def test_levels_up_to_the_last_bar_and_features_up_to_the_horizon_before_it_are_used(model, windows):
    scaled, level = windows[0], windows[1] + 1.0
    found = model.log_factor(scaled, level, H)
    late, early = scaled.copy(), level.copy()
    late[:, -H:] += 9.0
    early[:, :H] -= 9.0
    assert np.array_equal(found, model.log_factor(late, early, H))
    level[:, -1] += 0.1
    moved = model.log_factor(scaled, level, H)
    scaled[:, -H - 1, 0] -= 0.1
    assert (moved > found).all() and (model.log_factor(scaled, level, H) > moved).all()


def test_no_surprise_moves_a_forecast_by_more_than_a_factor_of_two(model, windows):
    scaled, level = windows
    found = model.log_factor(scaled, level + np.array([-900, -3, 1, 3, 900, np.nan])[:, None], H)
    np.testing.assert_allclose(found[[0, 1, 3, 4, 5]], [-np.log(2), -np.log(2), np.log(2), np.log(2), 0.0])
    assert 0 < found[2] < np.log(2)


def test_a_lasting_shift_of_the_level_is_followed_with_the_share():
    scaled, ahead = market_rows(noise=0.1)
    model = fit_market(COLUMNS, LEVEL_COLUMN, scaled, ahead, DAYS, members=5)
    new, later = market_rows(500, noise=0.1, seed=1)
    level = np.concatenate([np.full(H, np.nan), later[:-H]])
    windows = np.arange(60, 500)[:, None] + np.arange(-39, 1)
    plain, shifted, far = (model.log_factor(new[windows], level[windows] + by, H) for by in (0.0, 0.5, 1.0))
    assert np.abs(plain).mean() < 0.02
    assert shifted.mean() == pytest.approx(model.share[0] * (0.5 - THRESHOLD), abs=0.02)
    np.testing.assert_allclose(far - shifted, model.share[0] * 0.5, rtol=1e-9)


def test_the_share_grows_with_the_members_of_the_universe():
    scaled, ahead = market_rows()
    shares = [
        fit_market(COLUMNS, LEVEL_COLUMN, scaled, ahead, DAYS, members).share[0] for members in (1, 5, 50, 100_000)
    ]
    assert shares == sorted(shares) and shares[1] == SHARE / 2 == SHARE * 5 / (5 + HALF_SHARE_SYMBOLS)
    assert shares[-1] == pytest.approx(SHARE, rel=1e-4)


def test_the_fit_is_a_ridge_on_one_row_a_day():
    scaled, ahead = market_rows(noise=0.2)
    model = fit_market(COLUMNS, LEVEL_COLUMN, scaled, ahead, DAYS, 10)
    assert np.array_equal(model.columns, COLUMNS) and model.level_column.tolist() == [LEVEL_COLUMN]
    root = np.sqrt(RIDGE * 1000) * np.eye(6)[1:]
    x = np.concatenate([np.column_stack([np.ones(1000), scaled]), root])
    expected = np.linalg.lstsq(x, np.concatenate([ahead, np.zeros(5)]), rcond=None)[0]
    np.testing.assert_allclose(model.coefficients[0], expected, rtol=1e-9)
    twice = [np.concatenate([one, one]) for one in (scaled, ahead, DAYS)]
    assert np.array_equal(fit_market(COLUMNS, LEVEL_COLUMN, *twice, 10).coefficients, model.coefficients)


def test_too_few_days_give_no_model():
    scaled, ahead = market_rows()
    few = np.where(np.arange(1000) < MIN_DAYS - 1, ahead, np.nan)
    assert fit_market(COLUMNS, LEVEL_COLUMN, scaled, few, DAYS, 10).share[0] == 0.0
    few[MIN_DAYS - 1] = ahead[MIN_DAYS - 1]
    assert fit_market(COLUMNS, LEVEL_COLUMN, scaled, few, DAYS, 10).share[0] > 0.0
