"""How two series of returns on the same bars differ, with the error of the difference."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from training.metrics.clustered import long_run_se
from training.metrics.comparison import Comparison
from training.metrics.money import check_bars_per_year, moments
from training.metrics.ratio import Array

_UNKNOWN = Comparison(math.nan, math.nan)


def return_difference(
    returns: npt.ArrayLike, other: npt.ArrayLike, bars_per_year: float, overlap: int = 0
) -> Comparison:
    r"""Return the annualised mean of :math:`r_t - r'_t`, and its standard error.

    Parameters
    ----------
    returns, other
        Simple returns (T,) of the same bars; bars on which either is NaN are left out.
    overlap
        Bars over which differences are dependent: horizon − 1 of the forecasts behind them.

    Raises
    ------
    ValueError
        Lengths differ.

    Examples
    --------
    >>> found = return_difference([0.02, 0.01, 0.03], [0.01, 0.01, 0.01], bars_per_year=1)
    >>> round(found.value, 6), round(found.se, 6)
    (0.01, 0.005774)
    """
    own, theirs = _both(returns, other)
    if not len(own):
        return _UNKNOWN
    difference, years = own - theirs, check_bars_per_year(bars_per_year)
    mean = float(difference.mean())
    error = float(long_run_se((difference - mean) / len(difference), overlap))
    return Comparison(mean * years, error * years)


def sharpe_difference(
    returns: npt.ArrayLike, other: npt.ArrayLike, bars_per_year: float, overlap: int = 0
) -> Comparison:
    r"""Return the difference of two annualised Sharpe ratios, and its standard error by the delta method.

    A ratio has the influence :math:`\psi_t = (z_t - \frac{SR}{2}(z_t^2 - 1))/T` with z the standardised returns. NaN if
    one of the series does not vary. Arguments are those of :func:`return_difference`.

    References
    ----------
    Ledoit & Wolf (2008). Robust performance hypothesis testing with the Sharpe ratio. J. Empirical Finance 15, 850-859.
    """
    own, theirs = _both(returns, other)
    if len(own) < 2:
        return _UNKNOWN
    (left, of_left), (right, of_right) = _influence(own), _influence(theirs)
    root = math.sqrt(check_bars_per_year(bars_per_year))
    error = float(long_run_se(of_left - of_right, overlap)) if math.isfinite(left - right) else math.nan
    return Comparison((left - right) * root, error * root)


def _influence(returns: Array) -> tuple[float, Array]:
    mean, sd, _, _ = (float(one) for one in moments(returns))
    if not sd > 0:
        return math.nan, np.zeros(len(returns))
    ratio = mean / sd
    z = (returns - mean) / sd
    return ratio, (z - 0.5 * ratio * (z * z - 1.0)) / len(returns)


def _both(returns: npt.ArrayLike, other: npt.ArrayLike) -> tuple[Array, Array]:
    own, theirs = np.asarray(returns, np.float64).ravel(), np.asarray(other, np.float64).ravel()
    if own.shape != theirs.shape:
        raise ValueError(f"there are {len(own)} and {len(theirs)} returns; expected those of the same bars")
    known = np.isfinite(own) & np.isfinite(theirs)
    return own[known], theirs[known]
