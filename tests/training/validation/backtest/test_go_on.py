"""An account that is cut at any bar, stored as JSON and resumed on a few bars does what it does without the cut."""

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import DataError
from training.validation.backtest.account import Account
from training.validation.backtest.account_state import AccountState
from training.validation.backtest.costs import CORWIN_SCHULTZ, Costs
from training.validation.backtest.exits import Levels
from training.validation.backtest.impact import impact_scale
from training.validation.backtest.market import Market
from training.validation.backtest.recent import look_back, rows_of
from training.validation.backtest.setting import Setting
from training.validation.backtest.spread import estimated_half_spread

pytestmark = pytest.mark.slow

BARS, SYMBOLS = 60, 3
DATES = np.arange("2024-01-01", "2024-03-01", dtype="datetime64[D]").astype("datetime64[ns]")


def market_of(seed, halts=0.25):
    """Return bars with gaps, halts longer than the look-back, late starts, zero volume and dividends."""
    g = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(g.normal(0, 0.04, (BARS, SYMBOLS)), axis=0))
    open_ = close * np.exp(g.normal(0, 0.03, close.shape))
    high, low = np.maximum(open_, close) * 1.01, np.minimum(open_, close) * 0.99
    none = g.random(close.shape) < halts
    none[10 : 10 + int(g.integers(0, 40)), 0] = True
    none[: int(g.integers(0, 30)), 1] = True
    none[0, 2] = none[40, :] = False
    volume = np.where(none | (g.random(close.shape) < 0.1), 0.0, g.integers(1, 9, close.shape) * 100.0)
    volume[:, 2] *= g.random() < 0.5  # a series without volume
    dividends = np.where(g.random(close.shape) < 0.05, 0.5, 0.0)
    prices = [np.where(none, np.nan, one) for one in (open_, high, low, close)]
    return Market(DATES, ("A", "B", "C"), *prices, volume, dividends)


def decisions_of(seed):
    g = np.random.default_rng(seed + 1)
    weights = np.where(g.random((BARS, SYMBOLS)) < 0.4, np.nan, g.normal(0, 0.4, (BARS, SYMBOLS)))
    return np.where(g.random(weights.shape) < 0.1, 0.0, weights)


def levels_of(seed, market):
    g = np.random.default_rng(seed + 2)
    stop = np.where(g.random(market.shape) < 0.5, np.nan, market.mark * np.exp(g.normal(0, 0.05, market.shape)))
    take = np.where(g.random(market.shape) < 0.5, np.nan, market.mark * np.exp(g.normal(0, 0.05, market.shape)))
    return Levels(None, np.where(stop > 0, stop, np.nan), np.where(take > 0, take, np.nan))


COSTS = st.builds(
    Costs,
    half_spread_bps=st.sampled_from([0.0, 3.0, CORWIN_SCHULTZ]),
    slippage_bps=st.sampled_from([0.0, 2.0]),
    commission_bps=st.sampled_from([0.0, 10.0]),
    commission_per_share=st.sampled_from([0.0, 0.01]),
    commission_min=st.sampled_from([0.0, 1.0]),
    impact=st.sampled_from([0.0, 1.0]),
    participation_cap=st.sampled_from([None, 0.1]),
    borrow_bps_per_bar=st.sampled_from([0.0, 1.0]),
    funding_bps_per_bar=st.sampled_from([0.0, -2.0]),
    cash_interest_bps_per_bar=st.sampled_from([0.0, 1.0]),
    margin_interest_bps_per_bar=st.sampled_from([0.0, 3.0]),
    lot=st.sampled_from([0.0, 1.0]),
    financed=st.sampled_from([True, {"A": False, "B": True, "C": True}]),
)


def settings_of(seed, costs, has_levels, max_leverage, market=None):
    market = market_of(seed) if market is None else market
    return Setting.of(
        market,
        decisions_of(seed),
        costs,
        unit="weight",
        fill="open",
        cash=5_000.0,
        levels=levels_of(seed, market) if has_levels else None,
        delisting=np.array([-0.3, np.nan, np.nan]),
        max_leverage=max_leverage,
        settlement=np.array([50, -1, -1]),
    )


