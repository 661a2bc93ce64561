r"""Regimes of volatility by a causal forward filter: :math:`p_t \propto \ell(x_t) \cdot A^\top p_{t-1}`.

x is the log realised variance of a symbol. Parameters are those of its bars before the first forecast and stay as they
are. The filter of a date uses bars up to it only: smoothing and the most likely path (Viterbi) would use later ones.

References
----------
Hamilton (1989). A new approach to the economic analysis of nonstationary time series. Econometrica 57, 357-384.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from training.strategy.series import Float, Ints

NAMES = {2: ("calm", "turbulent"), 3: ("calm", "normal", "turbulent")}
UNKNOWN = "unknown"
LEAST_BARS = 60
"""Bars of a symbol below which its regimes are unknown."""

_LEAST_SPREAD = 0.1


class Regimes(NamedTuple):
    """``mean`` and ``spread`` (S, K) of x in each state, in order of volatility; ``transition`` (S, K, K) from, to."""

    mean: Float
    spread: Float
    transition: Float


def fit_regimes(x: Float, states: int) -> Regimes:
    """Return the regimes of log variances (T, S): each state is an equal share of a symbol's bars, by size.

    A symbol with fewer than ``LEAST_BARS`` values has NaN.
    """
    symbols = x.shape[1]
    mean, spread = np.full((symbols, states), np.nan), np.full((symbols, states), np.nan)
    transition = np.full((symbols, states, states), np.nan)
    for s in range(symbols):
        own = x[np.isfinite(x[:, s]), s]
        if len(own) < LEAST_BARS:
            continue
        state = np.searchsorted(np.quantile(own, np.arange(1, states) / states), own, side="right")
        for k in range(states):
            part = own[state == k]
            if not len(part):  # values that are all equal
                part = own
            mean[s, k], spread[s, k] = part.mean(), max(float(part.std()), _LEAST_SPREAD)
        counts = np.ones((states, states))
        np.add.at(counts, (state[:-1], state[1:]), 1.0)
        transition[s] = counts / counts.sum(axis=1, keepdims=True)
    return Regimes(mean, spread, transition)


def forward_filter(x: Float, regimes: Regimes, start: Float | None = None) -> Float:
    """Return the probability (D, S, K) of each state at each date, given x (D, S) up to it.

    A date without a value leaves the probabilities as they were; before the first one, all states are equally likely.
    NaN for symbols without regimes. ``start`` (S, K) are the probabilities before the first date, where it goes on.
    """
    dates, symbols = x.shape
    states = regimes.mean.shape[1]
    out = np.empty((dates, symbols, states))
    p = np.where(np.isnan(regimes.mean), np.nan, 1.0 / states) if start is None else start
    for t in range(dates):
        z = (x[t][:, None] - regimes.mean) / regimes.spread
        log_like = -0.5 * z * z - np.log(regimes.spread)
        # Far outside of all states the densities underflow; only their ratios matter.
        like = np.exp(log_like - log_like.max(axis=1, keepdims=True))
        ahead = (regimes.transition * p[:, :, None]).sum(axis=1)
        updated = like * ahead
        updated = updated / updated.sum(axis=1, keepdims=True)
        p = np.where(np.isfinite(x[t])[:, None], updated, p)
        out[t] = p
    return out


def most_likely(probability: Float) -> Ints:
    """Return the most likely state (D, S); −1 where it is unknown."""
    known = np.isfinite(probability).all(axis=-1)
    return np.where(known, np.argmax(np.nan_to_num(probability), axis=-1), -1)
