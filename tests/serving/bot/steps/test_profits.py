"""Profits by symbol, by hand; and what exits do to the units that are to be held."""

from dataclasses import replace

import numpy as np
import pytest

from serving.bot.broker import Fill, Statement
from serving.bot.closing import at_close
from serving.bot.profits import profits_after, unrealised
from serving.bot.terms import setting_at
from training.validation.backtest.recent import rows_of


def fill(quantity, price, **costs):
    return Fill("S0", "market", quantity, price, price, quantity * price, **costs)


def test_profit_is_realised_at_average_cost(bot_of):
    bot = bot_of(0)
    bot.run(stop=96)
    one = replace(bot.state, numbers={name: np.zeros_like(part) for name, part in bot.state.numbers.items()})
    rows = (
        (fill(10.0, 100.0, commission=1.0), 1_000.0, 0.0, 1.0),
        (fill(10.0, 110.0, spread=0.5), 2_100.0, 0.0, 1.5),
        (fill(-5.0, 125.0), 1_575.0, 100.0, 1.5),  # 5 of 20 units, bought at 105 on average
        (fill(-25.0, 101.0, impact=2.0), -1_010.0, 40.0, 3.5),  # sells 15, and 10 short
        (fill(4.0, 91.0), -606.0, 80.0, 3.5),
        (fill(6.0, 111.0), 0.0, 20.0, 3.5),
    )
    held = 0.0
    for each, basis, realised, costs in rows:
        found = profits_after(one, Statement((each,)))
        assert [part[0] for part in found] == pytest.approx([basis, realised, costs])
        held += each.quantity
        position = np.where(np.arange(5) == 0, held, 0.0)
        one = replace(one, numbers={**one.numbers, **found._asdict(), "position": position})
        assert unrealised(position * 100.0, found)[0] == pytest.approx(held * 100.0 - basis)
    assert one.numbers["basis"][0] == 0.0, "no rounding is left"
    paid = Statement((), {"S0": 5.0}, {"S0": 1.0}, {"S0": -2.0}, 7.0)
    assert [part[0] for part in profits_after(one, paid)] == pytest.approx([0.0, 25.0, 2.5])


class Stopped:
    """A broker that reports a stop loss of a long position in S0."""

    def statement(self, after, until):
        return Statement((Fill("S0", "stop", -3.0, 90.0, 90.0, -270.0),))

    def positions(self):
        return {"S1": 2.0}

    def cash(self):
        return 1_000.0


def test_what_an_exit_closed_is_not_wanted_again_and_its_side_is_locked(bot_of):
    bot = bot_of(0)
    bot.run(stop=96)
    numbers = {**bot.state.numbers, "wanted": np.full(5, 3.0), "locked": np.zeros(5)}
    state = replace(bot.state, numbers=numbers)
    setting = setting_at(rows_of(bot.market, 0, 97), state, bot.config)
    closed = at_close(state, setting, Stopped(), bot.state.instant)
    assert closed.wanted.tolist() == [0.0, 3.0, 3.0, 3.0, 3.0]
    assert closed.locked.tolist() == [1.0, 0.0, 0.0, 0.0, 0.0]
    assert closed.equity == 1_000.0 + 2.0 * setting.mark_value[-1][1]
