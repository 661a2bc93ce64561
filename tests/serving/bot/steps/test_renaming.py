"""A symbol with a new name keeps its position, its order and its profit; orders can be submitted again."""

from dataclasses import replace

import numpy as np
import pytest

from serving.bot.orders import orders_of
from serving.bot.renaming import renamed
from training.validation.backtest.market import Market


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 2])
def test_a_new_name_changes_nothing_but_the_name(bot_of, seed):
    one, other = bot_of(seed, stops=True), bot_of(seed, stops=True)
    one.run(stop=110)
    other.run(stop=110)
    held = {name for name, units in zip(other.state.symbols, other.state.numbers["position"], strict=True) if units} - {
        "S4"
    }  # a delisting names it
    old = min(held)
    present = {old: "NEW"}
    other.state = renamed(other.state, {old: "X", "X": "NEW"})
    assert other.state.symbols == tuple(present.get(name, name) for name in one.state.symbols)
    other.market = _named(other.market, present)
    other.tables = {kind: table.replace({"symbol": present}) for kind, table in other.tables.items()}
    other.record = None
    for row in range(110, 125):
        ours, theirs = one.step(row), other.step(row)
        assert theirs.account_row == ours.account_row
        assert [row["quantity"] for row in theirs.fill_rows] == [row["quantity"] for row in ours.fill_rows]


def test_a_position_joins_what_was_earned_under_the_new_name(bot_of):
    bot = bot_of(0)
    bot.run(stop=110)
    state = bot.state
    numbers = {name: values.copy() for name, values in state.numbers.items()}
    numbers["position"][:], numbers["wanted"][:] = [0.0, 5.0, 7.0, 0.0, 0.0], [0.0, 6.0, 7.0, 0.0, 0.0]
    numbers["realised"][:], numbers["costs"][:] = [1.0, 2.0, 4.0, 8.0, 0.0], 1.0
    state = replace(state, numbers=numbers, retired={"GONE": (16.0, 1.0)}, orders={})
    found = renamed(state, {"S1": "S0", "S2": "GONE"})
    assert found.symbols == ("S0", "GONE", "S3", "S4") and found.retired == {}
    assert found.numbers["position"].tolist() == [5.0, 7.0, 0.0, 0.0]
    assert found.numbers["realised"].tolist() == [3.0, 20.0, 8.0, 0.0]
    assert found.numbers["costs"].tolist() == [2.0, 2.0, 1.0, 1.0]
    assert renamed(state, {"S1": "S2"}) is state, "both are held, so both stay"
    assert renamed(state, {"S1": "S0", "S0": "S1"}) is state, "a circle has no present name"


def test_orders_to_submit_again_are_those_of_the_step(bot_of):
    bot, seen = bot_of(1, stops=True), 0
    for row in range(95, 135):
        result = bot.step(row)
        assert orders_of(type(result.state).of_json(result.state.as_json())) == result.orders
        seen += len(result.orders)
    assert seen > 20


def _named(market: Market, names: dict[str, str]) -> Market:
    assert np.isfinite(market.volume).all()
    return replace(market, symbols=tuple(names.get(name, name) for name in market.symbols))
