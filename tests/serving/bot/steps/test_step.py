"""What a step is given and returns: its errors, an own broker, an own strategy, and how long it takes."""

from datetime import UTC, datetime
from functools import partial

import numpy as np
import pandas as pd
import pytest
from processor_time import assert_fast

from configs.errors import BotError, ConfigError, DataError
from configs.schema import Config
from serving.bot.broker import Broker, Order, Statement
from serving.bot.paper import PaperBroker
from serving.bot.record import Record
from serving.bot.state import BotState
from serving.bot.step import open_state, step
from serving.bot.terms import setting_at
from training.strategy.view_builder import read_view
from training.validation.backtest.market import Market
from training.validation.backtest.recent import rows_of

INSTANT = datetime(2024, 1, 1, tzinfo=UTC)


def test_signals_are_dictionaries_of_plain_values(bot_of):
    (result,) = bot_of(0, "direction").run(stop=96)
    assert [signal["symbol"] for signal in result.signals] == ["S0", "S1", "S2", "S3", "S4"]
    signal = result.signals[0]
    assert signal["action"] in ("buy", "sell", "hold", "none") and 0.0 < signal["confidence"] < 1.0
    assert {type(value) for value in signal.values()} <= {str, float, list, type(None)}


def test_actions_are_those_of_the_account(bot_of):
    """A weekend, on which most symbols have no bar, makes no sale of a position that is not bought yet."""
    waits = 0
    for result in bot_of(1, "volatility_target", stops=True).run():
        units = {row["symbol"]: row["quantity"] for row in result.position_rows}
        orders = {name: order.target for name, order in result.state.orders.items()}
        for signal in result.signals:
            held = units.get(signal["symbol"], 0.0)
            goal = orders.get(signal["symbol"], held)
            expected = "hold" if held == goal != 0.0 else {0: "none", 1: "buy", -1: "sell"}[int(np.sign(goal - held))]
            assert signal["action"] == expected
            waits += result.planned[signal["symbol"]] != 0.0 and held == 0.0
    assert waits > 10


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda bot: bot.step(100), "of the bar of 2020-04-10 is made already"),
        (lambda bot: bot.step(103), "Make its step first"),
        (lambda bot: step(bot.state, bot.market, bot.record, bot.config, datetime(2024, 1, 1)), "has no zone"),
    ],
)
def test_steps_are_made_in_order(bot_of, change, message):
    bot = bot_of(0)
    bot.run(stop=101)
    with pytest.raises(BotError, match=message):
        change(bot)


def test_a_first_step_is_that_of_the_newest_bar(bot_of):
    bot = bot_of(0)
    state = open_state("paper", rows_of(bot.market, 0, 100), bot.config)
    assert state.bars_per_year == 365.0
    with pytest.raises(BotError, match="begins with the bar of 2020-04-09"):
        step(state, bot.market, Record(bot.config), bot.config, INSTANT)


def test_stops_need_fills_at_the_open(bot_of):
    with pytest.raises(ConfigError, match=r"strategy\.stops need backtest\.fill=open"):
        bot_of(0, stops=True, backtest={"fill": "close"}).run(stop=96)


@pytest.mark.parametrize(
    ("stored", "message"),
    [({}, "version None"), ({"version": 1}, "cannot be read"), ({"version": 9}, "version 9"), (None, "version None")],
)
def test_a_state_that_is_none_is_refused(stored, message):
    with pytest.raises(BotError, match=message):
        BotState.of_json(stored)


def test_forecasts_that_cannot_be_are_refused():
    record = Record(Config())
    keys = {"symbol": ["A"], "date": [pd.Timestamp("2024-01-01")]}
    with pytest.raises(DataError, match="lack the columns p_sideways, p_up"):
        record.add("direction", pd.DataFrame({**keys, "p_down": [0.3]}))
    with pytest.raises(DataError, match="probabilities"):
        record.add("direction", pd.DataFrame({**keys, "p_down": [0.3], "p_sideways": [0.3], "p_up": [0.9]}))
    record.add("volatility", pd.DataFrame({**keys, "forecast": [1e-4]}).iloc[:0])


