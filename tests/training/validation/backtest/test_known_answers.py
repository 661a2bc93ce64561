"""Known answers of the accounting, to the last digit that is known."""

import numpy as np
import pandas as pd
import pytest

from training.validation import Costs, simulate
from training.validation.backtest.fills import exit_fill, limit_fill, stop_fill
from training.validation.backtest.impact import capped, square_root_impact
from training.validation.backtest.spread import corwin_schultz

DAYS = pd.date_range("2024-01-01", periods=5)


def frame(open_, close, *, high=None, low=None, volume=1e6, days=None):
    o, c = np.asarray(open_, float), np.asarray(close, float)
    high = np.maximum(o, c) if high is None else high
    low = np.minimum(o, c) if low is None else low
    index = pd.date_range("2024-01-01", periods=len(o)) if days is None else days
    return pd.DataFrame({"Open": o, "High": high, "Low": low, "Close": c, "Volume": volume}, index=index)


FIVE = frame([100, 100, 103, 104, 100], [100, 102, 104, 101, 99])
TARGETS = pd.DataFrame({"X": [50, 50, -50, 0, 0]}, index=DAYS)
ALL_COSTS = Costs(half_spread_bps=5, slippage_bps=5, commission_bps=10, borrow_bps_per_bar=1)


def test_five_bars_with_all_costs():
    result = simulate({"X": FIVE}, TARGETS, ALL_COSTS, cash=10_000, unit="shares")
    np.testing.assert_allclose(result.equity, [10_000, 10_089.995, 10_189.995, 10_318.7004, 10_358.6954], atol=5e-9)
    assert result.equity.index.equals(DAYS)
    orders = result.orders
    assert orders["date"].tolist() == [DAYS[1], DAYS[3], DAYS[4]] and orders["symbol"].tolist() == ["X"] * 3
    np.testing.assert_allclose(orders["quantity"], [50, -100, 50])
    np.testing.assert_allclose(orders["price"], [100.10, 103.896, 100.10])
    np.testing.assert_allclose(orders["commission"], [5.005, 10.3896, 5.005])
    assert result.costs["slippage"] + result.costs["spread"] == pytest.approx(20.40)
    assert result.costs["commission"] == pytest.approx(20.3996)
    assert result.costs["borrow"] == pytest.approx(0.505)
    assert result.costs.sum() == pytest.approx(41.3046)


def test_five_bars_without_costs_and_the_cost_that_breaks_even():
    result = simulate({"X": FIVE}, TARGETS, cash=10_000, unit="shares")
    assert result.equity.iloc[-1] / 10_000 - 1 == pytest.approx(0.04)
    assert result.ledger.traded.sum() == pytest.approx(20_400)
    assert result.break_even_bps == pytest.approx(196.08, abs=5e-3)
    dearer = simulate({"X": FIVE}, TARGETS, Costs(slippage_bps=result.break_even_bps), cash=10_000)
    assert dearer.equity.iloc[-1] == pytest.approx(10_000)
    assert dearer.break_even_bps == pytest.approx(result.break_even_bps), "it does not depend on the costs charged"


def test_a_round_trip_pays_both_ends():
    bars = frame([100] * 4, [100] * 4)
    targets = pd.Series([1, 0, 0, 0], index=bars.index)
    result = simulate(bars, targets, Costs(half_spread_bps=5, commission_bps=10), cash=1_000)
    assert 1_000 - result.equity.iloc[-1] == pytest.approx(0.3)
    sides = result.orders[["spread", "commission"]].sum(axis=1)
    np.testing.assert_allclose(sides, [0.15, 0.15], atol=1e-4)


@pytest.mark.parametrize(("side", "paid"), [(1, 3.0), (-1, -3.0)])
def test_funding_is_paid_by_long_positions_and_received_by_short_ones(side, paid):
    bars = frame([100] * 4, [100] * 4)
    targets = pd.Series([side * 100.0] * 4, index=bars.index)
    result = simulate(bars, targets, Costs(funding_bps_per_bar=3), cash=10_000)
    np.testing.assert_allclose(-result.equity.diff().iloc[1:], paid)
    assert result.costs["funding"] == pytest.approx(3 * paid)


def test_square_root_impact():
    assert square_root_impact(0.01, 0.02) == pytest.approx(20e-4)
    cost = [size * square_root_impact(size / 1e6, 0.02) for size in (1e4, 2e4)]
    assert cost[1] / cost[0] == pytest.approx(2.828, abs=5e-4)


def test_impact_of_an_order_uses_volatility_and_volume_before_it():
    close = 100 * np.cumprod([1.0, 1.02, 0.98, 1.02, 0.98, 1.02])
    bars = frame(close, close, high=close * 1.001, low=close * 0.999, volume=[1e6] * 5 + [9e9])
    targets = pd.Series([0.0, 0, 0, 0, 10_000, 10_000], index=bars.index)
    order = simulate(bars, targets, Costs(impact=1), cash=1e7).orders.iloc[0]
    assert order["impact"] / order["value"] == pytest.approx(20e-4)


