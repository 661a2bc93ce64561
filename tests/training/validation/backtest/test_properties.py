"""Laws of the accounting, on random markets with gaps, halts and every cost."""

import dataclasses

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.validation import Costs, simulate
from training.validation.backtest.account import Account
from training.validation.backtest.ledger import positions_of
from training.validation.backtest.read_market import read_market

pytestmark = pytest.mark.slow

BARS, SYMBOLS = 12, 3
DAYS = pd.date_range("2024-01-01", periods=BARS)
NAMES = list("ABC")


def market(seed, gaps=True):
    """Return frames of three symbols; with gaps, bars are missing and some have no volume."""
    g = np.random.default_rng(seed)
    frames = {}
    for name in NAMES:
        close = 50 * np.exp(np.cumsum(g.normal(0, 0.05, BARS)))
        open_ = close * np.exp(g.normal(0, 0.02, BARS))
        frame = pd.DataFrame(
            {
                "Open": open_,
                "High": np.maximum(open_, close) * 1.01,
                "Low": np.minimum(open_, close) * 0.99,
                "Close": close,
                "Volume": g.integers(0 if gaps else 1, 4, BARS) * 50.0 * (np.arange(BARS) >= g.integers(0, 9) * gaps),
            },
            index=DAYS,
        )
        keep = np.concatenate([[True], g.random(BARS - 2) > (0.2 if gaps else -1.0), [True]])
        frames[name] = frame[keep]
    return frames


def targets_of(seed, unit):
    g = np.random.default_rng(seed + 1)
    values = g.integers(-20, 21, (BARS, SYMBOLS)).astype(float)
    values = values if unit == "shares" else values / 40
    return pd.DataFrame(np.where(g.random(values.shape) < 0.3, np.nan, values), index=DAYS, columns=NAMES)


costs_strategy = st.builds(
    Costs,
    half_spread_bps=st.one_of(st.floats(0, 50), st.just("corwin_schultz"), st.just({"A": 1.0, "B": 0.0, "C": 30.0})),
    slippage_bps=st.floats(0, 20),
    commission_bps=st.floats(0, 30),
    commission_per_share=st.sampled_from([0.0, 0.01]),
    commission_min=st.sampled_from([0.0, 1.0]),
    impact=st.sampled_from([0.0, 0.5]),
    participation_cap=st.sampled_from([None, 0.1]),
    borrow_bps_per_bar=st.floats(0, 5),
    funding_bps_per_bar=st.floats(-3, 3),
    cash_interest_bps_per_bar=st.floats(-1, 3),
    margin_interest_bps_per_bar=st.floats(0, 5),
    lot=st.sampled_from([0.0, 1.0, 0.1]),
    financed=st.booleans(),
)
seeds = st.integers(0, 2**31)
units = st.sampled_from(["shares", "weight"])


def rebuilt(result, costs):
    """Return equity from nothing but the frame of orders, positions by addition, and bars."""
    cash, held, last = result.starting_cash, dict.fromkeys(NAMES, 0.0), {}
    frames = {
        name: pd.DataFrame({"close": result.market.close[:, s]}, index=result.dates) for s, name in enumerate(NAMES)
    }
    orders, equity = result.orders, []
    for date in result.dates:
        for order in orders[orders["date"] == date].to_dict("records"):
            cash -= order["quantity"] * order["price"] + order["commission"]
            held[order["symbol"]] += order["quantity"]
        borrow = funding = worth = 0.0
        for name in NAMES:
            close = frames[name]["close"][date]
            if np.isfinite(close):
                last[name] = close
            value = held[name] * last.get(name, 0.0)
            worth += value
            if np.isfinite(close):
                borrow += max(-value, 0.0) * costs.borrow_bps_per_bar / 1e4
                funding += value * costs.funding_bps_per_bar / 1e4
        base = cash if costs.financed else cash + worth
        rate = costs.cash_interest_bps_per_bar if base > 0 else costs.margin_interest_bps_per_bar
        cash += base * rate / 1e4 - borrow - funding
        equity.append(cash + worth)
    return np.array(equity)


