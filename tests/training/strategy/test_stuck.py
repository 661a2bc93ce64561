"""Positions that should be closed and have no bar: what they leave of the limits, in decisions and in an account."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from four_symbols import CAPS, CORRELATION, GROUP
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.strategy import CapConfig, StrategyConfig
from training.strategy.caps import Limits, cap_groups, cap_net, volatility_share
from training.strategy.correlation import portfolio_volatility
from training.strategy.follow import Bars, through_bar
from training.strategy.pipeline import decide
from training.strategy.view_builder import read_view
from training.validation.backtest.market import Market
from training.validation.backtest.simulate import simulate

NONE = np.zeros(4)
VOL = np.array([0.1, 0.2, 0.3, 0.5])
WEIGHTS = st.lists(st.floats(-1.0, 1.0), min_size=4, max_size=4).map(np.array)
LAST, END = 60, 90  # rows of the last bar of a symbol, and of the first one after it
STUCK = LAST + 7  # the row of the fill of the first decision more than seven days after the last bar
FULL = {"name": 0.5, "group": 10.0, "gross": 1.0, "net": 1.0, "volatility": None, "no_trade_band": 0.0}


def test_each_limit_leaves_the_room_that_is_left():
    stuck = np.array([0.2, 0.0, 0.0, 0.0])
    assert cap_groups(np.array([0.0, 0.4, 0.4, 0.0]), GROUP, 0.3, stuck) == pytest.approx([0, 0.1, 0.3, 0])
    assert cap_net(np.array([0.0, 0.4, 0.4, -0.2]), 0.2, stuck) == pytest.approx([0, 0.1, 0.1, -0.2])
    assert cap_net(np.array([0.0, -0.4, -0.4, 0.1]), 0.2, stuck) == pytest.approx([0, -0.25, -0.25, 0.1])
    caps = CapConfig(name=1.0, group=9.0, gross=0.8, net=9.0, volatility=None)
    limits = Limits(caps, True, GROUP, CORRELATION, VOL, stuck)
    assert limits(np.array([0.0, 0.6, -0.6, 0.0])) == pytest.approx([0, 0.3, -0.3, 0])
    alone = replace(limits, stuck=np.array([0.9, 0.0, 0.0, 0.0]))(np.array([0.0, 0.6, -0.6, 0.0]))
    assert not alone.any() and not np.signbit(alone).any(), "what is stuck exceeds the limit by itself"
    long = cap_net(np.array([0.0, 0.3, 0.0, -0.2]), 0.5, np.array([0.9, 0.0, 0.0, 0.0]))
    assert long == pytest.approx([0.0, 0.0, 0.0, -0.2]), "the other side makes the sum smaller"


@pytest.mark.parametrize("other", [0.5, -0.5])
def test_the_volatility_of_all_positions_meets_its_limit(other):
    """Two symbols of volatility 0.2: (0.2 x)² + 2 ρ · 0.2 x · 0.2 s + (0.2 s)² = 0.1² for a stuck s."""
    stuck, w = np.array([0.3, 0.0]), np.array([0.0, 1.0])
    correlation, vol = np.array([[1.0, other], [other, 1.0]]), np.full(2, 0.2)
    share = volatility_share(w, stuck, vol, correlation, 0.1)
    assert share == pytest.approx(-0.3 * other + np.sqrt((0.3 * other) ** 2 + 0.25 - 0.09))
    assert portfolio_volatility(w * share + stuck, vol, correlation) == pytest.approx(0.1)
    assert volatility_share(0.1 * w, stuck, vol, correlation, 0.1) == 1.0
    assert volatility_share(w, np.array([0.5001, 0.0]), vol, correlation, 0.1) == 0.0


@given(WEIGHTS, WEIGHTS, st.lists(st.booleans(), min_size=4, max_size=4).map(np.array), CAPS, st.booleans())
def test_all_positions_are_within_what_those_stuck_allow(weights, others, can_trade, caps, short):
    stuck, slack = np.where(can_trade, 0.0, others), 1.0 + 1e-9
    limits = Limits(caps, short, GROUP, CORRELATION, VOL, stuck)
    w = limits(np.where(can_trade, weights, 0.0))
    assert not w[~can_trade].any() and (w * weights >= 0).all()
    assert (np.abs(w) <= np.minimum(np.abs(weights), caps.name) + 1e-15).all()
    np.testing.assert_allclose(limits(w), w, rtol=1e-9, atol=1e-9)
    total = w + stuck
    assert np.abs(total).sum() <= max(caps.gross, np.abs(stuck).sum()) * slack
    of_group, of_stuck = (np.bincount(GROUP, weights=np.abs(one)) for one in (total, stuck))
    assert (of_group <= np.maximum(caps.group, of_stuck) * slack).all()
    assert abs(total.sum()) <= max(caps.net, abs(stuck.sum())) + 1e-9
    if caps.volatility is not None:
        alone = portfolio_volatility(stuck, VOL, CORRELATION)
        assert portfolio_volatility(total, VOL, CORRELATION) <= max(caps.volatility, alone) * slack


@given(WEIGHTS, CAPS)
def test_nothing_stuck_changes_no_bit(weights, caps):
    """The limits as they are without such positions."""
    w = np.clip(weights, -caps.name, caps.name)
    total, most = np.bincount(GROUP, weights=np.abs(w)), caps.group
    w = w * np.where(total > most * (1 + 1e-12), most / np.where(total > most, total, 1.0), 1.0)[GROUP]
    gross = np.abs(w).sum()
    w = w * (caps.gross / gross if gross > caps.gross * (1 + 1e-12) else 1.0)
    long, short = np.maximum(w, 0.0).sum(), np.maximum(-w, 0.0).sum()
    larger, most = max(long, short), min(long, short) + caps.net
    w = np.where((w > 0) == (long >= short), w * (most / larger if larger > most * (1 + 1e-12) else 1.0), w)
    if caps.volatility is not None and w.any():
        found = portfolio_volatility(w, VOL, CORRELATION)
        w = w * (caps.volatility / found if found > caps.volatility * (1 + 1e-12) else 1.0)
    np.testing.assert_array_equal(Limits(caps, True, GROUP, CORRELATION, VOL, NONE)(weights), w)


def market_of(random_market, back=None, seed=0):
    """Return daily bars of five symbols, without those of the first between two rows."""
    market = random_market(seed, days=120, symbols=5, halts=0.0)
    none = np.zeros(market.shape, bool)
    none[LAST + 1 : back, 0] = True
    prices = [np.where(none, np.nan, getattr(market, name)) for name in ("open", "high", "low", "close")]
    return Market(market.dates, market.symbols, *prices, volume=np.where(market.has_bar & ~none, 1e6, 0.0))


def decided(market, caps=None, sigma=0.2, **more):
    """Return positions that are long everywhere, as large as the limits allow."""
    rows, columns = np.nonzero(market.has_bar & (np.arange(len(market.dates)) >= 30)[:, None])
    variance = np.broadcast_to(np.asarray(sigma) ** 2 / 252, market.shape)[rows, columns]
    symbols = [market.symbols[s] for s in columns]
    table = pd.DataFrame({"symbol": symbols, "date": market.dates[rows], "forecast": variance})
    view = read_view(market, volatility=table, delisted=more.pop("delisted", ()))
    return decide(view, StrategyConfig(caps=FULL | (caps or {}), **more))


def gross_of(market, made, **options):
    """Return the account's gross exposure at each close of the decisions, of those before it."""
    account = simulate(market, made.targets(), unit="weight", cash=1e6, **options)
    return (np.abs(account.held) * market.mark).sum(axis=1)[made.first :] / account.equity.to_numpy()[made.first :]


