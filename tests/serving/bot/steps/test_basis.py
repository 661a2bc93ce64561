"""Splits, adjusted and corrected prices, and symbols that come and go."""

from dataclasses import replace

import numpy as np
import pytest

from serving.bot.state import BotState
from training.validation.backtest.recent import rows_of

PRICES = ("open", "high", "low", "close")


def until(market, row):
    return rows_of(market, 0, row + 1)


def rescaled(market, column, factor):
    """Return bars with other prices of a symbol, past ones included, as a source gives them after a split."""
    share = np.ones(market.shape)
    share[:, column] = factor
    prices = {name: getattr(market, name) * share for name in PRICES}
    return replace(market, **prices, volume=market.volume / share, dividends=market.dividends * share)


@pytest.mark.slow
@pytest.mark.parametrize("factor", [0.5, 3.0, 0.98])
def test_a_split_changes_units_and_no_value(bot_of, factor):
    costs = {"costs": {"preset": "none", "half_spread_bps": 3.0}}
    plain, split = bot_of(2, stops=True, backtest=costs), bot_of(2, stops=True, backtest=costs)
    plain.run(stop=110)
    split.run(stop=110)
    new = rescaled(plain.market, 0, factor)
    for row in range(110, 120):
        one = plain.step(row)
        two = split.step(row, bars=until(new, row))
        assert two.account_row["equity"] == pytest.approx(one.account_row["equity"], rel=1e-9)
        held = [{row["symbol"]: row["quantity"] for row in result.position_rows} for result in (one, two)]
        assert held[1].pop("S0") == pytest.approx(held[0].pop("S0") / factor, rel=1e-9)
        assert held[1] == pytest.approx(held[0], rel=1e-9)
        assert ("rebased" in two.notes) == (row == 110)
    assert split.state.numbers["stop"][0] == pytest.approx(plain.state.numbers["stop"][0] * factor, nan_ok=True)


def test_a_corrected_close_changes_the_value_and_no_units(bot_of):
    bot = bot_of(2)
    *_, last = bot.run(stop=110)
    close = bot.market.close.copy()
    close[109, 0] *= 1.02
    high = np.maximum(bot.market.high, close)
    result = bot.step(110, bars=until(replace(bot.market, close=close, high=high), 110))
    assert result.notes["corrected"] == ["S0"] and "rebased" not in result.notes
    fills = sum(row["quantity"] for row in result.fill_rows if row["symbol"] == "S0")
    before, after = (
        next(row["quantity"] for row in one.position_rows if row["symbol"] == "S0") for one in (last, result)
    )
    assert after == pytest.approx(before + fills)


def test_a_symbol_that_loses_its_bars_keeps_its_price_and_one_that_is_new_is_traded(bot_of):
    bot = bot_of(2)
    bot.market, whole = bot.market.select(("S0", "S1", "S2")), bot.market
    bot.tables = {kind: table[table["symbol"].isin(bot.market.symbols)] for kind, table in bot.tables.items()}
    *_, last = bot.run(stop=110)
    assert {row["symbol"] for row in last.position_rows if row["quantity"]} == {"S0", "S1", "S2"}
    others = whole.select(("S3", "S1", "S2"))
    old = next(row for row in last.position_rows if row["symbol"] == "S0")
    rows = {date: row for row, date in enumerate(others.dates)}
    for row in range(110, 118):
        if whole.dates[row] in rows:
            result = bot.step(row, bars=until(others, rows[whole.dates[row]]))
    now = {row["symbol"]: row for row in result.position_rows}
    assert now["S0"]["quantity"] == old["quantity"] and now["S0"]["mark"] == old["mark"]
    assert next(one for one in result.signals if one["symbol"] == "S0")["reasons"] == ["no bar"]
    assert bot.state.symbols == ("S3", "S1", "S2", "S0")


def test_a_symbol_without_a_position_is_forgotten_but_for_its_profit(bot_of):
    bot = bot_of(2)
    bot.run(stop=105)
    bot.run(start=105, stop=110, kill_switch="close")
    state = bot.state
    left = state.on(("S0", "S1"))
    kept = [name for name in state.symbols[2:] if state.numbers["position"][state.symbols.index(name)]]
    assert left.symbols == ("S0", "S1", *kept)
    assert set(left.retired) == {"S2", "S3", "S4"} - set(kept)
    again = BotState.of_json(left.as_json()).on(state.symbols)
    assert not again.retired
    np.testing.assert_array_equal(again.numbers["realised"], state.numbers["realised"])
