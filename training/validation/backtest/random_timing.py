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

_WEEK = np.timedelta64(7, "D")


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
        There are fewer than 10 bars, or a symbol begins more than a week after the market, so that targets cannot be
        moved. Within a week, as after a weekend on which other symbols trade, its targets wait for its first bar.
    """
    if len(market.dates) < 10 or len(targets) != len(market.dates):
        raise DataError(
            f"targets has {len(targets)} rows and the market {len(market.dates)} bars; expected one a bar, at least 10."
        )
    if (market.dates[market.first_bar] - market.dates[0] > _WEEK).any():
        late = market.symbols[int(market.first_bar.argmax())]
        raise DataError(
            f"{late} begins later than the market, so its targets have no other times. Begin with its bars."
        )
    is_before = np.arange(len(market.dates))[:, None] < market.first_bar
    rng = np.random.default_rng(seed)
    own = _sharpe(market, targets, costs, options)
    found = np.empty(simulations)
    for i, shift in enumerate(rng.integers(1, len(targets), size=simulations)):
        rolled = np.roll(targets.to_numpy(), shift, axis=0)
        for s in np.flatnonzero(market.first_bar):
            rolled[: market.first_bar[s] + 1, s] = _newest(rolled[: market.first_bar[s] + 1, s])
        moved = pd.DataFrame(np.where(is_before, np.nan, rolled), index=targets.index, columns=targets.columns)
        found[i] = _sharpe(market, moved, costs, options)
    return RandomTiming(own, found, simulated_p_value(own, found))


def _newest(values: Array) -> Array:
    """Return decisions (n,) with the newest of them last; NaN if there is none."""
    known = values[~np.isnan(values)]
    return np.append(values[:-1], known[-1] if len(known) else np.nan)


def _sharpe(market: Market, targets: pd.DataFrame, costs: Costs, options: dict[str, Any]) -> float:
    return float(sharpe(simulate(market, targets, costs, **options).excess_returns.to_numpy()))
