"""From wanted weights to what is held: limits that follow from past bars, drift, and levels of exits."""

from __future__ import annotations

from functools import cache

import numpy as np

from configs.errors import DataError, shortened, shown
from configs.strategy import StopConfig, StrategyConfig
from training.strategy.caps import Limits
from training.strategy.correlation import correlations, groups_of
from training.strategy.follow import Bars, Levels, Path, PortfolioState, Wanted, follow
from training.strategy.series import Float, Ints
from training.strategy.stops import level, stop_distance
from training.strategy.view import ForecastView

_UNKNOWN_VOLATILITY = 1.0  # a year, of a position that is held and has no volatility yet


def hold(view: ForecastView, target: Float, start: int, held: PortfolioState | None, settings: StrategyConfig) -> Path:
    """Return the path (D − start, S) of a portfolio that follows targets (D, S) from a row on.

    Correlations and groups are those of the dates before each month. A symbol without a bar keeps its position for
    ``max_halt`` days. After them the target is 0, and until a bar comes the position leaves less room under the limits.
    """
    caps = settings.caps
    volatility = np.where(np.isfinite(view.newest_volatility), view.newest_volatility, _UNKNOWN_VOLATILITY)
    months = view.dates.astype("datetime64[M]")

    @cache
    def of_month(month: np.datetime64) -> tuple[Float, Ints]:
        returns = view.returns_before_month(int(np.searchsorted(months, month)), caps.correlation_window)
        correlation = correlations(returns)
        return correlation, groups_of(correlation, caps.group_correlation)

    def limits(t: int, stuck: Float) -> Limits:
        correlation, group = of_month(months[start + t])
        return Limits(caps, settings.short, group, correlation, volatility[start + t], stuck)

    undecided = ~view.has_bar & (view.halted_days <= settings.max_halt)
    stuck = ~view.has_bar & ~undecided
    if view.settled is not None:
        stuck &= ~view.settled
    now = slice(start, None)
    return follow(
        Wanted(target[now], undecided[now], stuck[now]),
        Bars(view.open[now], view.high[now], view.low[now], view.close[now], view.close_before[now]),
        _levels(view, settings.stops, now),
        limits,
        PortfolioState.of(np.zeros(len(view.symbols))) if held is None else _checked(held, view.symbols),
        band=caps.no_trade_band,
        turnover=caps.turnover,
    )


def _checked(held: PortfolioState, symbols: tuple[str, ...]) -> PortfolioState:
    if any(np.shape(part) != (len(symbols),) for part in held) or not np.isfinite(held.weights).all():
        raise DataError(
            f"held has the weights {shown(held.weights)} and parts of the shapes {[np.shape(part) for part in held]}; "
            f"expected finite weights and levels of {len(symbols)} symbols in the order of the view: "
            f"{shortened(symbols)}."
        )
    return held


def stop_distances(view: ForecastView, settings: StopConfig) -> Float:
    """Return the log distance (D, S) of stops from the close; NaN where there are none."""
    return _distances(view, settings, settings.touch_probability)


def _levels(view: ForecastView, settings: StopConfig, now: slice) -> Levels:
    close, side = view.close[now], np.ones(view.close[now].shape)
    stop = stop_distances(view, settings)[now]
    profit = _distances(view, settings, settings.profit_probability)[now]
    return Levels(
        stop_below=level(close, -side, stop),
        stop_above=level(close, side, stop),
        profit_above=level(close, side, profit),
        profit_below=level(close, -side, profit),
        wait=settings.wait,
    )


def _distances(view: ForecastView, settings: StopConfig, probability: float | None) -> Float:
    if probability is None:
        return np.full(view.shape, np.nan)
    return stop_distance(view.volatility, settings.bars or view.volatility_horizon, view.bars_per_year, probability)
