"""The anchor: a log-HAR with leverage, free of scale, that every other part of a volatility forecast corrects.

``ln f = ln m + c + Σ b_k (ln m_k − ln m) + Σ d_k r_k``: m is the mean variance of the last 252 bars (of all bars while
there are fewer), m_k that of the last 1, 5, 22 and 66, r_k the negative part of the last 1, 5 and 22 bars' return in
units of its volatility. The coefficients sum to one over the logarithms, so a unit of price or of variance cancels and
one set of numbers suits every market: what a short history cannot show is taken from :mod:`.prior`.

References
----------
Corsi (2009). A simple approximate long-memory model of realized volatility. J. Financial Econometrics 7, eq. 8.
Corsi and Renò (2012). Discrete-time volatility forecasting with persistent leverage effect. J. Business & Economic
Statistics 30, eq. 2.4.
Bollerslev, Hood, Huss and Pedersen (2018). Risk everywhere: modeling and managing volatility. Review of Financial
Studies 31 (one set of coefficients for all assets).
"""

from __future__ import annotations

import numpy as np

from features.rolling import lag, rolling_mean
from training.models.volatility.fleet_state import Float, Ints, rows_by_length
from training.models.volatility.har import har_lags

LAGS = (1, 5, 22, 66, 252)
FALLS = (1, 5, 22)
LONGEST = max(LAGS)  # bars that a row reads where none of them is without a variance
TERMS = 1 + len(LAGS) - 1 + len(FALLS)  # one, relative log means, falls
COMPLETE_AFTER = LAGS[-2]  # bars after which all regressors exist, see har_lags

_FLOOR = 0.01  # a target without movement counts as this share of the long mean: its logarithm would be −∞


def anchor_inputs(variance: Float, close: Float, offsets: Ints) -> Float:
    """Return ln m and the regressors, (rows, 1 + TERMS); NaN before a symbol's bar ``COMPLETE_AFTER``.

    ``variance`` and ``close`` (rows,) are symbol after symbol; symbol i owns rows ``offsets[i]:offsets[i + 1]``.
    """
    means = har_lags(variance, offsets, LAGS)
    falls = np.full((len(variance), len(FALLS)), np.nan)
    for rows in rows_by_length(offsets):  # (N, S)
        log_close, daily = np.log(close[rows]), np.sqrt(rolling_mean(variance[rows], FALLS[-1]))
        for k, bars in enumerate(FALLS):
            with np.errstate(divide="ignore", invalid="ignore"):
                falls[rows, k] = np.minimum(log_close - lag(log_close, bars), 0.0) / (daily * np.sqrt(bars))
    falls[~np.isfinite(falls)] = 0.0  # a month without movement has no falls
    long = means[:, -1:]
    return np.concatenate([long, np.ones_like(long), means[:, :-1] - long, falls], axis=1)


def log_response(target: Float, inputs: Float) -> Float:
    """Return ln y − ln m (n,): what the regression explains; y is floored at a hundredth of m."""
    with np.errstate(divide="ignore"):
        return np.log(np.maximum(target, _FLOOR * np.exp(inputs[:, 0]))) - inputs[:, 0]
