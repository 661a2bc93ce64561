"""The null of no timing: the same positions, held as long, at other times."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from configs.errors import DataError
from training.metrics.money import sharpe
from training.metrics.ratio import Array
from training.validation.backtest.costs import Costs
from training.validation.backtest.market import Market
from training.validation.backtest.simulate import simulate
from training.validation.significance.discoveries import simulated_p_value


class RandomTiming(NamedTuple):
    """Sharpe ratio per bar of the strategy and of each random one (N,), and the p-value (1 + b)/(N + 1)."""

    sharpe: float
    simulated: Array
    p_value: float


def random_timing(
    market: Market,
    targets: pd.DataFrame,
    costs: Costs,
    simulations: int = 100,
    *,
    seed: int = 0,
    **options: Any,
) -> RandomTiming:
    """Compare a strategy with itself at other times.

    Each simulation moves all targets by the same random number of bars, those at the end to the start. That keeps
    exposure, holding times, turnover and what is held together, and breaks the link with the returns that followed.

    Parameters
    ----------
    targets
        A target at each bar of the market, NaN for none.
    options
        As for :func:`~training.validation.backtest.simulate.simulate`; ``bars``-dependent levels are not moved.

    Raises
    ------
    DataError
        There are fewer than 10 bars, or a symbol begins later than the market, so that targets cannot be moved.
    """
    if len(market.dates) < 10 or len(targets) != len(market.dates):
        raise DataError(
            f"targets has {len(targets)} rows and the market {len(market.dates)} bars; expected one a bar, at least 10."
        )
    if (market.first_bar > 0).any():
        late = market.symbols[int(market.first_bar.argmax())]
        raise DataError(
            f"{late} begins later than the market, so its targets have no other times. Begin with its bars."
        )
    rng = np.random.default_rng(seed)
    own = _sharpe(market, targets, costs, options)
    found = np.empty(simulations)
    for i, shift in enumerate(rng.integers(1, len(targets), size=simulations)):
        moved = pd.DataFrame(np.roll(targets.to_numpy(), shift, axis=0), index=targets.index, columns=targets.columns)
        found[i] = _sharpe(market, moved, costs, options)
    return RandomTiming(own, found, simulated_p_value(own, found))


def _sharpe(market: Market, targets: pd.DataFrame, costs: Costs, options: dict[str, Any]) -> float:
    return float(sharpe(simulate(market, targets, costs, **options).returns.to_numpy()))
