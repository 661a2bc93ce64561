"""Monte Carlo of a backtest: could other times, orders, prices, costs or settings have been as good? Summaries only."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
from pydantic import ValidationError

from configs.errors import DataError
from configs.strategy import StrategyConfig
from features.bars.schema import SymbolBars
from training.backtesting.account import Terms
from training.backtesting.forecasts import OutOfSample, view_of
from training.metrics.ratio import Array
from training.strategy.decisions import Decisions
from training.strategy.pipeline import decide
from training.strategy.view import ForecastView
from training.validation.backtest.cost_settings import scaled
from training.validation.backtest.random_timing import random_timing
from training.validation.backtest.result import Simulation
from training.validation.significance.shuffles import shuffled_drawdowns

_METRICS = ("sharpe", "total_return", "max_drawdown")
_QUANTILES = (0.05, 0.5, 0.95)
_SIZED = ("volatility_target", "kelly_fraction")
_CAPPED = ("name", "group", "gross", "net", "volatility", "no_trade_band")

Summary = dict[str, dict[str, float]]
"""By metric: quantiles ``5%``, ``50%`` and ``95%``, and the share of simulations ``below_zero``."""


@dataclass(frozen=True)
class MonteCarlo:
    """What N simulations of each kind say; ``missing`` gives the reason of those that could not be made.

    ``timing_p_value`` is (1 + b)/(N + 1) of the Sharpe ratio against the same positions at other times, whose ratios
    are ``timing``. ``drawdowns`` are quantiles of the largest drawdown of the same returns in other orders, which say
    nothing of the return. ``noise`` has noisy prices in features and fills, ``perturbed`` other costs and settings.
    ``intervals`` are those of all metrics by stationary block bootstrap.
    """

    simulations: int
    timing_p_value: float | None
    timing: dict[str, float]
    drawdowns: dict[str, float]
    noise: Summary
    perturbed: Summary
    missing: dict[str, str]
    intervals: pd.DataFrame = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """Return the figures by name, but for the intervals."""
        return {name: value for name, value in self.__dict__.items() if name != "intervals"}


def monte_carlo(
    own: Simulation,
    found: OutOfSample,
    view: ForecastView,
    decisions: Decisions,
    strategy: StrategyConfig,
    terms: Terms,
    intervals: pd.DataFrame,
) -> MonteCarlo:
    """Make ``backtest.simulations`` simulations of each kind; equal seeds give equal figures.

    Parameters
    ----------
    own
        The account that followed ``decisions``, made on ``view`` with the settings ``strategy``.
    intervals
        Of all metrics.
    """
    simulations, seed, missing = terms.config.simulations, terms.config.seed, dict[str, str]()
    p_value, timing = None, dict[str, float]()
    try:
        moved = random_timing(
            terms.market, terms.targets(decisions), terms.costs, simulations, seed=seed, unit="weight", **terms.options
        )
        p_value = moved.p_value
        timing = quantiles(moved.simulated * np.sqrt(terms.bars_per_year))
    except DataError as error:
        missing["other times"] = str(error)
    noise: Summary = {}
    if found.models is None:
        missing["noisy prices"] = found.no_models
    else:
        noise = summary(_noisy(found, strategy, terms, simulations), terms.bars_per_year)
    returns = own.returns.dropna().to_numpy()
    return MonteCarlo(
        simulations=simulations,
        timing_p_value=p_value,
        timing=timing,
        drawdowns=quantiles(shuffled_drawdowns(returns, simulations, seed=seed)),
        noise=noise,
        perturbed=summary(_perturbed(view, strategy, terms, simulations), terms.bars_per_year),
        missing=missing,
        intervals=intervals,
    )


def summary(accounts: Iterable[Simulation], bars_per_year: float) -> Summary:
    """Return the quantiles of metrics over simulated accounts, of which one is in memory at a time."""
    values = [[account.metrics(bars_per_year)[name] for name in _METRICS] for account in accounts]
    table = np.array(values, np.float64).reshape(-1, len(_METRICS))
    return {
        name: {**quantiles(column), "below_zero": float((column < 0).mean()) if len(column) else float("nan")}
        for name, column in zip(_METRICS, table.T, strict=True)
    }


def quantiles(values: Array) -> dict[str, float]:
    """Return the 5 %, 50 % and 95 % quantiles of what is known; empty if nothing is."""
    kept = values[np.isfinite(values)]
    return {f"{q:.0%}": float(np.quantile(kept, q)) for q in _QUANTILES} if len(kept) else {}


def noisy_bars(bars: Iterable[SymbolBars], share: float, rng: np.random.Generator) -> list[SymbolBars]:
    """Return bars whose four prices are multiplied by the same exp(ε), so that each bar stays valid.

    ε is normal with ``share`` times the standard deviation of the symbol's log returns, independent between bars.
    """
    out = []
    for one in bars:
        sigma = float(np.std(np.diff(np.log(one.close)))) if len(one) > 1 else 0.0
        factor = np.exp(share * sigma * rng.standard_normal(len(one)))
        prices = {name: getattr(one, name) * factor for name in ("open", "high", "low", "close")}
        out.append(replace(one, **prices))
    return out


def _noisy(found: OutOfSample, strategy: StrategyConfig, terms: Terms, simulations: int) -> Iterator[Simulation]:
    for i in range(simulations):
        bars = noisy_bars(found.bars, terms.config.price_noise, np.random.default_rng([terms.config.seed, 1, i]))
        other = terms.on(found.market(bars))
        view = view_of(found.again(bars), other.whole, found.config)
        yield other.follow(decide(view, strategy, first=other.first))


def _perturbed(view: ForecastView, strategy: StrategyConfig, terms: Terms, simulations: int) -> Iterator[Simulation]:
    most = terms.config.perturbation
    for i in range(simulations):
        rng = np.random.default_rng([terms.config.seed, 2, i])
        settings = perturbed(strategy, lambda: float(rng.uniform(1.0 - most, 1.0 + most)))  # noqa: B023
        costs = scaled(terms.costs, float(rng.uniform(1.0 - most, 1.0 + most)))
        yield terms.follow(decide(view, settings, first=terms.first), costs)


def perturbed(strategy: StrategyConfig, factor: Callable[[], float]) -> StrategyConfig:
    """Return settings whose sizes, limits, cost of the filter and numeric parameters are each multiplied by a factor.

    Values that leave their bounds keep the old one; whole numbers stay whole.
    """
    values = strategy.model_dump()
    places = [(values["size"], name) for name in _SIZED] + [(values["caps"], name) for name in _CAPPED]
    places += [(values["filter"], "cost_bps")] + [(values["parameters"], name) for name in strategy.parameters]
    for section, name in places:
        before = section[name]
        if isinstance(before, bool) or not isinstance(before, int | float):
            continue
        section[name] = type(before)(round(before * factor()) if isinstance(before, int) else before * factor())
        try:
            StrategyConfig.model_validate(values)
        except ValidationError:
            section[name] = before
    return StrategyConfig.model_validate(values)
