"""Targets and bars in, an account's history out."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from configs.errors import ConfigError, shortened
from features.any_bars import AnyBars
from training.validation.backtest.account import Account
from training.validation.backtest.costs import Costs
from training.validation.backtest.decisions import decisions_on, known_symbols, levels_on, target_frame
from training.validation.backtest.exchange import exchange_rates
from training.validation.backtest.exits import Levels
from training.validation.backtest.fills import FillModel
from training.validation.backtest.ledger import ledger
from training.validation.backtest.market import Float, Market
from training.validation.backtest.read_market import read_market
from training.validation.backtest.setting import Setting
from training.validation.backtest.simulation import Simulation


def simulate(
    bars: AnyBars | Market,
    targets: pd.DataFrame | pd.Series,
    costs: Costs | None = None,
    *,
    cash: float = 10_000.0,
    unit: Literal["shares", "weight"] = "shares",
    fill: FillModel = "open",
    symbol: str | None = None,
    limits: pd.DataFrame | pd.Series | None = None,
    stops: pd.DataFrame | pd.Series | None = None,
    take_profits: pd.DataFrame | pd.Series | None = None,
    max_leverage: float | None = None,
    delisted: Mapping[str, float] | None = None,
    adjusted: bool | None = None,
    currency: Mapping[str, str] | None = None,
    fx_rates: pd.DataFrame | None = None,
    account_currency: str | None = None,
) -> Simulation:
    """Return the history of one account that follows targets.

    A target is decided at its date's close and filled in the symbol's next bar. NaN and dates without a row decide
    nothing: the last decision stands, and what of it could not be filled is tried again on each bar. A symbol without a
    bar, or without volume in a bar, is not traded there and is valued at its newest close.

    Parameters
    ----------
    bars
        Frames by symbol as yfinance returns them, one frame, or a :class:`Market`; see :func:`read_market`.
    targets
        What to hold, dates × symbols; a series is of one symbol.
    costs
        None by default.
    cash
        Money before the first bar.
    unit
        ``shares`` (or contracts, coins), or ``weight``: the share of equity at the close of the decision. Repeating a
        weight rebalances to it.
    fill
        ``open`` or ``close`` of the next bar, or ``vwap``, (O + H + L + C) / 4 of it.
    symbol
        The symbol of bars and targets that name none.
    limits, stops, take_profits
        Prices decided at each close for the next bar, dates × symbols. A limit holds for the order, a stop and a target
        for the position. What a stop or target closed stays closed until the sign of its target changes. Fills at
        ``open`` only.
    max_leverage
        Most gross exposure as a multiple of equity when orders are filled; the parts that would exceed it are scaled
        down. 1 borrows no money. None: no limit.
    delisted
        Return on delisting by symbol, such as −0.3: after the symbol's last bar its position is settled in cash at the
        last close times one plus this. Other symbols whose bars end are valued at the last close.
    adjusted
        Whether prices contain dividends; see :func:`read_market`.
    currency, fx_rates, account_currency
        Currency by symbol, and the price of one unit of each in the account's (dates × currencies).

    Raises
    ------
    ConfigError
        An argument does not make sense.
    DataError
        Bars or targets cannot be used: unknown symbols, dates without bars, values that are not numbers.

    Examples
    --------
    >>> days = pd.date_range("2024-01-01", periods=3)
    >>> bars = pd.DataFrame({"Open": [10.0, 10, 12], "High": 12.0, "Low": 10.0, "Close": [10.0, 11, 12]}, index=days)
    >>> simulate(bars, pd.Series([5, 5, 0], index=days), cash=100, unit="shares").equity.tolist()
    [100.0, 105.0, 110.0]
    """
    costs = Costs() if costs is None else costs
    _check(costs, cash, unit, fill, max_leverage, any(one is not None for one in (limits, stops, take_profits)))
    frame = target_frame(targets, symbol)
    unnamed = symbol is None and isinstance(targets, pd.Series) and targets.name is None
    if symbol is None and not unnamed and isinstance(bars, pd.DataFrame) and frame.shape[1] == 1:
        symbol = frame.columns[0]
    full_market = read_market(bars, symbol, adjusted=adjusted)
    if unnamed and len(full_market.symbols) == 1:
        frame.columns = pd.Index(full_market.symbols)
    known_symbols(frame, full_market)
    for what, given in (("delisted", delisted), ("currency", currency)):
        if unknown := sorted(set(given or {}) - set(full_market.symbols)):
            raise ConfigError(
                f"{what} has {shortened(unknown)}, of which there are no bars; expected some of "
                f"{shortened(list(full_market.symbols))}."
            )
    market = full_market.select(tuple(frame.columns))
    levels = tuple(
        levels_on(one, market, symbol or (market.symbols[0] if len(market.symbols) == 1 else None), what)
        for one, what in ((limits, "limits"), (stops, "stops"), (take_profits, "take_profits"))
    )
    setting = Setting.of(
        market,
        decisions_on(frame, market),
        costs,
        unit=unit,
        fill=fill,
        cash=float(cash),
        exchange=exchange_rates(currency, fx_rates, market, account_currency),
        levels=Levels(*levels) if any(one is not None for one in levels) else None,
        delisting=_delisting(delisted, market),
        max_leverage=max_leverage,
    )
    return _run(setting)


def _run(setting: Setting) -> Simulation:
    market = setting.market
    account = Account(setting)
    fills = account.run()
    book = ledger(fills, account.held, market, setting.mark_value, setting.terms, setting.cash)
    notes = list(market.notes)
    ruined = book.equity <= 0
    if ruined.any():
        t = int(ruined.argmax())
        account = Account(setting, liquidate_from=t)
        fills = account.run()
        book = ledger(fills, account.held, market, setting.mark_value, setting.terms, setting.cash)
        notes.append(
            f"the account lost everything on {str(market.dates[t])[:10]}: all positions are closed in the next bar and "
            "later targets are ignored"
        )
    if not len(fills.row) and setting.terms.lot is not None and np.nansum(np.abs(setting.decisions)) > 0:
        notes.append(
            "nothing was traded: no position was worth a whole lot; give more cash, or set lot=0 for fractions"
        )
    unlimited = (account.held != 0).any(axis=0) & ~market.has_volume[-1]
    if unlimited.any() and (setting.terms.impact is not None or setting.terms.cap is not None):
        names = [market.symbols[s] for s in np.flatnonzero(unlimited)]
        notes.append(
            f"{shortened(names)}: the bars have no volume, so orders are filled in full and without market impact"
        )
    ended = (account.held[-1] != 0) & market.has_ended
    if ended.any():
        names = [market.symbols[s] for s in np.flatnonzero(ended)]
        notes.append(
            f"{shortened(names)}: the bars end before the account does, and positions are valued at the last close; if "
            "they were delisted, give the return on it by symbol: delisted, in settings backtest.delisted={NAME: -0.3}"
        )
    return Simulation(market, fills, book, account.held, setting.cash, tuple(notes), setting.terms.earned)


def _delisting(delisted: Mapping[str, float] | None, market: Market) -> Float:
    out = np.full(market.shape[1], np.nan)
    for name, value in (delisted or {}).items():
        if isinstance(value, bool) or not math.isfinite(value) or value < -1:
            raise ConfigError(
                f"delisted has value {value!r} for {name}; expected a return of at least -1, such as -0.3."
            )
        if name in market.symbols:
            out[market.symbols.index(name)] = value
    return out


def _check(costs: Costs, cash: float, unit: str, fill: str, max_leverage: float | None, has_levels: bool) -> None:
    if not isinstance(costs, Costs):
        raise ConfigError(f"costs is {type(costs).__name__}; expected Costs(...).")
    if isinstance(cash, bool) or not (isinstance(cash, (int, float, np.number)) and math.isfinite(cash) and cash > 0):
        raise ConfigError(f"cash has value {cash!r}; expected an amount above 0.")
    if unit not in ("shares", "weight"):
        raise ConfigError(f"unit has value {unit!r}; expected 'shares' or 'weight'.")
    if fill not in ("open", "close", "vwap"):
        raise ConfigError(f"fill has value {fill!r}; expected 'open', 'close' or 'vwap'.")
    if max_leverage is not None and not (math.isfinite(max_leverage) and max_leverage > 0):
        raise ConfigError(f"max_leverage has value {max_leverage!r}; expected a number above 0, or None.")
    if has_levels and fill != "open":
        raise ConfigError(f"limits, stops and take_profits need fill='open'; it is {fill!r}.")