@pytest.mark.parametrize("turnover", [None, 0.05])
@pytest.mark.parametrize("sigma", [0.2, 0.05])
def test_an_account_borrows_nothing_for_what_cannot_be_sold(random_market, sigma, turnover):
    market = market_of(random_market)
    made = decided(market, {"turnover": turnover}, sigma)
    late = slice(STUCK - made.first, None)
    gross = gross_of(market, made)[late]
    assert gross.max() < 1.01, "a day's drift of prices from the close of the decision on"
    assert gross.min() > 0.99, "all the room that is left is used"
    assert made.weights[STUCK - 2 - made.first, 0] and not made.weights[STUCK - 1 - made.first :, 0].any()
    assert np.abs(made.weights[late]).sum(axis=1).max() < 0.85
    assert (made.path.filled[late, 0] > 0.15).all()


def test_days_on_which_one_symbol_trades_move_no_other(random_market):
    """Stocks next to a coin: what cannot trade today is not reduced, and the coin does not take its room."""
    market = random_market(0, days=120, symbols=5, halts=0.0)
    closed = np.isin(np.arange(120) % 7, (5, 6))[:, None] & (np.arange(5) > 0)
    prices = [np.where(closed, np.nan, getattr(market, name)) for name in ("open", "high", "low", "close")]
    market = Market(market.dates, market.symbols, *prices, volume=np.where(closed, 0.0, 1e6))
    made = decided(market)
    idle = closed[made.first :]
    assert idle.any() and (made.weights[idle] > 0.0).all() and made.path.is_unchanged[idle].all()
    assert gross_of(market, made)[2:].max() < 1.02
    account = simulate(market, made.targets(), unit="weight", cash=1e6)
    traded = account.orders.assign(traded=lambda one: one["quantity"].abs() * one["reference"])
    assert traded["traded"].iloc[5:].sum() / account.equity.mean() < 0.02 * len(made.dates)


