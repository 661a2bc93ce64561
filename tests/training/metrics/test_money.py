"""Money metrics: known answers, degenerate returns, and that one pass equals the functions one by one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from training.metrics import money
from training.metrics.kelly import kelly_fraction, kelly_leverage, log_growth

R = [0.01, -0.02, 0.03, -0.01, 0.02]


def test_sharpe_and_sortino_of_five_returns():
    mean, sd, _, _ = money.moments(R)
    assert (mean, sd) == (pytest.approx(0.006), pytest.approx(0.0207364, abs=5e-8))
    assert money.sharpe(R, 252) == pytest.approx(4.593220, abs=5e-7)
    assert money.sortino(R, 252) == pytest.approx(9.524705, abs=5e-7)


@pytest.mark.parametrize("bars_per_year", [252, 365, 6_552])
def test_periods_a_year_are_those_of_the_data(bars_per_year):
    assert money.sharpe(R, bars_per_year) == pytest.approx(float(money.sharpe(R)) * bars_per_year**0.5)
    assert money.volatility(R, bars_per_year) == pytest.approx(np.std(R, ddof=1) * bars_per_year**0.5)
    assert money.cagr(R, bars_per_year) == pytest.approx((1 + money.total_return(R)) ** (bars_per_year / 5) - 1)


def test_a_drawdown_counts_from_the_starting_equity():
    assert money.max_drawdown([-0.10, 0.05, -0.20, 0.30]) == pytest.approx(-0.244)
    assert money.longest_drawdown([-0.10, 0.05, -0.20, 0.30]) == 4


@pytest.mark.parametrize("constant", [0.001, 0.0, -0.003])
def test_a_constant_return_has_no_sharpe_ratio(constant):
    r = np.full(252, constant)
    assert np.isnan(money.sharpe(r, 252))
    value = 1e7 * np.cumprod(1 + r)
    assert np.isnan(money.sharpe(value[1:] / value[:-1] - 1, 252)), "rounding is no variation"
    assert all(np.isnan(money.money_metrics(r, 252)[name]) for name in ("sharpe", "skew", "kurtosis"))


def test_ratios_without_a_denominator_are_nan():
    metrics = money.money_metrics([0.01, 0.02], 252)
    assert np.isnan([metrics[name] for name in ("sortino", "calmar", "profit_factor")]).all()
    assert np.isnan(money.volatility([0.01], 252)) and np.isnan(money.sharpe([0.01], 252))


def test_nan_is_a_bar_without_a_return():
    padded = [np.nan, *R, np.nan]
    assert {k: float(v) for k, v in money.money_metrics(padded, 252).items()} == {
        k: float(v) for k, v in money.money_metrics(R, 252).items()
    }


def test_losing_everything_is_final():
    assert money.total_return([-1.5, 1.0]) == -1 == money.max_drawdown([-1.5, 1.0]) == money.cagr([-1.5, 1.0], 252)


@pytest.mark.parametrize("bad", [[], [np.nan], [np.inf, 0.1], [[0.1, np.nan]], 0.1])
def test_returns_that_are_none_are_refused(bad):
    with pytest.raises(ValueError, match="return"):
        money.money_metrics(bad, 252)


@pytest.mark.parametrize("bars", [0, -252, np.nan, np.inf])
def test_bars_a_year_must_be_positive(bars):
    with pytest.raises(ValueError, match="bars_per_year"):
        money.sharpe(R, bars)


@pytest.mark.slow
@given(arrays(float, (3, 12), elements=st.floats(-0.3, 0.3).filter(lambda x: x == 0 or abs(x) > 1e-6)))
def test_one_pass_equals_the_functions_one_by_one(returns):
    together = money.money_metrics(returns, 252.0)
    for name in ("total_return", "max_drawdown", "hit_rate", "profit_factor", "expected_shortfall"):
        np.testing.assert_allclose(together[name], getattr(money, name)(returns), atol=1e-12)
    for name in ("cagr", "volatility", "sharpe", "sortino", "calmar"):
        np.testing.assert_allclose(together[name], getattr(money, name)(returns, 252.0), rtol=1e-9, atol=1e-12)
    for row, one in enumerate(returns):
        for name, value in money.money_metrics(one, 252.0).items():
            np.testing.assert_allclose(value, together[name][row], rtol=1e-9, atol=1e-12)


def test_kelly():
    assert kelly_fraction(0.6, 1.0) == pytest.approx(0.2)
    assert log_growth(0.6, 1.0, 1.0, 0.2) == pytest.approx(0.0201355, abs=5e-8)
    assert kelly_leverage(0.55, 0.05, 0.04) == pytest.approx(4.75)
    assert kelly_fraction(0.55, 0.05 / 0.04) == pytest.approx(0.19)
    assert kelly_fraction(0.4, 1.0) == 0 == kelly_leverage(0.4, 0.05, 0.05)
    assert log_growth(0.6, 1.0, 1.0, 1.0) == -np.inf
    with pytest.raises(ValueError, match="probability"):
        kelly_fraction(1.2, 1.0)
    with pytest.raises(ValueError, match="odds"):
        kelly_fraction(0.5, 0.0)
