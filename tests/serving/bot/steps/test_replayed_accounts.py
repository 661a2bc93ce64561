"""The account of ``fleetcast bot replay`` is that of ``fleetcast backtest``: mixed calendars, symbols that end.

Both commands run their drivers on the same forecasts. As in a test table, rows without an outcome are missing: the last
ones of a symbol whose bars end, and those of a frozen price.
"""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.bars.schema import SymbolBars
from features.labels import bar_variance, volatility_target
from features.store.store import Store
from serving.bot.replay import Replay
from training.backtest import Backtest
from training.backtesting.forecasts import OutOfSample

FROZEN = slice(108, 119)  # of the third symbol
FIELDS = ("open", "high", "low", "close")


@pytest.fixture(scope="module")
def past(bot_of):
    """Return a function that makes forecasts, and settings, of a coin, stocks with halts, and one that is delisted."""

    def make(seed, strategy, **options):
        bot = bot_of(seed, strategy, **options)
        market = replace(bot.market, dividends=None)
        close = market.mark[FROZEN.start - 1, 2]
        for name in FIELDS:
            column = getattr(market, name)[FROZEN, 2]
            column[np.isfinite(column)] = close
        bars = tuple(
            SymbolBars(name, market.dates[own], *(getattr(market, f)[own, s] for f in (*FIELDS, "volume")), True, True)
            for s, name in enumerate(market.symbols)
            if (own := market.has_bar[:, s]).any()
        )
        tables = {"direction": bot.tables["direction"], "volatility": bot.tables["volatility"]}
        scored = {
            "direction": {one.symbol: one.dates[:-1] for one in bars},
            "volatility": {one.symbol: one.dates[volatility_target(bar_variance(one), 5) > 0] for one in bars},
        }
        for kind, known in scored.items():
            table = tables[kind]
            kept = [date in set(known[name]) for name, date in zip(table["symbol"], table["date"], strict=True)]
            tables[kind] = table[kept].assign(window=np.where(table[kept]["date"] < market.dates[110], 0, 1))
        config = bot.config
        part = config.backtest.model_copy(update={"delisted": {"S4": -0.4}, "paths": 10, "capitals": (1e6,)})
        start = market.dates[95].astype("datetime64[D]").item()
        config = config.model_copy(
            update={
                "backtest": part.model_copy(update={"start": start}),
                "bot": config.bot.model_copy(update={"delisted": {}}),
            }
        )
        return OutOfSample("forecasts by hand", config, bars, tables), config

    return make


@pytest.mark.parametrize("strategy", ["volatility_target", "direction", "direction_x_volatility", "relative_rank"])
@given(
    seed=st.integers(0, 10_000),
    stops=st.booleans(),
    costs=st.sampled_from([{"preset": "us_equities"}, {"preset": "crypto", "half_spread_bps": "corwin_schultz"}]),
)
@settings(max_examples=2)
def test_the_two_commands_have_one_account(past, tmp_path_factory, strategy, seed, stops, costs):
    found, config = past(seed, strategy, stops=stops, backtest={"costs": costs, "cash": 50_000.0})
    store = Store(tmp_path_factory.mktemp("store"))
    result = Replay(found, dict.fromkeys(found.tables, "run"), config, store).run()
    backtest = Backtest(config, store).run(found)
    assert result.fills > 0
    assert result.days == len(backtest.equity)
    assert result.equity == pytest.approx(backtest.equity.iloc[-1], abs=0.004)
    assert result.difference < 0.004


def test_what_differs_from_a_plain_view_is_there(past, tmp_path):
    """The market has what made the two differ: a delisting, fees by symbol, and forecasts that are used again."""
    found, config = past(1, "relative_rank", backtest={"costs": {"preset": "us_equities"}, "cash": 50_000.0})
    feed = Replay(found, dict.fromkeys(found.tables, "run"), config, Store(tmp_path)).feed
    table = feed._tables["volatility"]
    again = len(table) - len(found.tables["volatility"])
    assert again > 0 and set(table["window"]) == {0, 1}
    account = Backtest(config, tmp_path).run(found).simulation
    assert "delisting" in set(account.orders["kind"]) and account.costs["borrow"] > 0
    assert feed.config.bot.delisted["S4"].value == -0.4
    assert len(set(feed.terms.own_years.values())) > 1
