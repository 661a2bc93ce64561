"""Realised utility and the fee for volatility timing: known answers."""

import numpy as np
import pytest
from scipy.signal import lfilter

from training.validation.economic_value import performance_fee, realised_utility_rows, utility_difference


def test_a_perfect_forecast_is_worth_four_per_cent():
    """0.16/2 · (√x − x/2): 4 % at x = 1, 0 at x = 4, and 0.08 · (½ − ⅛) = 3 % at x = ¼."""
    found = realised_utility_rows([1e-4, 4e-4, 1e-4], [1e-4, 1e-4, 4e-4])
    np.testing.assert_allclose(found, [0.04, 0.0, 0.03], atol=1e-15)
    assert realised_utility_rows([1.0], [1.0], sharpe=0.6, risk_aversion=3.0)[0] == pytest.approx(0.36 / 6)
    with pytest.raises(ValueError, match="finite and positive"):
        realised_utility_rows([1e-4], [0.0])


def test_a_difference_counts_days_not_rows():
    dates = np.repeat(np.arange(50), 4)
    target = np.repeat(np.random.default_rng(0).uniform(0.5, 2.0, 50), 4)
    forecast, other = np.ones(200), np.full(200, 3.0)
    own, theirs, found = utility_difference(target, forecast, other, dates, overlap=0)
    assert found.value == pytest.approx(own - theirs) and own > theirs
    once = utility_difference(target[::4], forecast[::4], other[::4], dates[::4], overlap=0)[2]
    assert found.se == pytest.approx(once.se), "four equal rows of a day say what one says"


@pytest.mark.parametrize("aversion", [1.0, 10.0])
def test_the_fee_makes_both_portfolios_equal(aversion):
    rng = np.random.default_rng(2)
    own, other = rng.normal(0.0006, 0.006, 1000), rng.normal(0.0004, 0.012, 1000)
    fee = performance_fee(own, other, aversion).value

    def utility(returns):
        gross = 1.0 + returns
        return (gross - aversion / (2 * (1 + aversion)) * gross**2).mean()

    assert utility(own - fee) == pytest.approx(utility(other), abs=1e-15) and fee > 0
    assert performance_fee(np.full(5, 0.02), np.full(5, 0.01), aversion) == pytest.approx((0.01, 0.0), abs=1e-12)
    assert performance_fee(other, own, aversion).value < 0 == performance_fee(own, own, aversion).value


@pytest.mark.parametrize("aversion", [1.0, 10.0])
def test_the_error_of_the_fee_is_that_of_many_samples(aversion):
    """Fees of 120 markets with clustered volatility scatter as the standard error says."""
    rng = np.random.default_rng(3)
    noise = 0.1 * rng.standard_normal((120, 1000))
    log_sigma = lfilter([1.0], [1.0, -0.95], noise, axis=1)
    market = 0.0003 + 0.01 * np.exp(log_sigma) * rng.standard_normal((120, 1000))
    scaled = market * np.exp(-log_sigma)  # the same market at a volatility of 1 %
    found = [performance_fee(one, other, aversion) for one, other in zip(scaled, market, strict=True)]
    fees, errors = np.array(found).T
    assert np.sqrt((errors**2).mean()) == pytest.approx(fees.std(ddof=1), rel=0.12)
    with pytest.raises(ValueError, match="same bars"):
        performance_fee(market[0], market[0][1:], aversion)
