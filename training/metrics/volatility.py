"""Scores of variance forecasts, as pure functions of per-bar variances of any one shape.

:func:`qlike_rows` returns one value per row so that callers can sum them by day. A wrong shape, a NaN or a variance
that is not positive is the caller's bug and raises ``ValueError``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from features.labels import annualised
from training.metrics.ratio import Array, ratio


def check_variance(target: npt.ArrayLike, forecast: npt.ArrayLike) -> tuple[Array, Array]:
    """Return both as float64 (n,); raise ``ValueError`` unless shapes agree and all are finite and positive."""
    y, f = np.asarray(target, dtype=np.float64), np.asarray(forecast, dtype=np.float64)
    if y.shape != f.shape or y.size == 0:
        raise ValueError(f"target has shape {y.shape} and forecast {f.shape}; expected one shape and at least one row")
    for name, values in (("target", y), ("forecast", f)):
        if not np.isfinite(values).all() or (values <= 0).any():
            raise ValueError(f"{name} variances must be finite and positive; leave out bars without movement")
    return y, f


def qlike_rows(target: npt.ArrayLike, forecast: npt.ArrayLike) -> Array:
    r"""Return :math:`y/f - \ln(y/f) - 1` of every row: zero where f = y, robust to noise in y.

    References
    ----------
    Patton, A. J. (2011). Volatility forecast comparison using imperfect volatility proxies. J. Econometrics 160, eq. 5.
    """
    y, f = check_variance(target, forecast)
    excess = (y - f) / f
    near = np.abs(excess) < 0.5
    # log1p keeps the digits that y/f - ln(y/f) - 1 cancels when the forecast is close.
    close = excess - np.log1p(np.where(near, excess, 0.0))
    return np.asarray(np.maximum(np.where(near, close, y / f - (np.log(y) - np.log(f)) - 1.0), 0.0))


def qlike(target: npt.ArrayLike, forecast: npt.ArrayLike) -> float:
    """Return the mean of :func:`qlike_rows`; variances (N,)."""
    return float(qlike_rows(target, forecast).mean())


def vol_mse(target: npt.ArrayLike, forecast: npt.ArrayLike, bars_per_year: float | Array) -> float:
    """Return the mean squared error of annualised volatility.

    Target and forecast (n,) are variances a bar; the result is in squared annualised volatility (fractions).
    """
    y, f = (annualised(v, bars_per_year) for v in check_variance(target, forecast))
    return float(((y - f) ** 2).mean())


def vol_r2(target: npt.ArrayLike, forecast: npt.ArrayLike, bars_per_year: float | Array) -> float:
    """Return 1 - SSE/SST of annualised volatility around its mean over all rows; NaN if it never varies.

    Target and forecast (n,) are variances a bar; the result has no unit.
    """
    y, f = (annualised(v, bars_per_year) for v in check_variance(target, forecast))
    return float(1.0 - ratio(((y - f) ** 2).sum(), ((y - y.mean()) ** 2).sum()))
