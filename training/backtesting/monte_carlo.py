"""Monte Carlo of a backtest: could other times, orders, prices, costs or settings have been as good? Summaries only."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from configs.errors import DataError
from configs.strategy import StrategyConfig
from training.backtesting.account_terms import BacktestTerms
from training.backtesting.batches import in_batches
from training.backtesting.forecasts import OutOfSample
from training.backtesting.variations import METRICS, Noise, Perturbation, with_noise, with_other_settings
from training.metrics.ratio import Array
from training.strategy.decision_frames import Decisions
from training.strategy.view import ForecastView
from training.validation.backtest.random_timing import random_timing
from training.validation.backtest.simulation import Simulation
from training.validation.significance.shuffles import shuffled_drawdowns

_QUANTILES = (0.05, 0.5, 0.95)

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
    terms: BacktestTerms,
    intervals: pd.DataFrame,
) -> MonteCarlo:
    """Make ``backtest.simulations`` simulations of each kind; equal seeds give equal figures, on Ray or without it.

    Noisy prices, which need every window's models, and other settings are simulated on Ray if it was started.

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
        noise = summary(in_batches(with_noise, Noise(found, strategy, terms), simulations))
    returns = own.returns.dropna().to_numpy()
    return MonteCarlo(
        simulations=simulations,
        timing_p_value=p_value,
        timing=timing,
        drawdowns=quantiles(shuffled_drawdowns(returns, simulations, seed=seed)),
        noise=noise,
        perturbed=summary(in_batches(with_other_settings, Perturbation(view, strategy, terms), simulations)),
        missing=missing,
        intervals=intervals,
    )


def summary(table: Array) -> Summary:
    """Return the quantiles of ``METRICS`` over simulations (n, 3)."""
    return {
        name: {**quantiles(column), "below_zero": float((column < 0).mean()) if len(column) else float("nan")}
        for name, column in zip(METRICS, table.T, strict=True)
    }


def quantiles(values: Array) -> dict[str, float]:
    """Return the 5 %, 50 % and 95 % quantiles of what is known; empty if nothing is."""
    kept = values[np.isfinite(values)]
    return {f"{q:.0%}": float(np.quantile(kept, q)) for q in _QUANTILES} if len(kept) else {}
