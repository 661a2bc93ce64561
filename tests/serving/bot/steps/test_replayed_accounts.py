"""The account of ``fleetcast bot replay`` is that of ``fleetcast backtest``: mixed calendars, symbols that end.

Both commands run their drivers on the same forecasts. As in a test table, rows without an outcome are missing: the last
ones of a symbol whose bars end, and those of a frozen price.
"""

from dataclasses import replace

import numpy as np
import pytest

from features.bars.schema import SymbolBars
from features.labels import bar_variance, volatility_target
from features.store.store import Store
from serving.bot.replay import Replay
from training.backtesting.followed import follow
from training.backtesting.forecasts import OutOfSample, backtest_tables

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
        start = market.dates[106].astype("datetime64[D]").item()
        end = market.dates[128].astype("datetime64[D]").item()
        config = config.model_copy(
            update={
                "backtest": part.model_copy(update={"start": start, "end": end}),
                "bot": config.bot.model_copy(update={"delisted": {}}),
            }
        )
        return OutOfSample("forecasts by hand", config, bars, tables), config

    return make


@pytest.mark.slow
@pytest.mark.parametrize(
    ("strategy", "stops", "costs"),
    [("relative_rank", False, {"preset": "us_equities"}), ("volatility_target", True, {"preset": "crypto"})],
)
def test_the_two_commands_have_one_account(past, tmp_path, strategy, stops, costs):
    found, config = past(1, strategy, stops=stops, backtest={"costs": costs, "cash": 50_000.0})
    replay = Replay(found, dict.fromkeys(found.tables, "run"), config, Store(tmp_path))
    result, account = replay.run(), follow(found, config.strategy, config.backtest).account
    assert result.fills > 0 and result.days == len(account.equity)
    assert result.equity == pytest.approx(account.equity.iloc[-1], abs=0.004)
    assert result.difference < 0.004
    # What made the two differ is there: a delisting, fees by symbol, forecasts that are used again.
    market = replay.feed.terms.history
    again = backtest_tables(found.tables, market, found.config)
    assert len(again["volatility"]) > len(found.tables["volatility"])
    assert replay.feed.config.bot.delisted["S4"].value == -0.4
    assert len(set(replay.feed.terms.own_years.values())) > 1
    if strategy == "relative_rank":
        assert account.costs["borrow"] > 0