def on_last_row(whole, costs, row):
    """Return the settings of a row on no more bars than it needs."""
    until = rows_of(whole.market, 0, row + 1)
    start = row + 1 - look_back(until, costs)
    part = rows_of(until, start)
    levels = None
    if whole.levels is not None:
        levels = Levels(None, *(one[start : row + 1] for one in (whole.levels.stop, whole.levels.take_profit)))
    exchange = None
    return Setting.of(
        part,
        whole.decisions[start : row + 1],
        costs,
        unit="weight",
        fill="open",
        cash=np.nan,
        exchange=exchange,
        levels=levels,
        delisting=whole.delisting,
        max_leverage=whole.max_leverage,
        settlement=whole.settlement - start,
    )


def records(account):
    return [tuple(one.tolist() if isinstance(one, np.ndarray) else one for one in record) for record in account.records]


@given(st.integers(0, 2**31), COSTS, st.booleans(), st.sampled_from([None, 1.2]))
@settings(max_examples=60)
def test_an_account_goes_on_from_json_bit_for_bit(seed, costs, has_levels, max_leverage):
    whole = settings_of(seed, costs, has_levels, max_leverage)
    plain = Account(whole)
    cut, state, orders = None, AccountState.of(whole.cash, SYMBOLS), []
    for t in range(BARS):
        equity = plain.go_on(t)
        setting = on_last_row(whole, costs, t)
        row = len(setting.market.dates) - 1
        cut = Account(setting, state=state)
        assert cut.go_on(row) == equity
        orders += [(t, *record[1:]) for record in records(cut)]
        state = AccountState.of_json(json.loads(json.dumps(cut.state.as_json())))
        assert (cut.cash, cut.state.is_closing) == (plain.cash, plain.state.is_closing)
        for mine, theirs in zip(
            (state.position, state.wanted, state.locked),
            (plain.state.position, plain.state.wanted, plain.state.locked),
            strict=True,
        ):
            np.testing.assert_array_equal(mine, theirs)
    assert orders == records(plain)
    walked = Account(whole)
    walked.run()
    if not plain.state.is_closing:
        assert records(walked) == orders


@given(st.integers(0, 2**31), st.integers(30, BARS))
@settings(max_examples=30)
def test_terms_of_a_bar_need_no_older_bars_than_the_look_back(seed, stop):
    market = rows_of(market_of(seed), 0, stop)
    costs = Costs(half_spread_bps=CORWIN_SCHULTZ, impact=1.0)
    part = rows_of(market, stop - look_back(market, costs))
    has_bar = market.has_bar[-1]
    for compute in (impact_scale, estimated_half_spread):
        np.testing.assert_array_equal(compute(part)[-1][has_bar], compute(market)[-1][has_bar])
    for name in ("mark", "tradable", "has_volume", "mark_before"):
        np.testing.assert_array_equal(getattr(part, name)[-1], getattr(market, name)[-1], err_msg=name)


def test_a_ruined_account_closes_everything_and_stays_closed():
    market = market_of(1, halts=0.0)
    crash = np.where((np.arange(BARS) < 5)[:, None], 1.0, 0.01)
    prices = {name: getattr(market, name) * crash for name in ("open", "high", "low", "close")}
    setting = settings_of(1, Costs(), False, None, replace(market, **prices, dividends=None))
    account = Account(replace(setting, decisions=np.full(market.shape, 2.0)))
    for t in range(12):
        account.go_on(t)
    assert account.state.is_closing and not account.state.position.any() and not account.state.wanted.any()


@pytest.mark.parametrize(
    ("stored", "message"),
    [
        ({}, "cannot be read"),
        ({"cash": 1, "position": [1], "wanted": [1, 2], "locked": [0], "is_closing": False}, "different lengths"),
        ({"cash": 1, "position": "x", "wanted": [1], "locked": [0], "is_closing": False}, "lists of numbers"),
    ],
)
def test_a_state_that_is_none_is_refused(stored, message):
    with pytest.raises(DataError, match=message):
        AccountState.of_json(stored)
