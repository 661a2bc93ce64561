"""A bot and a backtest decide the same of a position that no bar allows to be sold, over restarts too."""

import json
from datetime import timedelta

import numpy as np
import pytest

from configs.bot import DelistingConfig
from serving.bot.state import BotState

pytestmark = pytest.mark.slow

ENDS, LATE = 124, 133  # the row of the last bar of S4, and one at which it is stuck


@pytest.fixture
def ended(bot_of):
    """Return a function that makes a bot for a symbol that ends, and is delisted only where that is configured."""

    def make(seed, strategy="volatility_target", *, delisted=None, **options):
        return bot_of(seed, strategy, bot={"delisted": delisted or {}}, **options)

    return make


def restarted(state, **without):
    stored = json.loads(json.dumps(state.as_json(), allow_nan=False))
    for numbers in stored["symbols"].values():
        for name in without:
            numbers.pop(name, None)
    return BotState.of_json(stored)


@pytest.mark.parametrize(("seed", "name"), [(0, "volatility_target"), (3, "volatility_target"), (1, "relative_rank")])
def test_the_account_is_that_of_the_backtest_over_restarts(ended, backtest, seed, name):
    bot = ended(seed, name, stops=name == "relative_rank")
    results = []
    for row in range(bot.first, len(bot.market.dates)):
        results.append(bot.step(row))
        if row % 3 == 0:
            bot.state, bot.record = restarted(bot.state), None
    simulated = backtest(bot)
    for column, theirs in (("equity", simulated.ledger.equity), ("cash", simulated.ledger.cash)):
        mine = [result.account_row[column] for result in results]
        np.testing.assert_allclose(mine, theirs, rtol=0, atol=0.004, err_msg=column)


def test_what_is_stuck_is_stored_and_takes_room(ended):
    caps = {"name": 0.4, "volatility": None, "no_trade_band": 0.0, "gross": 0.8}
    found = {}
    for settled in (False, True):
        bot = ended(0)
        day = bot.market.dates[ENDS].astype("datetime64[D]").item() + timedelta(days=3)
        if settled:
            bot = ended(0, delisted={"S4": DelistingConfig(day=day, value=0.0)})
        strategy = bot.config.strategy.model_copy(update={"caps": type(bot.config.strategy.caps)(**caps)})
        bot.config = bot.config.model_copy(update={"strategy": strategy})
        bot.run(stop=LATE + 1)
        weights = dict(zip(bot.state.symbols, bot.state.numbers["weight"], strict=True))
        filled = dict(zip(bot.state.symbols, restarted(bot.state).numbers["filled"], strict=True))
        assert weights["S4"] == 0.0
        found[settled] = np.abs(list(weights.values())).sum(), filled["S4"]
    assert found[False][1] > 0.05 and found[False][0] + found[False][1] == pytest.approx(0.8)
    assert found[True] == (pytest.approx(0.8), 0.0)


def test_a_state_that_an_older_version_wrote_goes_on(ended):
    """It lacks what fills have made, which the next bar of each symbol tells."""
    bot, other = ended(0), ended(0)
    expected = bot.run(stop=100)
    other.run(stop=97)
    other.state, other.record = restarted(other.state, filled=None), None
    assert not other.state.numbers["filled"].any()
    assert other.run(start=97, stop=100)[-1].state.as_json() == expected[-1].state.as_json()
