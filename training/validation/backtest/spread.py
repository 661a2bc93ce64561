"""The spread of a market, estimated from its daily highs and lows."""

from __future__ import annotations

import numpy as np

from features.rolling import add_windows
from training.validation.backtest.market import Float, Market

BARS = 21
FALLBACK_HALF_SPREAD = 10e-4
"""Half-spread before a symbol has three bars."""

_K = 3.0 - 2.0 * np.sqrt(2.0)


def corwin_schultz(high: Float, low: Float, close: Float) -> Float:
    r"""Return the spread (N, …), a share of the price, of each bar and the one before; the first is NaN.

    :math:`\alpha = (\sqrt{2\beta} - \sqrt\beta)/k - \sqrt{\gamma/k}`, :math:`k = 3 - 2\sqrt2`, with β the sum of the
    two bars' squared log ranges and γ the squared log range of both; :math:`S = 2(e^\alpha - 1)/(1 + e^\alpha)`, at
    least 0. Bars are shifted by the gap between a close and the next bar's range.

    References
    ----------
    Corwin & Schultz (2012). A simple way to estimate bid-ask spreads from daily high and low prices. J. Finance 67.
    """
    before = close[:-1]
    shift = np.maximum(low[1:] - before, 0.0) + np.minimum(high[1:] - before, 0.0)
    high_now, low_now = high[1:] - shift, low[1:] - shift
    beta = np.log(high[:-1] / low[:-1]) ** 2 + np.log(high_now / low_now) ** 2
    gamma = np.log(np.maximum(high[:-1], high_now) / np.minimum(low[:-1], low_now)) ** 2
    alpha = (np.sqrt(2.0 * beta) - np.sqrt(beta)) / _K - np.sqrt(gamma / _K)
    spread = np.maximum(2.0 * (np.exp(alpha) - 1.0) / (1.0 + np.exp(alpha)), 0.0)
    return np.concatenate([np.full((1, *close.shape[1:]), np.nan), spread])


def estimated_half_spread(market: Market, bars: int = BARS) -> Float:
    """Return half of the mean spread over the past ``bars`` bars, known before each bar (T, S)."""
    out = np.empty(market.shape)
    for s in range(market.shape[1]):
        rows = np.flatnonzero(market.has_bar[:, s])
        spread = corwin_schultz(market.high[rows, s], market.low[rows, s], market.close[rows, s])
        known = past_mean(spread, bars) / 2.0
        column = np.full(market.shape[0], np.nan)
        column[rows] = known
        out[:, s] = np.where(np.isnan(column), FALLBACK_HALF_SPREAD, column)
    return out


def past_mean(values: Float, bars: int) -> Float:
    """Return, for each row of (T, …), the mean of the ``bars`` rows before it, without NaN; NaN if there are none."""
    known = ~np.isnan(values)
    head = np.zeros((bars, *values.shape[1:]))
    total, n = np.empty(values.shape), np.empty(values.shape)
    if len(values):
        add_windows(np.concatenate([head, np.where(known, values, 0.0)[:-1]]), bars, total)
        add_windows(np.concatenate([head, known[:-1]]), bars, n)
    return np.where(n > 0, total / np.maximum(n, 1.0), np.nan)
