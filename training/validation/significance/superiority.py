"""Which of many strategies beat a benchmark, or belong to the best, when all were tried on the same history.

Wrappers of :mod:`arch.bootstrap` that take *returns*, where more is better; it takes losses. p-values are
(1 + b)/(N + 1), never 0.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.metrics.ratio import Array
from training.validation.significance.bootstrap import block_length


class Superiority(NamedTuple):
    """p-values of no strategy beating the benchmark: ``consistent`` (use this), its ``lower`` and ``upper`` bound."""

    lower: float
    consistent: float
    upper: float


def superior_ability(
    returns: pd.DataFrame | npt.ArrayLike,
    benchmark: npt.ArrayLike | float = 0.0,
    *,
    simulations: int = 1_000,
    block: float | None = None,
    seed: int = 0,
) -> Superiority:
    """Return Hansen's test of superior predictive ability.

    Parameters
    ----------
    returns
        Returns (T, N) of all strategies that were tried.
    benchmark
        Returns (T,) of what they must beat; 0 is cash.
    block
        Mean length of blocks; by default the longest that a difference from the benchmark needs.

    Raises
    ------
    ValueError
        Shapes differ, a return is not finite, or there are fewer than 10 bars.

    References
    ----------
    Hansen, P. R. (2005). A test for superior predictive ability. JBES 23, 365-380.
    """
    models, base, _ = _checked(returns, benchmark)
    moving = _moving(models - base[:, None])
    if not moving.any():
        return Superiority(1.0, 1.0, 1.0)
    test = _spa(models[:, moving], base, simulations, block, seed)
    test.compute()
    return Superiority(*(_of_share(float(p), simulations) for p in test.pvalues[["lower", "consistent", "upper"]]))


def superior_strategies(
    returns: pd.DataFrame | npt.ArrayLike,
    benchmark: npt.ArrayLike | float = 0.0,
    *,
    size: float = 0.05,
    simulations: int = 1_000,
    block: float | None = None,
    seed: int = 0,
) -> list[Any]:
    """Return the strategies that beat the benchmark, with a probability of at most ``size`` that any of them does not.

    Names are the columns of a frame, else positions. The winners are removed and the rest is tested again, until none
    is found or none is left.

    References
    ----------
    Romano & Wolf (2005). Stepwise multiple testing as formalized data snooping. Econometrica 73, 1237-1282.
    """
    models, base, names = _checked(returns, benchmark)
    moving = np.flatnonzero(_moving(models - base[:, None]))
    if not len(moving):
        return []
    test = _spa(models[:, moving], base, simulations, block, seed)
    left = np.ones(len(moving), bool)
    while left.any():
        test.subset(left)
        test.compute()
        found = [int(i) for i in test.better_models(size) if left[int(i)]]
        if not found:
            break
        left[found] = False
    return [names[i] for i in moving[~left]]


def confidence_set(
    returns: pd.DataFrame | npt.ArrayLike,
    *,
    size: float = 0.10,
    simulations: int = 1_000,
    block: float | None = None,
    seed: int = 0,
) -> pd.Series:
    """Return the p-value of each strategy to be among the best; those above ``size`` are the model confidence set.

    Columns that are equal get one p-value. The maximum statistic is used, whose memory grows with the number of
    strategies and not with its square.

    References
    ----------
    Hansen, Lunde & Nason (2011). The model confidence set. Econometrica 79, 453-497.
    """
    models, _, names = _checked(returns, 0.0)
    unique, first, where = np.unique(models, axis=1, return_index=True, return_inverse=True)
    where = np.asarray(where).ravel()
    if unique.shape[1] == 1:
        return pd.Series(1.0, index=names, name="p")
    from arch.bootstrap import MCS

    frame = pd.DataFrame(-unique, columns=[int(i) for i in first])
    length = _block(unique - unique.mean(axis=1, keepdims=True), block)
    test = MCS(frame, size=size, reps=simulations, block_size=length, method="max", bootstrap="stationary", seed=seed)
    test.compute()
    p = test.pvalues["Pvalue"]
    values = [_of_share(float(p[int(first[group])]), simulations) for group in where]
    return pd.Series(values, index=names, name="p")


def _checked(returns: Any, benchmark: Any) -> tuple[Array, Array, list[Any]]:
    names = list(returns.columns) if isinstance(returns, pd.DataFrame) else None
    models = np.asarray(returns, dtype=np.float64)
    models = models[:, None] if models.ndim == 1 else models
    if models.ndim != 2 or models.shape[1] == 0 or len(models) < 10:
        raise ValueError(f"returns have shape {models.shape}; expected (bars, strategies) with at least 10 bars")
    base = np.asarray(benchmark, dtype=np.float64)
    base = np.full(len(models), float(base)) if base.ndim == 0 else base.ravel()
    if len(base) != len(models):
        raise ValueError(
            f"the benchmark has {len(base)} returns and strategies have {len(models)}; expected the same bars"
        )
    if not (np.isfinite(models).all() and np.isfinite(base).all()):
        raise ValueError("returns must be finite; use the bars that all strategies and the benchmark have")
    return models, base, names if names is not None else list(range(models.shape[1]))


def _moving(difference: Array) -> npt.NDArray[np.bool_]:
    """Return the columns whose difference from the benchmark varies; of others no variance can be estimated."""
    return np.asarray(np.ptp(difference, axis=0) > 1e-14)


def _spa(models: Array, base: Array, simulations: int, block: float | None, seed: int) -> Any:
    from arch.bootstrap import SPA

    if simulations < 1:
        raise ValueError(f"simulations has value {simulations!r}; expected at least 1")
    length = _block(models - base[:, None], block)
    return SPA(-base, -models, block_size=length, reps=simulations, bootstrap="stationary", seed=seed)


def _block(differences: Array, block: float | None) -> int:
    length = max(block_length(column) for column in differences.T) if block is None else float(block)
    return int(np.clip(round(length), 1, len(differences)))


def _of_share(share: float, simulations: int) -> float:
    return float((1 + round(share * simulations)) / (simulations + 1))
