"""From wanted weights to what is held: limits that follow from past bars, drift, and levels of exits."""

from __future__ import annotations

from functools import cache

import numpy as np

from configs.strategy import StopConfig, StrategyConfig
from training.strategy.caps import Limits
from training.strategy.correlation import correlations, groups_of, month_starts
from training.strategy.follow import Held, Path, follow
from training.strategy.series import Float, Ints, at_rows, last_row
from training.strategy.stops import level, stop_distance
from training.strategy.view import ForecastView

_UNKNOWN_VOLATILITY = 1.0  # a year, of a position that is held and has no volatility yet


def hold(view: ForecastView, target: Float, start: int, held: Held | None, settings: StrategyConfig) -> Path:
    """Return the path (D − start, S) of a portfolio that follows targets (D, S) from a row on.

    Correlations and groups are those of the dates before each month. A symbol without a bar keeps its position for
    ``max_halt`` dates.
    """
    caps = settings.caps
    volatility = at_rows(view.volatility_high, last_row(np.isfinite(view.volatility_high)))
    volatility = np.where(np.isfinite(volatility), volatility, _UNKNOWN_VOLATILITY)
    months, newest = month_starts(view.dates), last_row(view.has_bar)

    @cache
    def of_month(first: int) -> tuple[Float, Ints]:
        correlation = correlations(view.returns[max(first - caps.correlation_window, 0) : first])
        return correlation, groups_of(correlation, caps.group_correlation)

    def limits(t: int) -> Limits:
        correlation, group = of_month(int(months[start + t]))
        return Limits(caps, settings.short, group, correlation, volatility[start + t])

    def stops(weights: Float) -> Float:
        distance = stop_distances(view, settings.stops)[start:]
        return level(view.close[start:], -np.sign(weights), distance)

    halted = np.arange(len(view.dates))[:, None] - newest
    undecided = ~view.has_bar & (newest >= 0) & (halted <= settings.max_halt)
    return follow(
        target[start:],
        undecided[start:],
        view.growth[start:],
        limits,
        stops,
        Held.nothing(len(view.symbols)) if held is None else held,
        band=caps.no_trade_band,
        turnover=caps.turnover,
    )


def stop_distances(view: ForecastView, settings: StopConfig) -> Float:
    """Return the log distance (D, S) of stops from the close; NaN where there are none."""
    return _distances(view, settings, settings.touch_probability)


def profit_levels(view: ForecastView, weights: Float, start: int, settings: StopConfig) -> Float:
    """Return the prices (D − start, S) of profit targets for weights from a row on; NaN for none."""
    distance = _distances(view, settings, settings.profit_probability)[start:]
    return level(view.close[start:], np.sign(weights), distance)


def _distances(view: ForecastView, settings: StopConfig, probability: float | None) -> Float:
    if probability is None:
        return np.full(view.shape, np.nan)
    return stop_distance(view.volatility, settings.bars or view.volatility_horizon, view.bars_per_year, probability)
