"""How large a position is: the absolute weight, before limits of the portfolio."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from training.strategy.series import Float

Numbers = npt.ArrayLike


def volatility_target_size(target: float, volatility: Numbers, cap: float = np.inf) -> Float:
    r"""Return :math:`\min(cap, \sigma^*/\hat\sigma)`, shape (…); NaN without a positive volatility.

    ``volatility`` is the upper end of the forecast's interval, so that an uncertain forecast makes a smaller position.

    References
    ----------
    Moreira & Muir (2017). Volatility-managed portfolios. J. Finance 72. Cederburg et al. (2020, J. Financial Economics
    138) find no higher returns out of sample: what is promised is risk control.
    """
    sigma = np.asarray(volatility, dtype=np.float64)
    return np.minimum(target / np.where(sigma > 0.0, sigma, np.nan), cap)


def kelly_leverage_of_returns(mean: Numbers, second: Numbers) -> Float:
    r"""Return :math:`f^* = \mu / (E r^2 - \mu^2)`, shape (…): the Kelly leverage of small returns; 0 without edge."""
    mu = np.asarray(mean, dtype=np.float64)
    variance = np.asarray(second, dtype=np.float64) - mu * mu
    return np.where(variance > 0.0, np.maximum(mu, 0.0) / np.where(variance > 0.0, variance, 1.0), 0.0)


def kelly_shrinkage(mean: Numbers, error: Numbers) -> Float:
    r"""Return :math:`k = \mu^2 / (\mu^2 + s^2)`, shape (…): the share of a leverage to use if μ has the error s.

    References
    ----------
    Baker & McHale (2013). Optimal betting under parameter uncertainty. Decision Analysis 10, 189-199.
    """
    mu, s = np.asarray(mean, dtype=np.float64), np.asarray(error, dtype=np.float64)
    total = mu * mu + s * s
    return np.where(total > 0.0, mu * mu / np.where(total > 0.0, total, 1.0), 0.0)


def kelly_size(mean: Numbers, second: Numbers, error: Numbers, fraction: float) -> Float:
    """Return the fractional Kelly leverage, shrunk for the error of the mean, shape (…)."""
    return fraction * kelly_leverage_of_returns(mean, second) * kelly_shrinkage(mean, error)


def equal_risk_size(chosen: Float, volatility: Float, gross: float) -> Float:
    """Return weights (D, S) inverse to volatility whose sum on each date is ``gross``; 0 where not chosen.

    ``chosen`` (D, S) scales the risk of a position: 1 for full, 0 for none.
    """
    usable = (chosen > 0.0) & (volatility > 0.0)
    risk = np.where(usable, chosen / np.where(usable, volatility, 1.0), 0.0)
    total = risk.sum(axis=1, keepdims=True)
    return np.where(total > 0.0, gross * risk / np.where(total > 0.0, total, 1.0), 0.0)


def risk_budget_size(budget: float, distance: Numbers) -> Float:
    """Return the weight (…) that loses ``budget`` of equity if the price moves by the log ``distance`` to its stop."""
    d = np.asarray(distance, dtype=np.float64)
    return budget / np.where(d > 0.0, d, np.nan)
