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
    A symbol that begins later than the market, or ends before it, has other times between its first and last bar only.

    Parameters
    ----------
    targets
        A target at each bar of the market, NaN for none.
    options
        As for :func:`~training.validation.backtest.simulate.simulate`; ``bars``-dependent levels are not moved.

    Raises
    ------
    DataError
        There are fewer than 10 bars, or not a target at each.
    """
    if len(market.dates) < 10 or len(targets) != len(market.dates):
        raise DataError(
            f"targets has {len(targets)} rows and the market {len(market.dates)} bars; expected one a bar, at least 10."
        )
    rng = np.random.default_rng(seed)
    own = _sharpe(market, targets, costs, options)
    found = np.empty(simulations)
    for i, shift in enumerate(rng.integers(1, len(targets), size=simulations)):
        found[i] = _sharpe(market, moved(market, targets, int(shift)), costs, options)
    return RandomTiming(own, found, simulated_p_value(own, found))


def moved(market: Market, targets: pd.DataFrame, shift: int) -> pd.DataFrame:
    """Return targets (dates × the market's symbols) so many bars later, those at the end of a symbol's bars first.

    Before its first bar a symbol has none.
    """
    out = targets.to_numpy(np.float64, copy=True)
    for s, (first, last) in enumerate(zip(market.first_bar, market.last_bar, strict=True)):
        out[:first, s] = np.nan
        out[first : last + 1, s] = np.roll(out[first : last + 1, s], shift)
    return pd.DataFrame(out, index=targets.index, columns=targets.columns)


def _sharpe(market: Market, targets: pd.DataFrame, costs: Costs, options: dict[str, Any]) -> float:
    return float(sharpe(simulate(market, targets, costs, **options).excess_returns.to_numpy()))
