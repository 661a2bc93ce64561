"""Without protections, the bot's steps are a backtest of the same rows; and they can be cut anywhere."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from serving.bot.state import BotState

pytestmark = pytest.mark.slow

NAMES = ("volatility_target", "direction", "direction_x_volatility", "relative_rank")


def orders_of(results):
    found = [row for result in results for row in result.fill_rows]
    return [(row["bar_date"].date(), row["symbol"], row["quantity"], row["price"]) for row in found]


@pytest.mark.parametrize("name", NAMES)
@given(
    seed=st.integers(0, 10_000),
    stops=st.booleans(),
    max_age=st.sampled_from([0, 2]),
    costs=st.sampled_from([{}, {"half_spread_bps": "corwin_schultz"}, {"lot": 0.0, "participation_cap": 0.001}]),
    max_leverage=st.sampled_from([None, 0.8]),
)
@settings(max_examples=3)
def test_the_account_is_that_of_the_backtest(bot_of, backtest, name, seed, stops, max_age, costs, max_leverage):
    part = {"costs": {"preset": "us_equities", "commission_bps": 1.0, **costs}, "cash": 50_000.0}
    bot = bot_of(seed, name, stops=stops, max_age=max_age, backtest={**part, "max_leverage": max_leverage})
    results, simulated = bot.run(), backtest(bot)
    assert len(simulated.orders), "something is traded"
    mine = [result.account_row for result in results]
    for column, theirs in (("equity", simulated.ledger.equity), ("cash", simulated.ledger.cash)):
        np.testing.assert_allclose([row[column] for row in mine], theirs, rtol=0, atol=0.004, err_msg=column)
    held = [[row.get(symbol, 0.0) for symbol in bot.market.symbols] for row in map(_positions, results)]
    np.testing.assert_allclose(held, simulated.held, rtol=1e-9, atol=1e-9)
    orders = simulated.orders
    theirs = list(zip(orders["date"].dt.date, orders["symbol"], orders["quantity"], orders["price"], strict=True))
    assert len(theirs) == len(orders_of(results))
    for one, other in zip(sorted(orders_of(results)), sorted(theirs), strict=True):
        assert one[:2] == other[:2] and one[2:] == pytest.approx(other[2:], rel=1e-9)


def _positions(result):
    return {row["symbol"]: row["quantity"] for row in result.position_rows}


@given(seed=st.integers(0, 10_000), cut=st.integers(96, 139), name=st.sampled_from(NAMES))
@settings(max_examples=4)
def test_a_bot_that_starts_again_from_json_goes_on_bit_for_bit(bot_of, seed, cut, name):
    whole, other = bot_of(seed, name, stops=True), bot_of(seed, name, stops=True)
    expected = whole.run()
    first = other.run(stop=cut)
    other.state = BotState.of_json(json.loads(json.dumps(other.state.as_json(), allow_nan=False)))
    other.record = None  # made again from all forecasts so far
    again = first + other.run(start=cut)
    for one, two in zip(again, expected, strict=True):
        for part in ("signals", "orders", "order_rows", "fill_rows", "position_rows", "account_row", "notes", "alerts"):
            assert getattr(one, part) == getattr(two, part), part
        assert one.state.as_json() == two.state.as_json()


@given(seed=st.integers(0, 10_000), name=st.sampled_from(NAMES))
@settings(max_examples=3)
def test_profits_by_symbol_add_up_to_the_account(bot_of, seed, name):
    bot = bot_of(seed, name, stops=True)
    for result in bot.run():
        by_symbol = sum(row["realised_pnl"] + row["unrealised_pnl"] - row["costs"] for row in result.position_rows)
        assert by_symbol - result.notes["interest"] == pytest.approx(result.account_row["equity"] - 50_000.0, abs=0.004)
        value = sum(row["value"] for row in result.position_rows)
        assert value + result.account_row["cash"] == pytest.approx(result.account_row["equity"], abs=1e-6)


def test_profits_by_symbol_are_those_of_the_backtest(bot_of, backtest):
    bot = bot_of(3, "relative_rank")
    *_, last = bot.run()
    mine = {row["symbol"]: row["realised_pnl"] + row["unrealised_pnl"] - row["costs"] for row in last.position_rows}
    theirs = backtest(bot).profit_by_symbol
    assert mine == pytest.approx({name: theirs[name] for name in mine}, abs=0.004)
    assert theirs.drop(list(mine)).abs().sum() == 0.0


@given(seed=st.integers(0, 10_000))
@settings(max_examples=3)
def test_orders_end_filled_or_cancelled_and_fills_add_up(bot_of, seed):
    bot = bot_of(seed, "relative_rank", stops=True, backtest={"costs": {"participation_cap": 0.001}})
    orders, filled, held = {}, {}, dict.fromkeys(bot.market.symbols, 0.0)
    for result in bot.run():
        for row in result.order_rows:
            before = orders.get(row["id"])
            assert before is None or before["state"] in ("open", "part"), "an order that ended stays ended"
            assert before is None or {**before, "state": row["state"]} == row
            orders[row["id"]] = row
        for row in result.fill_rows:
            assert row["order_id"] in orders
            filled[row["order_id"]] = filled.get(row["order_id"], 0.0) + row["quantity"]
            held[row["symbol"]] += row["quantity"]
        now = {row["symbol"]: row["quantity"] for row in result.position_rows}
        assert {name: held[name] for name in now} == pytest.approx(now, abs=1e-6)
        is_open = {row["symbol"] for row in orders.values() if row["state"] in ("open", "part")}
        assert is_open == set(result.state.orders)
    for name, row in orders.items():
        done = filled.get(name, 0.0)
        assert (row["state"] == "open") <= (done == 0.0)
        if row["state"] == "filled":
            assert done == pytest.approx(row["quantity"], rel=1e-9)
    assert {row["state"] for row in orders.values()} >= {"filled", "cancelled"}
    assert {"stop", "market"} <= {row["kind"] for row in orders.values()}
