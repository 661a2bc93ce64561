"""Implied volatility is the inverse of the price: on a wide grid, at the bounds, and for American options."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from option_chains import american_price, black_price

from features.alternative.options.implied import implied_volatility
from features.alternative.options.reasons import count_reasons

EPS = np.finfo(float).eps


def inverted(price, is_call, forward, strike, years, discount):
    arrays = np.broadcast_arrays(*(np.atleast_1d(one) for one in (price, is_call, forward, strike, years, discount)))
    return implied_volatility(*arrays)


def test_volatilities_are_recovered_wherever_the_price_has_their_digits():
    moneyness = np.concatenate([np.linspace(-3.0, 3.0, 61), np.geomspace(1e-12, 0.1, 12)])
    days, volatility = np.array([1, 2, 7, 30, 91, 365, 730]) / 365, np.geomspace(0.01, 3.0, 30)
    grid = np.meshgrid(moneyness, days, volatility, [True, False], indexing="ij")
    x, years, expected, is_call = (one.ravel() for one in grid)
    strike, discount = 100.0 * np.exp(x), np.exp(-0.05 * years)
    price = black_price(is_call, 100.0, strike, years, expected, discount)
    found = inverted(price, is_call, 100.0, strike, years, discount)
    error = np.abs(found.volatility - expected)
    out_of_the_money = ((strike >= 100.0) == is_call) & (price > 1e-290)
    assert out_of_the_money.sum() > 9_000 and error[out_of_the_money].max() < 1e-11
    with np.errstate(divide="ignore", over="ignore"):
        d1 = -x / (expected * np.sqrt(years)) + 0.5 * expected * np.sqrt(years)
        vega = discount * 100.0 * np.sqrt(years / (2.0 * np.pi)) * np.exp(-0.5 * d1 * d1)
        rounding = 8.0 * EPS * np.maximum(100.0, strike) / vega  # of a price that is mostly intrinsic value
    clear = ~out_of_the_money & (rounding < 1e-8)
    assert clear.sum() > 5_000 and error[clear].max() < 1e-8
    assert (error[rounding < 1e-3] <= 1e-11 + rounding[rounding < 1e-3]).all()


@given(st.floats(-2.0, 2.0), st.floats(0.002, 3.0), st.floats(0.02, 3.0), st.floats(0.5, 1.05), st.floats(1e-3, 1e5))
def test_the_price_at_the_implied_volatility_is_the_price_in_any_currency(x, years, volatility, discount, forward):
    strike = forward * np.exp(x)
    price = black_price(x >= 0.0, forward, strike, years, volatility, discount)
    found = inverted(price, x >= 0.0, forward, strike, years, discount)
    if found.reason[0]:
        assert price < 1e-300 * forward or price > 0.99 * min(forward, strike) * discount
    else:
        again = black_price(x >= 0.0, forward, strike, years, found.volatility[0], discount)
        assert again == pytest.approx(price, rel=1e-9)


def test_prices_outside_the_bounds_have_a_reason_and_no_volatility():
    strikes = np.array([90.0, 90.0, 110.0, 110.0, 100.0, 100.0, 100.0, -1.0])
    price = np.array([10.0 * 0.9, 9.5, 0.0, -3.0, 90.0, np.nan, 100.0 * 0.9 - 1e-9, 5.0])
    found = inverted(price, True, 100.0, strikes, 0.5, 0.9)
    assert np.isnan(found.volatility[[0, 2, 3, 4, 5, 7]]).all() and (found.volatility[[1, 6]] > 0.0).all()
    assert count_reasons(found.reason) == {"no_forward": 2, "below_intrinsic": 3, "above_bound": 1}
    puts = inverted([99.0 * 0.9, 100.0 * 0.9], False, 200.0, 100.0, 0.5, 0.9)
    assert puts.reason[0] == 0 and count_reasons(puts.reason) == {"above_bound": 1}


@pytest.mark.parametrize(("rate", "dividend_yield"), [(0.0, 0.0), (0.05, 0.0), (0.05, 0.03), (0.01, 0.03)])
@pytest.mark.parametrize("days", [7, 30, 90])
def test_early_exercise_moves_volatilities_out_of_the_money_little(rate, dividend_yield, days):
    volatility, years = np.full(6, 0.25), days / 365
    total = 0.25 * np.sqrt(years)
    strike = 100.0 * np.exp(np.array([-1.5, -0.7, 0.0, 0.0, 0.7, 1.5]) * total)
    is_call = np.array([False, False, False, True, True, True])
    price = american_price(is_call, 100.0, strike, years, volatility, rate, dividend_yield, steps=500)
    forward, discount = 100.0 * np.exp((rate - dividend_yield) * years), np.exp(-rate * years)
    error = np.abs(inverted(price, is_call, forward, strike, years, discount).volatility - 0.25)
    assert error.max() < 0.006
    assert error[[0, 5]].max() < 0.001, "far out of the money the right is worth least"