class OwnBroker:
    """A broker that fills at once, at a price of 100 and without costs."""

    def __init__(self):
        self.held, self.money, self.seen, self.done, self.now = {}, 50_000.0, {}, [], None

    def statement(self, after, until):
        return Statement(tuple(fill for when, fill in self.done if after is None or after == when))

    def positions(self):
        return self.held

    def cash(self):
        return self.money

    def submit(self, orders):
        from serving.bot.broker import Fill

        for order in orders:
            if order.id not in self.seen and order.quantity:
                self.seen[order.id] = order
                self.held[order.symbol] = self.held.get(order.symbol, 0.0) + order.quantity
                self.money -= 100.0 * order.quantity
                paid = 100.0 * order.quantity
                self.done.append((self.now, Fill(order.symbol, "market", order.quantity, 100.0, 100.0, paid)))


def test_an_own_broker_is_an_account_of_four_methods(bot_of):
    bot, broker = bot_of(0, backtest={"costs": {"preset": "none"}}), OwnBroker()
    assert isinstance(broker, Broker)
    for row in range(95, 110):
        result = bot.step(row, broker=broker)
        broker.now = result.instant
        broker.submit(result.orders)
        broker.submit(result.orders)  # again, as after a crash
        done = sum(row["realised_pnl"] + row["unrealised_pnl"] for row in result.position_rows)
        assert result.account_row["equity"] == pytest.approx(50_000.0 + done, abs=0.004)
    assert broker.held and bot.state.cash != 50_000.0


def test_the_paper_broker_is_a_broker(bot_of):
    bot = bot_of(2)
    bot.run(stop=100)
    bars = rows_of(bot.market, 0, 101)
    paper = PaperBroker(setting_at(bars, bot.state, bot.config), bot.state.account)
    assert isinstance(paper, Broker)
    before = paper.positions()["S0"]
    paper.submit([Order("1", "S0", -before, 0.0)])
    assert paper.positions()["S0"] == before and paper.state.wanted[0] == 0.0
    assert bot.state.account.wanted[0] != 0.0, "the state that it was given stays"


OWN = """
import numpy as np

class Trend:
    needs = ("volatility",)

    def targets(self, view):
        mean = np.nancumsum(view.close, axis=0) / np.maximum(np.cumsum(view.has_bar, axis=0), 1)
        return np.sign(np.nan_to_num(view.close - mean))
"""


@pytest.mark.slow
def test_a_strategy_that_needs_all_dates_is_given_them(bot_of, backtest, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_trend.py").write_text(OWN)
    bot = bot_of(3, "own_trend:Trend")
    mine = [result.account_row["equity"] for result in bot.run()]
    np.testing.assert_allclose(mine, backtest(bot).ledger.equity, rtol=0, atol=0.004)


def test_forecasts_that_are_added_later_count_as_if_they_had_always_been_there(bot_of):
    bot = bot_of(0, "direction")
    late, early = Record(bot.config), Record(bot.config)
    table = bot.tables["direction"]
    old = table["date"] < bot.market.dates[80]
    late.add("direction", table[~old])
    for record in (late, early):
        for kind, rows in bot.tables.items():
            record.add(kind, rows)
        newest = record.view(bot.market, bot.config.strategy)
    late.view(rows_of(bot.market, 0, 120), bot.config.strategy)
    whole = read_view(bot.market, table, bot.tables["volatility"], label=bot.config.direction.label)
    for record in (late, early):
        newest = record.view(bot.market, bot.config.strategy)
        np.testing.assert_array_equal(newest.expected_return[0], whole.expected_return[-1])
        np.testing.assert_array_equal(newest.skill.slope, whole.skill.slope[-1:])


def test_a_step_of_500_symbols_takes_half_a_second():
    days, symbols = 250, 500
    rng = np.random.default_rng(0)
    close = 100.0 * np.exp(np.cumsum(0.01 * rng.standard_normal((days, symbols)), axis=0))
    dates = pd.bdate_range("2020-01-01", periods=days).to_numpy().astype("datetime64[ns]")
    names = tuple(f"S{i}" for i in range(symbols))
    market = Market(dates, names, close, close * 1.01, close * 0.99, close, np.full(close.shape, 1e6))
    config = Config()
    record, state = Record(config), None
    for row in range(244, days):
        table = {"symbol": names, "date": dates[row], "forecast": np.full(symbols, 1e-4)}
        record.add("volatility", pd.DataFrame(table))
        bars = rows_of(market, 0, row + 1)
        state = open_state("paper", bars, config) if state is None else state
        state = assert_fast(partial(step, state, bars, record, config, INSTANT), 0.5).state
