"""Strategy → filter → size → limits: from what is known at each close to positions with reasons."""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np

from configs.errors import ConfigError, FleetcastError, last_line
from configs.strategy import FilterConfig, StrategyConfig
from training.strategy.catalog import Chosen, choose
from training.strategy.confidence import rejections
from training.strategy.decision_frames import Decisions
from training.strategy.edge import Edge, edges
from training.strategy.follow import PortfolioState
from training.strategy.portfolio import hold, stop_distances
from training.strategy.reasons import Flags, Reason, flagged
from training.strategy.relative import above_median
from training.strategy.series import Float
from training.strategy.sizing import equal_risk_size, kelly_size, risk_budget_size, volatility_target_size
from training.strategy.skill import Skill
from training.strategy.spec import StrategySpec, Targets
from training.strategy.view import ForecastView

_BP = 1e-4


def decide(
    view: ForecastView,
    settings: StrategyConfig | None = None,
    held: PortfolioState | None = None,
    first: int | None = None,
) -> Decisions:
    """Return the positions to hold after each close, and why others are 0.

    A backtest decides on all dates; a bot with the same view and ``first=-1`` on the newest only. Decisions of a date
    do not depend on later ones.

    Parameters
    ----------
    held
        What is held before the first decision; nothing by default.
    first
        Row of the first decision; by default the first date with a forecast.

    Raises
    ------
    ConfigError
        The strategy does not exist, raises, returns no positions, or cannot be sized as configured.
    DataError
        ``held`` does not fit the symbols of the view.
    """
    settings = StrategyConfig() if settings is None else settings
    chosen = choose(settings)
    start = min(view.first_forecast, len(view.dates) - 1) if first is None else range(len(view.dates))[first]
    fresh = view.carried(settings.max_age)
    wanted, reasons = _wanted(fresh, chosen, settings)
    regime = view.regime(settings.regime.states)
    turbulent = regime == settings.regime.states - 1
    if settings.regime.turbulent_size == 0.0:
        reasons = reasons | flagged(turbulent, Reason.REGIME)
    edge = None
    if "direction" in chosen.spec.needs:
        skill = skill_of(view, settings.filter, chosen.spec.relative)
        edge = _edge(fresh, np.sign(wanted), skill, chosen.spec.relative, settings.filter)
        reasons = reasons | _rejections(fresh, edge, wanted, skill, settings.filter)
    wanted = np.where(reasons == 0, wanted, 0.0)
    size = _sizes(fresh, np.abs(wanted), edge, chosen.spec, settings)
    size = size * np.where(turbulent, settings.regime.turbulent_size, 1.0)
    reasons = reasons | flagged((wanted != 0.0) & np.isnan(size), Reason.NO_FORECAST)
    target = np.sign(wanted) * np.nan_to_num(size, nan=0.0)
    path = hold(fresh, target, start, held, settings)
    reasons = reasons[start:] | flagged(path.waiting > 0, Reason.STOPPED)
    reasons = np.where(path.weights != 0.0, 0, reasons).astype(np.uint16)
    reasons = reasons | flagged((path.weights == 0.0) & (reasons == 0), Reason.LIMITS)
    return Decisions(fresh, start, path, reasons, regime[start:], settings.regime.states)


def skill_of(view: ForecastView, settings: FilterConfig, relative: bool = False) -> Skill:
    """Return what past forecasts of a view were worth at each date; exactly what they say if skill is assumed."""
    if settings.skill == "assumed":
        dates = len(view.dates)
        return Skill(np.ones(dates), np.zeros(dates), np.full(dates, np.inf))
    return view.relative_skill if relative else view.skill


