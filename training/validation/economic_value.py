"""What volatility forecasts are worth to an investor who targets volatility."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from training.metrics.clustered import Array, day_jackknife, long_run_se
from training.metrics.comparison import Comparison
from training.metrics.money import check_returns
from training.metrics.ratio import ratio
from training.metrics.volatility import check_variance
from training.validation.significance.bootstrap import block_length

SHARPE, RISK_AVERSION = 0.4, 2.0


def realised_utility_rows(
    target: npt.ArrayLike, forecast: npt.ArrayLike, sharpe: float = SHARPE, risk_aversion: float = RISK_AVERSION
) -> Array:
    r"""Return the utility of each row of targeting volatility with a variance forecast.

    Target and forecast are variances (n,), the result a share of wealth a year.

    :math:`\frac{SR^2}{\gamma}\left(\sqrt{v/f} - \frac{1}{2} v/f\right)` with v the realised and f the forecast
    variance: at most :math:`SR^2 / 2\gamma`, 4 % for the usual SR = 0.4 and γ = 2, which a perfect forecast earns.

    References
    ----------
    Bollerslev, Hood, Huss & Pedersen (2018). Risk everywhere: modeling and managing volatility. Review of Financial
    Studies 31.
    """
    y, f = check_variance(target, forecast)
    share = y / f
    return np.asarray(sharpe**2 / risk_aversion * (np.sqrt(share) - 0.5 * share))


def utility_difference(
    target: npt.ArrayLike, forecast: npt.ArrayLike, other: npt.ArrayLike, dates: npt.ArrayLike, overlap: int
) -> tuple[float, float, Comparison]:
    """Return the mean realised utility of two forecasts of the same rows, and their difference clustered by day.

    Target and forecasts are variances (n,) of the same ``dates`` (n,), ``overlap`` is horizon − 1. The results are
    shares of wealth a year.
    """
    own, theirs = realised_utility_rows(target, forecast), realised_utility_rows(target, other)
    _, day = np.unique(np.asarray(dates), return_inverse=True)
    sums = np.bincount(day, weights=own - theirs).astype(np.float64), np.bincount(day).astype(np.float64)
    value, error = day_jackknife(lambda total, count: ratio(total, count), sums, overlap)
    return float(own.mean()), float(theirs.mean()), Comparison(float(value), float(error))


def performance_fee(returns: npt.ArrayLike, other: npt.ArrayLike, risk_aversion: float) -> Comparison:
    r"""Return the fee a bar, a share of wealth, that an investor would pay to switch from ``other`` to ``returns``.

    The Δ that solves :math:`\sum_t U(R_t - \Delta) = \sum_t U(R'_t)` with the quadratic utility
    :math:`U(R) = R - \frac{\gamma}{2(1 + \gamma)} R^2` of gross returns R = 1 + r. NaN if no fee makes both equal.

    Its standard error is that of the delta method: the gap of utilities :math:`U(R_t - \Delta) - U(R'_t)` over the mean
    of :math:`U'(R_t - \Delta)` is what bar t adds to the estimate's error. Volatility clusters, and so do these gaps;
    their covariance counts up to the lag that Politis and White choose as the length of a block.

    References
    ----------
    Fleming, Kirby & Ostdiek (2001). The economic value of volatility timing. J. Finance 56, 329-352.
    """
    if not risk_aversion > 0:
        raise ValueError(f"risk_aversion has value {risk_aversion!r}; expected a positive number, 1 or 10 for instance")
    own, theirs = 1.0 + check_returns(returns), 1.0 + check_returns(other)
    if own.shape != theirs.shape:
        raise ValueError(f"returns have shapes {own.shape} and {theirs.shape}; expected returns of the same bars")
    a = risk_aversion / (2.0 * (1.0 + risk_aversion))
    gain = float((own - theirs).mean() - a * (own**2 - theirs**2).mean())
    slope = 1.0 - 2.0 * a * float(own.mean())
    root = slope * slope + 4.0 * a * gain
    if not (root >= 0.0 and slope > 0.0):
        return Comparison(math.nan, math.nan)
    fee = 2.0 * gain / (slope + math.sqrt(root))
    paid = own - fee
    gaps = (paid - theirs) - a * (paid**2 - theirs**2)
    influence = gaps / (len(gaps) * (1.0 - 2.0 * a * float(paid.mean())))
    return Comparison(fee, float(long_run_se(influence, math.ceil(block_length(gaps)) - 1)))