@settings(max_examples=60)
@given(seeds, units, costs_strategy, st.sampled_from(["open", "close", "vwap"]))
def test_equity_is_rebuilt_from_the_orders(seed, unit, costs, fill):
    result = simulate(market(seed), targets_of(seed, unit), costs, cash=5_000, unit=unit, fill=fill)
    np.testing.assert_allclose(result.equity, rebuilt(result, costs), rtol=1e-10)
    np.testing.assert_allclose(result.held, positions_of(result.fills, result.held.shape), atol=1e-9)
    profit = result.profit_by_symbol.sum() - result.costs["interest"]
    assert profit == pytest.approx(result.equity.iloc[-1] - 5_000, abs=1e-7)
    assert result.costs_by_symbol.sum().to_numpy() == pytest.approx(result.costs.to_numpy()[:6], abs=1e-8)
    assert result.gross_profit - result.costs.sum() == pytest.approx(result.equity.iloc[-1] - 5_000, abs=1e-7)


@settings(max_examples=40)
@given(seeds, costs_strategy, st.sampled_from([None, 1.0]))
def test_cash_that_decisions_see_is_that_of_the_ledger(seed, costs, max_leverage):
    seen = []

    class Watched(Account):
        def _close(self, t):
            seen.append(super()._close(t))
            return seen[-1]

    from training.validation.backtest import simulate as module

    original, module.Account = module.Account, Watched
    try:
        result = simulate(
            market(seed), targets_of(seed, "weight"), costs, cash=5_000, unit="weight", max_leverage=max_leverage
        )
    finally:
        module.Account = original
    np.testing.assert_allclose(seen[-BARS:], result.equity, rtol=1e-10)


@settings(max_examples=40)
@given(seeds, costs_strategy)
def test_two_accounts_of_half_the_universe_add_up(seed, costs):
    costs = dataclasses.replace(costs, cash_interest_bps_per_bar=0, margin_interest_bps_per_bar=0)
    frames, targets = market(seed), targets_of(seed, "shares")
    whole = simulate(read_market(frames), targets, costs, cash=50_000)
    halves = [simulate(read_market(frames), targets[part], costs, cash=25_000) for part in (["A"], ["B", "C"])]
    total = sum(half.equity.reindex(whole.dates).ffill() for half in halves)
    np.testing.assert_allclose(whole.equity, total, rtol=1e-10)
    for kind in ("spread", "impact", "commission", "borrow", "funding"):
        assert whole.costs[kind] == pytest.approx(sum(half.costs[kind] for half in halves), abs=1e-8)


@settings(max_examples=40)
@given(seeds, units, costs_strategy, st.integers(3, BARS - 2), st.booleans())
def test_later_bars_change_nothing_before(seed, unit, costs, cut, truncate):
    frames, targets = market(seed), targets_of(seed, unit)
    other = market(seed + 7)
    stops = targets * 0 + 48.0
    changed = {
        name: frame[frame.index <= DAYS[cut]]
        if truncate
        else pd.concat([frame[frame.index <= DAYS[cut]], other[name][other[name].index > DAYS[cut]]])
        for name, frame in frames.items()
    }
    options = {"cash": 5_000, "unit": unit, "stops": stops, "max_leverage": 2.0}
    before = simulate(frames, targets, costs, **options)
    if truncate:
        last = max(frame.index[-1] for frame in changed.values())
        options["stops"], targets = stops[:last], targets[:last]
    after = simulate(changed, targets, costs, **options)
    pd.testing.assert_series_equal(
        before.equity[: DAYS[cut]], after.equity[: DAYS[cut]], check_freq=False, rtol=0, atol=0
    )
    columns = ["date", "quantity", "price", "commission"]
    left, right = (one.orders.loc[one.orders["date"] <= DAYS[cut], columns] for one in (before, after))
    pd.testing.assert_frame_equal(left, right, rtol=0, atol=0)


