"""Stationary block bootstrap of returns: paths, and confidence intervals of every metric of money."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pandas as pd

from training.metrics.money import check_bars_per_year, check_returns, money_metrics
from training.metrics.ratio import Array, Ints

Metrics = Callable[[Array, float], Mapping[str, Array]]
_CELLS = 65_536  # paths × bars at a time, so that a batch stays in the cache


def block_length(returns: npt.ArrayLike) -> float:
    """Return the mean block length that suits the dependence of returns (T,), at least 1.

    References
    ----------
    Politis & White (2004). Econometric Reviews 23, 53-70; Patton, Politis & White (2009). Econometric Reviews 28.
    """
    r = check_returns(np.asarray(returns, dtype=np.float64).ravel())
    # Five bars say nothing of dependence, and a constant has none.
    if len(r) < 10 or np.ptp(r) <= 1e-14:
        return 1.0
    from arch.bootstrap import optimal_block_length

    found = float(optimal_block_length(r)["stationary"].iloc[0])
    return float(np.clip(found if np.isfinite(found) else 1.0, 1.0, len(r)))


def resampled_rows(bars: int, paths: int, block: float, rng: np.random.Generator) -> Ints:
    """Return rows (paths, bars) of a series: blocks of geometric length with mean ``block``, joined end to start.

    References
    ----------
    Politis & Romano (1994). The stationary bootstrap. JASA 89, 1303-1313.
    """
    total = paths * bars
    if block <= 1.0:
        return rng.integers(0, bars, size=(paths, bars), dtype=np.int64)
    expected = int(total / block + 6.0 * np.sqrt(total / block) + 16)
    starts = np.cumsum(rng.geometric(1.0 / block, size=expected))
    while starts[-1] < total:
        starts = np.concatenate([starts, starts[-1] + np.cumsum(rng.geometric(1.0 / block, size=expected))])
    # A path begins with a block of its own: the geometric law has no memory.
    is_start = np.zeros(total, bool)
    is_start[starts[starts < total]] = True
    is_start[::bars] = True
    starts = np.flatnonzero(is_start)
    lengths = np.diff(starts, append=total)
    shift = rng.integers(0, bars, size=len(starts), dtype=np.int64) - starts
    rows = np.repeat(shift, lengths)
    rows += np.arange(total)
    # A block runs over the end of the series at most once a `bars`, and is never longer than a path.
    np.subtract(rows, bars, out=rows, where=rows >= bars)
    return rows.reshape(paths, bars)


def bootstrap_paths(
    returns: npt.ArrayLike, paths: int, *, block: float | None = None, seed: int = 0
) -> Iterator[Array]:
    """Yield batches (n, T) of resampled returns, ``paths`` in all; equal for equal seeds.

    Raises
    ------
    ValueError
        There are no returns, or ``paths`` or ``block`` is below 1.
    """
    r = check_returns(np.asarray(returns, dtype=np.float64).ravel())
    if paths < 1:
        raise ValueError(f"paths has value {paths!r}; expected at least 1")
    length = block_length(r) if block is None else float(block)
    if not length >= 1:
        raise ValueError(f"block has value {block!r}; expected a mean length of at least 1 bar, or None")
    rng = np.random.default_rng(seed)
    batch = max(_CELLS // len(r), 1)
    for start in range(0, paths, batch):
        yield r[resampled_rows(len(r), min(batch, paths - start), length, rng)]


def bootstrap_metrics(
    returns: npt.ArrayLike,
    bars_per_year: float,
    paths: int = 10_000,
    *,
    confidence: float = 0.90,
    block: float | None = None,
    seed: int = 0,
    metrics: Metrics = money_metrics,
) -> pd.DataFrame:
    """Return every metric with a confidence interval.

    Parameters
    ----------
    returns
        Simple returns of a portfolio (T,); NaN, bars without a return, are left out.
    paths
        Resampled histories of the same length.
    confidence
        Mass of the interval, between the percentiles of the resampled metrics.
    block
        Mean length of blocks in bars; by default chosen from the data. Blocks keep the dependence of neighbours.
    metrics
        Maps returns (n, T) and bars a year to values (n,) by name.

    Returns
    -------
    pandas.DataFrame
        One row a metric: ``estimate``, ``low``, ``high``, ``se`` and ``paths`` on which it is defined.

    Raises
    ------
    ValueError
        There are no returns, or an argument is out of range.
    """
    if not 0 < confidence < 1:
        raise ValueError(f"confidence has value {confidence!r}; expected a number between 0 and 1")
    r = check_returns(np.asarray(returns, dtype=np.float64).ravel())
    estimate = metrics(r[None, :], check_bars_per_year(bars_per_year))
    found: dict[str, list[Array]] = {name: [] for name in estimate}
    for batch in bootstrap_paths(r, paths, block=block, seed=seed):
        for name, values in metrics(batch, bars_per_year).items():
            found[name].append(values)
    rows = {}
    tails = [(1.0 - confidence) / 2.0, (1.0 + confidence) / 2.0]
    for name, parts in found.items():
        values = np.concatenate(parts)
        values = values[np.isfinite(values)]
        low, high = np.quantile(values, tails) if len(values) else (np.nan, np.nan)
        spread = values.std(ddof=1) if len(values) > 1 else np.nan
        rows[name] = (float(estimate[name][0]), float(low), float(high), float(spread), len(values))
    return pd.DataFrame.from_dict(rows, orient="index", columns=["estimate", "low", "high", "se", "paths"])