def test_participation_cap():
    assert capped(1_000, 20_000, 0.025) == 500
    bars = frame([100] * 5, [100] * 5, volume=20_000)
    result = simulate(bars, pd.Series([1_000.0] * 5, index=bars.index), Costs(participation_cap=0.025), cash=1e6)
    assert result.orders["quantity"].tolist() == [500, 500], "the rest is filled in the next bar"
    assert result.orders["requested"].tolist() == [1_000, 500]


def test_fills_of_limits_and_stops():
    assert limit_fill(1, 101, 100, 102, 99) == 100
    assert limit_fill(1, 99.5, 100, 102, 99) == 99.5
    assert np.isnan(limit_fill(1, 98, 100, 102, 99))
    assert stop_fill(-1, 50, 49, 51, 48) == 49
    assert stop_fill(-1, 50, 52, 53, 48) == 50
    assert stop_fill(1, 50, 51, 53, 48) == 51
    price, by_stop = exit_fill([10, -10, 10], [95, 105, 93], [105, 95, 110], 100, 106, 94)
    assert price.tolist()[:2] == [95, 105] and np.isnan(price[2]), "stop and target in one bar: the stop"
    assert by_stop.tolist() == [True, True, False]


def test_a_limit_buys_at_a_better_open_and_a_stop_sells_at_a_worse_one():
    bars = frame([100, 100, 49, 49], [100, 100, 49, 49], low=[100, 100, 48, 48], high=[100, 101, 52, 50])
    targets = pd.Series([10, np.nan, np.nan, np.nan], index=bars.index)
    result = simulate(
        bars, targets, limits=pd.Series([101.0], index=DAYS[:1]), stops=pd.Series([50.0], index=DAYS[:1]), cash=2_000
    )
    assert result.orders[["kind", "price", "quantity"]].to_numpy().tolist() == [
        ["market", 100.0, 10.0],
        ["stop", 49.0, -10.0],
    ]
    assert result.positions.iloc[-1, 0] == 0


def test_a_delisted_position_becomes_cash():
    days = pd.date_range("2024-01-01", periods=6)
    bars = {"GONE": frame([50] * 3, [50] * 3, days=days[:3]), "STAYS": frame([10] * 6, [10] * 6, days=days)}
    targets = pd.DataFrame({"GONE": 100.0, "STAYS": 0.0}, index=days)
    result = simulate(bars, targets, ALL_COSTS, cash=5_000 + 5.0 + 5.005, delisted={"GONE": -0.3})
    assert result.cash.iloc[-1] == pytest.approx(3_500) == result.equity.iloc[-1]
    assert result.orders["kind"].tolist() == ["market", "delisting"]
    assert np.isfinite(result.equity).all() and not result.notes
    alone = simulate({"GONE": bars["GONE"]}, targets[["GONE"]].iloc[:3], cash=5_000, delisted={"GONE": -0.3})
    assert alone.equity.iloc[-1] == alone.cash.iloc[-1] == pytest.approx(3_500)


def test_a_position_whose_bars_end_is_valued_at_the_last_close_and_named():
    days = pd.date_range("2024-01-01", periods=6)
    bars = {"GONE": frame([50] * 3, [50] * 3, days=days[:3]), "STAYS": frame([10] * 6, [10] * 6, days=days)}
    result = simulate(bars, pd.DataFrame({"GONE": 100.0, "STAYS": 0.0}, index=days), cash=10_000)
    assert result.equity.tolist() == [10_000] * 6 and "GONE" in result.notes[0]


def test_corwin_schultz():
    # Constant range, no gaps: β = 2 ln(H/L)², γ = ln(H/L)², α = ln(H/L), so the spread is that of the range.
    n = np.ones(4)
    spread = corwin_schultz(102 * n, 100 * n, 101 * n)
    assert np.isnan(spread[0])
    np.testing.assert_allclose(spread[1:], 2 * (1.02 - 1) / (1 + 1.02))
    np.testing.assert_allclose(corwin_schultz(100 * n, 100 * n, 100 * n)[1:], 0)


def test_interest_on_cash_is_not_skill():
    """Half in cash at 2 bps a bar: mean and Sharpe ratio are of what was earned above it, and cash alone has none."""
    rng = np.random.default_rng(0)
    days = pd.bdate_range("2020-01-01", periods=300)
    close = 100 * np.exp(np.cumsum(0.01 * rng.standard_normal(300)))
    bars = pd.DataFrame({"Open": close, "High": close, "Low": close, "Close": close}, index=days)
    costs = Costs(cash_interest_bps_per_bar=2.0)
    for weight in (0.5, 0.0):
        found = simulate(bars, pd.Series(weight, index=days), costs, unit="weight", cash=1e6)
        excess = found.returns.to_numpy() - 2e-4
        np.testing.assert_allclose(found.excess_returns, excess, atol=1e-15)
        ratio = excess.mean() / excess.std(ddof=1) * np.sqrt(252) if weight else np.nan
        assert found.metrics(252)["sharpe"] == pytest.approx(ratio, nan_ok=True)
        assert found.return_metrics(found.returns.to_numpy(), 252)["sharpe"] == pytest.approx(ratio, nan_ok=True)