@settings(max_examples=40)
@given(
    seeds,
    st.sampled_from(
        ["half_spread_bps", "slippage_bps", "commission_bps", "commission_min", "impact", "borrow_bps_per_bar"]
    ),
    st.floats(0, 40),
    st.floats(0.1, 40),
)
def test_higher_costs_never_leave_more(seed, name, low, more):
    frames, targets = market(seed), targets_of(seed, "shares")
    cheap, dear = (simulate(frames, targets, Costs(**{name: x}), cash=50_000) for x in (low, low + more))
    assert (dear.equity <= cheap.equity + 1e-7).all()
    assert dear.costs.sum() >= cheap.costs.sum() - 1e-9
    assert dear.gross_profit == pytest.approx(cheap.gross_profit, abs=1e-6)


@given(seeds)
def test_leverage_stays_within_its_limit(seed):
    frames = market(seed, gaps=False)
    result = simulate(frames, targets_of(seed, "shares") * 10, cash=5_000, max_leverage=1.5)
    opens = np.abs(result.held) * result.market.open
    equity_at_open = result.ledger.cash + (result.held * result.market.open).sum(axis=1)
    traded = result.ledger.traded > 0
    grown = traded & (
        np.abs(result.held).sum(axis=1) > np.abs(np.vstack([result.held[:1] * 0, result.held[:-1]])).sum(axis=1)
    )
    assert (opens.sum(axis=1)[grown] <= 1.5 * equity_at_open[grown] + 1e-6).all()


def test_repeated_weights_rebalance_and_single_ones_do_not():
    frames = market(5, gaps=False)
    daily = simulate(frames, pd.DataFrame(0.3, index=DAYS, columns=NAMES), cash=5_000, unit="weight")
    once = simulate(frames, pd.DataFrame(0.3, index=DAYS[:1], columns=NAMES), cash=5_000, unit="weight")
    assert len(daily.orders) == 3 * (BARS - 1) and len(once.orders) == 3
    worth = daily.held[1:] * daily.market.open[1:]
    decided = 0.3 * daily.ledger.equity[:-1, None] / daily.market.close[:-1] * daily.market.open[1:]
    np.testing.assert_allclose(worth, decided)


def test_what_a_stop_closed_stays_closed_until_the_sign_changes():
    price = [100, 100, 90, 95, 100, 105, 110, 100.0]
    days = DAYS[:8]
    bars = pd.DataFrame({n: price for n in ("Open", "High", "Low", "Close")}, index=days)
    targets = pd.Series([10, 10, 10, 10, -5, -5, 10, 10.0], index=days)
    result = simulate(
        bars, targets, stops=pd.Series([95, 95, 95, 95, np.nan, np.nan, np.nan, np.nan], index=days), cash=5_000
    )
    assert result.positions.iloc[:, 0].tolist() == [0, 10, 0, 0, 0, -5, -5, 10]
    assert result.orders["kind"].tolist() == ["market", "stop", "market", "market"]


def test_currencies_are_converted_at_rates_known_then():
    bars = pd.DataFrame({n: [10.0] * 4 for n in ("Open", "High", "Low", "Close")}, index=DAYS[:4])
    rates = pd.DataFrame({"EUR": [1.0, 1.2, 1.5, 1.5]}, index=DAYS[:4])
    result = simulate(
        {"X": bars}, pd.DataFrame({"X": 10.0}, index=DAYS[:4]), currency={"X": "EUR"}, fx_rates=rates, cash=1_000
    )
    assert result.orders["value"].tolist() == [100.0], "bought in the second bar at the first close's rate"
    assert result.equity.tolist() == [1_000, 1_020, 1_050, 1_050]


def test_futures_are_worth_their_multiplier_and_leave_cash_to_earn():
    bars = pd.DataFrame({n: [100.0, 100, 101, 102] for n in ("Open", "High", "Low", "Close")}, index=DAYS[:4])
    costs = Costs(
        multiplier={"ES": 50.0}, financed=False, cash_interest_bps_per_bar=1.0, margin_interest_bps_per_bar=99.0
    )
    result = simulate({"ES": bars}, pd.DataFrame({"ES": 2.0}, index=DAYS[:4]), costs, cash=5_000)
    assert result.costs["interest"] == pytest.approx(-(5_000.5 + 5_000 + 5_101 + 5_201.5) / 1e4, rel=1e-4)
    assert result.equity.iloc[-1] - 5_000 + result.costs["interest"] == pytest.approx(200.0)
