"""Costs resolved for a market: every figure as a number, by symbol, or by instant and symbol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import pandas as pd

from configs.errors import ConfigError, shortened
from training.validation.backtest.as_of import as_of
from training.validation.backtest.costs import CORWIN_SCHULTZ, Costs, Rate
from training.validation.backtest.impact import impact_scale
from training.validation.backtest.market import Float, Market
from training.validation.backtest.spread import estimated_half_spread

BPS = 1e-4


Figure: TypeAlias = float | Float
"""A figure of all symbols, by symbol (S,), or by instant and symbol (T, S)."""
Index: TypeAlias = Any
"""Rows or columns of a matrix: an integer, a slice or positions."""


def at(figure: Figure, rows: Index, columns: Index) -> Figure:
    """Return a figure at these rows and columns of the market."""
    if isinstance(figure, float):
        return figure
    return np.asarray(figure[columns] if figure.ndim == 1 else figure[rows, columns])


def on(figure: Figure, rows: Index) -> Figure:
    """Return a figure of all symbols at these rows."""
    return figure if isinstance(figure, float) or figure.ndim == 1 else np.asarray(figure[rows])


@dataclass(frozen=True, eq=False)
class Terms:
    """Figures as shares of one; None where a cost does not exist.

    ``impact`` is the coefficient Y, ``liquidity`` (T, S) the σ/√V that it is multiplied by. ``unit_value`` is the money
    of the account that one unit is worth a point of price at the close, ``fill_unit_value`` the same at the fill, both
    None for 1. ``earned`` and ``charged`` (T,) are interest on cash; ``financed`` (S,) is whether cash pays for
    positions.
    """

    half_spread: Figure | None
    slippage: Figure | None
    impact: Figure | None
    liquidity: Float | None
    commission: Figure | None
    per_share: Figure | None
    minimum: Figure | None
    borrow: Figure | None
    funding: Figure | None
    lot: Figure | None
    unit_value: Figure | None
    fill_unit_value: Figure | None
    earned: Float | None
    charged: Float | None
    financed: Float
    cap: float | None


def resolve(costs: Costs, market: Market, exchange: Float | None, fills_at_close: bool) -> Terms:
    """Return the terms of a market.

    Parameters
    ----------
    exchange
        Price (T, S) of one unit of each symbol's currency in the account's at each close; None for one currency.
    fills_at_close
        Whether orders are filled at closes; others are converted at the rate of the close before, which is known then.

    Raises
    ------
    ConfigError
        A figure by symbol lacks a symbol, or one by date begins after the market.
    """
    scale = {name: _figure(getattr(costs, name), market, name) for name in _BY_SYMBOL}
    half_spread: Figure | None = (
        estimated_half_spread(market)
        if isinstance(costs.half_spread_bps, str) and costs.half_spread_bps == CORWIN_SCHULTZ
        else _scaled(_figure(costs.half_spread_bps, market, "half_spread_bps"))
    )
    unit = _figure(costs.multiplier, market, "multiplier", neutral=1.0)
    unit_value: Figure | None = unit if exchange is None else exchange if unit is None else unit * exchange
    filled: Figure | None = unit_value
    if exchange is not None and not fills_at_close:
        before = np.concatenate([exchange[:1], exchange[:-1]])
        filled = before if unit is None else unit * before
    return Terms(
        half_spread=half_spread,
        slippage=_scaled(scale["slippage_bps"]),
        impact=scale["impact"],
        liquidity=None if scale["impact"] is None else impact_scale(market),
        commission=_scaled(scale["commission_bps"]),
        per_share=scale["commission_per_share"],
        minimum=scale["commission_min"],
        borrow=_scaled(scale["borrow_bps_per_bar"]),
        funding=_scaled(scale["funding_bps_per_bar"]),
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


def _figure(value: Rate | str, market: Market, name: str, neutral: float = 0.0) -> Figure | None:
    """Return a figure, None if it is neutral everywhere."""
    if isinstance(value, pd.Series):
        column = as_of(value.to_numpy(dtype=np.float64), value.index, market.dates, name)
        return np.broadcast_to(column[:, None], market.shape)
    if isinstance(value, pd.DataFrame):
        _require(market, [str(column) for column in value.columns], name)
        frame = value.rename(columns=str)
        columns = [
            as_of(frame[s].to_numpy(dtype=np.float64), frame.index, market.dates, name, int(market.first_bar[i]))
            for i, s in enumerate(market.symbols)
        ]
        return np.ascontiguousarray(np.stack(columns, axis=1))
    if isinstance(value, Mapping):
        _require(market, list(value), name)
        row = np.array([float(value[symbol]) for symbol in market.symbols])
        return None if (row == neutral).all() else row
    return None if float(value) == neutral else float(value)


def _series(value: Rate, market: Market, name: str) -> Float | None:
    if isinstance(value, (Mapping, pd.DataFrame)):
        raise ConfigError(f"Costs: {name} is given by symbol; cash has none. Give a number or a series by date.")
    figure = _figure(value, market, name)
    if figure is None:
        return None
    return np.full(market.shape[0], figure * BPS) if isinstance(figure, float) else np.asarray(figure[:, 0]) * BPS


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


def _scaled(figure: Figure | None) -> Figure | None:
    return None if figure is None else figure * BPS