def test_what_a_halt_kept_is_sold_at_the_first_bar_and_leaves_no_trace(random_market):
    market = market_of(random_market, back=END)
    made = decided(market)
    first = made.first
    stuck = made.path.filled[:, 0] * ~market.has_bar[first:, 0]
    assert (np.abs(made.weights).sum(axis=1) + stuck)[STUCK - first : END - first] == pytest.approx(1.0)
    np.testing.assert_array_equal(made.path.filled[END - first], made.path.held[END - first])
    assert made.path.held[END - first, 0] == 0.0 and np.abs(made.weights[END - first :]).sum(axis=1) == pytest.approx(1)
    orders = simulate(market, made.targets(), unit="weight", cash=1e6).orders
    (sold,) = orders[(orders["symbol"] == "S0") & (orders["date"] == market.dates[END])].to_dict("records")
    assert sold["quantity"] < 0 and sold["reference"] == market.open[END, 0]
    gross = gross_of(market, made)[STUCK - first :]
    assert gross.max() < 1.03 and gross[END + 2 - STUCK :].min() > 0.97


def test_orders_that_no_bar_filled_are_not_held(random_market):
    """The last close decides to buy, or to sell: what counts later is the position before it."""
    market = market_of(random_market)
    row = LAST - 30
    for before, after in ((0.2, 1e9), (1e9, 0.2)):  # so large a volatility is no position
        sigma = np.full(market.shape, 0.2)
        sigma[:LAST, 0], sigma[LAST, 0] = before, after
        made = decided(market, sigma=sigma)
        has = before == 0.2
        assert (made.weights[row, 0] < 1e-6) == has and (made.path.filled[-1, 0] > 0.1) == has
        assert np.abs(made.weights[-1]).sum() == pytest.approx(1.0 - made.path.filled[-1, 0])
        assert gross_of(market, made)[STUCK - made.first :].max() < 1.03


def test_what_a_delisting_settled_leaves_its_room_to_others(random_market):
    market = market_of(random_market)
    made = decided(market, delisted=["S0"])
    late = slice(STUCK - made.first, None)
    assert np.abs(made.weights[late]).sum(axis=1) == pytest.approx(1.0)
    gross = gross_of(market, made, delisted={"S0": -0.5})[late]
    assert 0.99 < gross.min() and gross.max() < 1.01, "the account has cash in its place"


@pytest.mark.slow
@pytest.mark.parametrize("back", [None, END])
@given(st.sampled_from([{}, {"turnover": 0.2}, {"volatility": 0.12, "group": 0.4, "group_correlation": 0.2}]))
@settings(max_examples=3)
def test_decisions_need_no_later_bar_and_no_earlier_one(random_market, back, caps):
    market = market_of(random_market, back)
    made = decided(market, caps)
    held = None
    for t in range(made.first, len(market.dates)):
        if t % 9 == 0:
            cut = decide(made.view.until(t + 1), StrategyConfig(caps=FULL | caps))
            for mine, theirs in zip(made.path, cut.path, strict=True):
                np.testing.assert_array_equal(mine[: len(theirs)], theirs)
        view = made.view.until(t + 1)
        if held is not None:
            held = through_bar(held, Bars(view.open, view.high, view.low, view.close, view.close_before), t, 5)
        one = decide(view, StrategyConfig(caps=FULL | caps), held=held, first=-1)
        for mine, theirs in zip(made.path, one.path, strict=True):
            np.testing.assert_array_equal(mine[t - made.first], theirs[0])
        held = one.state_after()
    assert made.path.filled[END - 1 - made.first, 0] > 0.05
