"""Costs resolved for a market: every figure as a matrix (T, S), or (T,) for cash, without copies where it is constant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from configs.errors import ConfigError, DataError, shortened
from features.bars.parsing import parse_dates
from training.validation.backtest.costs import CORWIN_SCHULTZ, Costs, Rate
from training.validation.backtest.impact import impact_scale
from training.validation.backtest.market import Dates, Float, Market
from training.validation.backtest.spread import estimated_half_spread

BPS = 1e-4


@dataclass(frozen=True, eq=False)
class Terms:
    """Figures as shares of one, (T, S) unless noted; None where a cost does not exist.

    ``impact`` is Y·σ/√V, to be multiplied by the root of an order's size. ``unit_value`` is the money in the account's
    currency that one unit is worth a point of price at the close, ``fill_unit_value`` the same at the fill, both None for
    1. ``earned`` and ``charged`` (T,) are interest on cash; ``financed`` (S,) is whether cash pays for positions.
    """

    half_spread: Float | None
    slippage: Float | None
    impact: Float | None
    commission: Float | None
    per_share: Float | None
    minimum: Float | None
    borrow: Float | None
    funding: Float | None
    lot: Float | None
    unit_value: Float | None
    fill_unit_value: Float | None
    earned: Float | None
    charged: Float | None
    financed: Float
    cap: float | None

    def without_costs(self) -> Terms:
        """Return the same terms of trading without any cost."""
        none = ("half_spread", "slippage", "impact", "commission", "per_share", "minimum", "borrow", "funding")
        return replace(self, **dict.fromkeys((*none, "earned", "charged")))


def resolve(costs: Costs, market: Market, exchange: Float | None, fills_at_close: bool) -> Terms:
    """Return the terms of a market.

    Parameters
    ----------
    exchange
        Price (T, S) of one unit of each symbol's currency in the account's, at each close; None if there is one currency.
    fills_at_close
        Whether orders are filled at closes; others are converted at the rate of the close before, which is known then.

    Raises
    ------
    ConfigError
        A figure by symbol lacks a symbol, or one by date begins after the market.
    """
    scale = {name: _matrix(getattr(costs, name), market, name) for name in _BY_SYMBOL}
    half_spread = (
        estimated_half_spread(market)
        if isinstance(costs.half_spread_bps, str) and costs.half_spread_bps == CORWIN_SCHULTZ
        else _scaled(_matrix(costs.half_spread_bps, market, "half_spread_bps"), BPS)
    )
    impact = scale["impact"]
    unit = _matrix(costs.multiplier, market, "multiplier", neutral=1.0)
    unit_value = unit if exchange is None else exchange if unit is None else unit * exchange
    filled = unit_value
    if exchange is not None and not fills_at_close:
        before = np.concatenate([exchange[:1], exchange[:-1]])
        filled = before if unit is None else unit * before
    return Terms(
        half_spread=half_spread,
        slippage=_scaled(scale["slippage_bps"], BPS),
        impact=None if impact is None else impact * impact_scale(market),
        commission=_scaled(scale["commission_bps"], BPS),
        per_share=scale["commission_per_share"],
        minimum=scale["commission_min"],
        borrow=_scaled(scale["borrow_bps_per_bar"], BPS),
        funding=_scaled(scale["funding_bps_per_bar"], BPS),
        lot=scale["lot"],
        unit_value=unit_value,
        fill_unit_value=filled,
        earned=_series(costs.cash_interest_bps_per_bar, market, "cash_interest_bps_per_bar"),
        charged=_series(costs.margin_interest_bps_per_bar, market, "margin_interest_bps_per_bar"),
        financed=_financed(costs.financed, market),
        cap=costs.participation_cap,
    )


_BY_SYMBOL = (
    "slippage_bps",
    "commission_bps",
    "commission_per_share",
    "commission_min",
    "impact",
    "borrow_bps_per_bar",
    "funding_bps_per_bar",
    "lot",
)


def exchange_rates(
    currency: Mapping[str, str] | None, rates: pd.DataFrame | None, market: Market, account: str | None
) -> Float | None:
    """Return the price (T, S) of each symbol's currency in the account's; None if all have the account's.

    Parameters
    ----------
    currency
        Currency by symbol; symbols that are not named have the account's.
    rates
        Price of one unit of each currency in the account's, dates × currencies; each bar uses the newest of its date or
        before.
    account
        The account's currency, which has no rate.

    Raises
    ------
    ConfigError
        A currency has no rate, or its rates begin after the symbol's bars.
    DataError
        A rate is not above 0.
    """
    if not currency:
        return None
    named = {
        symbol: currency[symbol] for symbol in market.symbols if symbol in currency and currency[symbol] != account
    }
    if not named:
        return None
    known = [] if rates is None else [str(name) for name in rates.columns]
    missing = sorted(set(named.values()) - set(known))
    if missing or rates is None:
        raise ConfigError(f"there are no exchange rates of {shortened(missing)}; give them as columns of fx_rates=.")
    out = np.ones(market.shape)
    columns = dict(zip(known, rates.to_numpy(dtype=np.float64).T, strict=True))
    for s, symbol in enumerate(market.symbols):
        if symbol in named:
            what = f"fx_rates of {named[symbol]}"
            values = _as_of(columns[named[symbol]], rates.index, market.dates, what, int(market.first_bar[s]))
            if not (values > 0).all():
                raise DataError(
                    f"{what} has a value of 0 or less; expected prices of one unit in the account's currency."
                )
            out[:, s] = values
    return out


def _matrix(value: Rate | str, market: Market, name: str, neutral: float = 0.0) -> Float | None:
    """Return a figure as (T, S), None if it is neutral everywhere."""
    if isinstance(value, pd.Series):
        column = _as_of(value.to_numpy(dtype=np.float64), value.index, market.dates, name)
        return np.broadcast_to(column[:, None], market.shape)
    if isinstance(value, pd.DataFrame):
        _require(market, [str(column) for column in value.columns], name)
        frame = value.rename(columns=str)
        columns = [
            _as_of(frame[s].to_numpy(dtype=np.float64), frame.index, market.dates, name, int(market.first_bar[i]))
            for i, s in enumerate(market.symbols)
        ]
        return np.ascontiguousarray(np.stack(columns, axis=1))
    if isinstance(value, Mapping):
        _require(market, list(value), name)
        row = np.array([float(value[symbol]) for symbol in market.symbols])
    else:
        row = np.full(market.shape[1], float(value))
    return None if (row == neutral).all() else np.broadcast_to(row, market.shape)


def _series(value: Rate, market: Market, name: str) -> Float | None:
    if isinstance(value, (Mapping, pd.DataFrame)):
        raise ConfigError(f"Costs: {name} is given by symbol; cash has none. Give a number or a series by date.")
    matrix = _matrix(value, market, name)
    return None if matrix is None else np.asarray(matrix[:, 0]) * BPS


def _as_of(values: Float, index: pd.Index, dates: Dates, name: str, first: int = 0) -> Float:
    """Return the newest value of each date or before; from row ``first`` on there must be one."""
    known = ~np.isnan(values)
    given = parse_dates(pd.Series(index), name)[known]
    order = np.argsort(given, kind="stable")
    place = np.searchsorted(given[order], dates, side="right") - 1
    if not known.any() or (place[first:] < 0).any():
        raise ConfigError(f"{name} begins after the bars ({str(dates[first])[:10]}); expected a value from then on.")
    return np.asarray(values[known][order][np.maximum(place, 0)])


def _require(market: Market, names: list[str], what: str) -> None:
    missing = [symbol for symbol in market.symbols if symbol not in names]
    if missing:
        raise ConfigError(
            f"Costs: {what} lacks {shortened(missing)}; expected a number for every symbol that is traded."
        )


def _financed(value: bool | Mapping[str, bool], market: Market) -> Float:
    if isinstance(value, Mapping):
        _require(market, list(value), "financed")
        return np.array([float(bool(value[symbol])) for symbol in market.symbols])
    return np.full(market.shape[1], float(bool(value)))


def _scaled(matrix: Float | None, factor: float) -> Float | None:
    if matrix is None:
        return None
    if matrix.strides[0] == 0:
        return np.broadcast_to(matrix[0] * factor, matrix.shape)
    return matrix * factor
