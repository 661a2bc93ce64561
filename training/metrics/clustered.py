"""Standard errors of statistics that are functions of daily sums.

All symbols of one day share the market's shock, so rows are not independent but days nearly are: the
day is the cluster. Forecasts over ``horizon`` bars overlap on neighbouring days; their covariance is added.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def hac_weights(overlap: int, days: int) -> Array:
    """Return the flat-top weights of lags 1, 2, …: one up to ``overlap``, falling to zero at twice that.

    Overlapping horizons cause covariance up to exactly lag ``overlap``; the common triangular weights
    would include only two thirds of it and give standard errors that are a fifth too small.

    References
    ----------
    Politis & Romano (1995). Bias-corrected nonparametric spectral estimation. J. Time Series Anal. 16, 67-103.
    """
    lags = np.arange(1, min(2 * overlap, days))
    return np.clip(2.0 - lags / max(overlap, 1), 0.0, 1.0)


def long_run_se(influence: Array, overlap: int) -> Array:
    r"""Return the standard error (…) of an estimate whose error is the sum of daily influences (D, …).

    :math:`\sqrt{D/(D-m) \sum_j w_{|j|} \sum_d \psi_d \psi_{d+j}}` with :math:`m = \sum_j w_{|j|}`, which undoes,
    to first order, the loss from centring the influences. Where the flat-top sum is not positive, the
    triangular weights of Newey & West are used. NaN when there are too few days.

    References
    ----------
    Newey & West (1987). Econometrica 55, 703-708; Cameron & Miller (2015). J. Human Resources 50, 317-372.
    """
    days = len(influence)
    weights = hac_weights(overlap, days)
    effective = 1.0 + 2.0 * weights.sum()
    if days <= effective:
        return np.full(influence.shape[1:], np.nan)
    own = (influence**2).sum(axis=0)
    lagged = [(influence[j:] * influence[:-j]).sum(axis=0) for j in range(1, len(weights) + 1)]
    flat = own + 2.0 * sum((w * c for w, c in zip(weights, lagged, strict=True)), np.zeros_like(own))
    triangle = 1.0 - np.arange(1, len(weights) + 1) / (len(weights) + 1)
    safe = own + 2.0 * sum((w * c for w, c in zip(triangle, lagged, strict=True)), np.zeros_like(own))
    variance = np.where(flat > 0, flat, np.maximum(safe, 0.0))
    return np.asarray(np.sqrt(variance * days / (days - effective)))


def day_jackknife(statistic: Callable[..., Array], sums: tuple[Array, ...], overlap: int) -> tuple[Array, Array]:
    """Return a statistic of daily sums, and its standard error from leaving out one day at a time.

    Parameters
    ----------
    statistic
        Maps totals with any leading axis, ``(…, *shape)`` for each of ``sums``, to values ``(…, *result)``.
    sums
        Daily sums, each (D, *shape).
    overlap
        Days over which forecasts overlap: horizon - 1.

    Returns
    -------
    tuple
        The value and its standard error, each of the result's shape.

    References
    ----------
    Efron & Stein (1981). The jackknife estimate of variance. Annals of Statistics 9, 586-596.
    """
    totals = tuple(values.sum(axis=0, keepdims=True) for values in sums)
    value = statistic(*totals)[0]
    without = statistic(*(total - values for total, values in zip(totals, sums, strict=True)))
    days = len(without)
    influence = (without.mean(axis=0) - without) * (days - 1) / days
    return value, long_run_se(influence, overlap)
