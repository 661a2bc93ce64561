"""The rules of the account at the newest bar: prices, costs and levels, as a backtest has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from configs.errors import BotError, ConfigError
from configs.schema import Config
from features.bars.period import bar_period
from serving.bot.state import BotState
from training.backtesting.account_terms import read_rates
from training.strategy.series import Float, Ints
from training.strategy.view_builder import LEAST_DATES
from training.validation.backtest.cost_settings import costs_of
from training.validation.backtest.exchange import exchange_rates
from training.validation.backtest.exits import Levels
from training.validation.backtest.market import Before, Market
from training.validation.backtest.recent import look_back, rows_of
from training.validation.backtest.setting import Setting


def setting_at(bars: Market, state: BotState, config: Config) -> Setting:
    """Return the rules of an account on as many of the newest bars as they depend on; the last row is the newest.

    Parameters
    ----------
    bars
        Of the symbols of ``state``, in their order.

    Raises
    ------
    ConfigError
        Costs or currencies do not fit the symbols, or stops need fills at the open.
    """
    part = config.backtest
    stops = config.strategy.stops
    has_levels = stops.touch_probability is not None or stops.profit_probability is not None
    if has_levels and part.fill != "open":
        raise ConfigError(f"strategy.stops need backtest.fill=open; it is {part.fill}.")
    costs = costs_of(part.costs, state.bars_per_year, bars.symbols, own_years(state))
    first = int(np.searchsorted(bars.dates, state.started))
    own = rows_of(bars, first, first=first)
    if not len(own.dates):
        raise BotError(f"there is no bar from {str(state.started)[:16]} on, with which the bot began. Give its bars.")
    start = len(own.dates) - look_back(own, costs)
    market = _with_old_prices(rows_of(own, start), state)
    rates = None if part.fx_rates is None else read_rates(part.fx_rates)
    value, settlement = _delisting(market, config)
    return Setting.of(
        market,
        np.full(market.shape, np.nan),
        costs,
        unit="weight",
        fill=part.fill,
        cash=state.cash,
        exchange=exchange_rates(part.currency, rates, market, part.account_currency),
        levels=Levels(None, *(_of_last_step(market, state.numbers[name]) for name in ("stop", "take_profit")))
        if has_levels
        else None,
        delisting=value,
        max_leverage=part.max_leverage,
        settlement=settlement,
    )


def with_years(state: BotState, bars: Market) -> BotState:
    """Return the state with the bars a year of symbols that now have enough bars to know it; known ones stay."""
    years, dates = state.numbers["bars_per_year"].copy(), bars.dates.astype("datetime64[ns]")
    unknown = np.flatnonzero(np.isnan(years))
    for s in unknown:
        own = dates[bars.has_bar[:, s]]
        if len(own) >= LEAST_DATES:
            years[s] = bar_period(own).bars_per_year
    return replace(state, numbers={**state.numbers, "bars_per_year": years}) if len(unknown) else state


def own_years(state: BotState) -> dict[str, float]:
    """Return the bars a year of each symbol; those of the calendar where its own are unknown."""
    own = state.numbers["bars_per_year"]
    return dict(zip(state.symbols, np.where(np.isnan(own), state.bars_per_year, own).tolist(), strict=True))


def extended(bars: Market, symbols: tuple[str, ...]) -> Market:
    """Return bars with columns without a bar for symbols that follow theirs in ``symbols``."""
    more = len(symbols) - len(bars.symbols)
    if not more:
        return bars
    none, zero = np.full((len(bars.dates), more), np.nan), np.zeros((len(bars.dates), more))
    prices: dict[str, Any] = {name: np.hstack([getattr(bars, name), none]) for name in ("open", "high", "low", "close")}
    dividends = None if bars.dividends is None else np.hstack([bars.dividends, zero])
    return replace(bars, symbols=symbols, **prices, volume=np.hstack([bars.volume, zero]), dividends=dividends)


def _with_old_prices(market: Market, state: BotState) -> Market:
    """Return a market in which a symbol that has lost its bars is valued at the newest close that was seen of it."""
    known = state.numbers["close"]
    lost = (market.mark[-1] == 0.0) & (known > 0.0)
    if not lost.any():
        return market
    before = market.before or Before(np.zeros(len(lost)), np.zeros(len(lost), bool))
    return replace(market, before=before._replace(close=np.where(lost, known, before.close)))


def _of_last_step(market: Market, level: Float) -> Float:
    """Return levels (T, S) that hold for the newest bar."""
    out = np.full(market.shape, np.nan)
    if len(out) > 1:
        out[-2] = level
    return out


def _delisting(market: Market, config: Config) -> tuple[Float, Ints]:
    """Return the return on delisting (S,), NaN for none, and the row (S,) of the settlement, −1 before it."""
    value, row = np.full(market.shape[1], np.nan), np.full(market.shape[1], -1, dtype=np.int64)
    today = market.dates[-1].astype("datetime64[D]")
    for name, end in config.bot.delisted.items():
        if name in market.symbols and np.datetime64(end.day, "D") <= today:
            s = market.symbols.index(name)
            value[s], row[s] = end.value, len(market.dates) - 1
    return value, row
