"""p-values of simulations, and which of many are discoveries."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from training.metrics.ratio import Array


def simulated_p_value(statistic: float, simulated: npt.ArrayLike) -> float:
    """Return (1 + b)/(N + 1), b of N simulations without effect being at least as large as the statistic.

    One hundred simulations never give less than 0.0099: the statistic itself is one draw under the null. NaN
    simulations count as at least as large; a NaN statistic gives NaN.

    References
    ----------
    Davison & Hinkley (1997). Bootstrap methods and their application, eq. 4.11.
    """
    values = np.asarray(simulated, dtype=np.float64).ravel()
    if not len(values):
        raise ValueError("there are no simulations; expected at least one")
    if np.isnan(statistic):
        return float("nan")
    return float((1 + np.count_nonzero(~(values < statistic))) / (len(values) + 1))


class Discoveries(NamedTuple):
    """Adjusted p-values (n,), NaN where there is none, and which are discoveries at the rate asked for (n,)."""

    adjusted: Array
    found: npt.NDArray[np.bool_]


def false_discoveries(
    p_values: npt.ArrayLike,
    rate: float = 0.05,
    dependence: Literal["positive", "any"] = "positive",
) -> Discoveries:
    """Return which of many p-values, such as one a symbol, are discoveries of which at most ``rate`` are false.

    Parameters
    ----------
    p_values
        One a test (n,); NaN for a test that could not be made, which does not count as one.
    dependence
        ``positive``: Benjamini–Hochberg, for independent or positively dependent tests, as of symbols that share the
        market. ``any``: Benjamini–Yekutieli, which is stricter by a factor of about ln n.

    Raises
    ------
    ValueError
        A p-value is outside [0, 1], or the rate outside (0, 1).

    References
    ----------
    Benjamini & Hochberg (1995). JRSS B 57, 289-300; Benjamini & Yekutieli (2001). Annals of Statistics 29, 1165-1188.
    """
    p = np.asarray(p_values, dtype=np.float64).ravel()
    known = ~np.isnan(p)
    if (p[known] < 0).any() or (p[known] > 1).any():
        raise ValueError("p-values must lie in [0, 1]; NaN stands for a test that could not be made")
    if not 0 < rate < 1:
        raise ValueError(f"rate has value {rate!r}; expected a number between 0 and 1")
    if dependence not in ("positive", "any"):
        raise ValueError(f"dependence has value {dependence!r}; expected 'positive' or 'any'")
    adjusted = np.full(len(p), np.nan)
    n = int(known.sum())
    if n:
        positions = np.flatnonzero(known)[np.argsort(p[known], kind="stable")]
        penalty = float((1.0 / np.arange(1, n + 1)).sum()) if dependence == "any" else 1.0
        scaled = p[positions] * n * penalty / np.arange(1, n + 1)
        adjusted[positions] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return Discoveries(adjusted, np.nan_to_num(adjusted, nan=1.0) <= rate)