def _wanted(view: ForecastView, chosen: Chosen, settings: StrategyConfig) -> tuple[Float, Flags]:
    """Return what the strategy wants (D, S), from −1 to 1, and why it or its inputs are missing."""
    found = _asked(view, chosen, settings.name)
    returned, own = found if isinstance(found, Targets) else (found, None)
    try:
        position = np.empty(0) if np.iscomplexobj(returned) else np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError):
        position = np.empty(0)
    largest = np.inf if (settings.size.method or chosen.spec.size) == "given" else 1.0
    if position.shape != view.shape or np.isinf(position).any() or (np.abs(position) > largest).any():
        raise ConfigError(
            f"strategy {settings.name}: targets returned {_described(returned)}; expected finite positions of shape "
            f"{view.shape} (dates × symbols) from -1 to 1. Any weights are taken with strategy.size.method=given."
        )
    position = np.nan_to_num(position, nan=0.0)
    lacks = np.zeros(view.shape, dtype=bool)
    ever = np.ones(view.shape, dtype=bool)
    for need in chosen.spec.needs:
        lacks |= ~view.usable[need]
        ever &= view.has_had[need]
    reasons = (
        flagged(~view.has_bar, Reason.NO_BAR)
        | flagged(view.has_bar & lacks, Reason.NO_FORECAST)
        | flagged(view.has_bar & lacks & ever, Reason.STALE)
        | flagged(view.has_bar & view.is_constant, Reason.CONSTANT)
        | flagged((position < 0.0) & (not settings.short), Reason.SHORT)
    )
    if own is not None:
        reasons = reasons | np.where(position == 0.0, own, 0).astype(np.uint16)
    return position, reasons | flagged((position == 0.0) & (reasons == 0), Reason.STRATEGY)


def _described(returned: Any) -> str:
    """Return the type, the shape and what is wrong with the values of what a strategy returned, for an error."""
    try:
        values = np.asarray(returned)
    except ValueError:
        return f"{type(returned).__name__} with rows of different lengths"
    words = f"{type(returned).__name__} of shape {values.shape}"
    if values.dtype.kind not in "biuf":
        return f"{words} and dtype {values.dtype}"
    if np.isinf(values).any():
        return f"{words} with {np.isinf(values).sum():,} infinite values"
    return f"{words} and size {np.nanmax(np.abs(values)):.4g}" if np.isfinite(values).any() else words


def _asked(view: ForecastView, chosen: Chosen, name: str) -> Any:
    """Return what the strategy's ``targets`` returned; a user's class gets a copy of the view, which it may change."""
    if ":" not in name:
        return chosen.strategy.targets(view)
    try:
        return chosen.strategy.targets(view.until(len(view.dates)))
    except FleetcastError:
        raise
    except (Exception, SystemExit) as error:  # sys.exit() would end the command without a word
        place = traceback.extract_tb(error.__traceback__)[-1]
        raise ConfigError(
            f"strategy {name}: targets raised {type(error).__name__}: {last_line(error)} (line {place.lineno} of "
            f"{place.filename}). It was called with a view of shape {view.shape} (dates × symbols)."
        ) from error


def _edge(view: ForecastView, side: Float, skill: Skill, relative: bool, settings: FilterConfig) -> Edge:
    expected_return = above_median(view.expected_return) if relative else view.expected_return
    second = (view.probabilities * view.class_returns.second).sum(axis=-1)
    sigma = view.sigma
    return edges(expected_return * sigma, second * sigma * sigma, side, skill, settings.cost_bps * _BP, settings.level)


def _rejections(view: ForecastView, edge: Edge, wanted: Float, skill: Skill, settings: FilterConfig) -> Flags:
    p = view.probabilities
    confidence = np.where(wanted > 0.0, p[..., 2], p[..., 0])
    found = rejections(edge, confidence, view.strength, skill.days, settings.cost_bps * _BP, settings)
    return np.where((wanted != 0.0) & view.has_direction, found, 0).astype(np.uint16)


def _sizes(view: ForecastView, share: Float, edge: Edge | None, spec: StrategySpec, settings: StrategyConfig) -> Float:
    """Return sizes (D, S) of wanted shares (D, S) of the full size."""
    size = settings.size
    match size.method or spec.size:
        case "volatility_target":
            found = share * volatility_target_size(size.volatility_target, view.volatility_high)
        case "kelly" if edge is not None:
            found = share * kelly_size(edge.net, edge.second, edge.error, size.kelly_fraction)
        case "equal_risk":
            found = equal_risk_size(share, view.volatility_high, settings.caps.gross)
        case "given":
            found = share
        case _:
            raise ConfigError(
                f"strategy.size.method is kelly, but {settings.name} uses no forecast of direction. Choose "
                "volatility_target, equal_risk or given."
            )
    if size.risk_per_trade is None:
        return np.asarray(found)
    return np.minimum(found, risk_budget_size(size.risk_per_trade, stop_distances(view, settings.stops)))
