"""Interpolation of implied volatilities: in strike and delta within an expiry, in total variance between expiries."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtr

from features.alternative.options.quotes import Float, Index

DELTA = 0.25
_WIDEST_STRIKES = 0.3  # log-moneyness between the two strikes around the forward
_WIDEST_DELTAS = 0.4
_WIDEST_YEARS = 0.5


class Smile(NamedTuple):
    """Volatilities (G,) of each expiry: at the forward, and of the put and the call with a delta of ∓ .25."""

    at_forward: Float
    put: Float
    call: Float


def smiles(expiry: Index, moneyness: Float, volatility: Float, years: Float, count: int) -> Smile:
    """Return the smile of each expiry from out-of-the-money quotes (N,) sorted by expiry and strike.

    ``moneyness`` is ln(K/F). At the forward the volatility is interpolated in log-moneyness between the nearest put and
    call, elsewhere in the delta between neighbouring strikes. Deltas are those of Black's formula on the forward,
    without the discount factor, at each quote's own volatility: Φ(d₁) of a call, and Φ(d₁) − 1 of a put.
    """
    total = volatility * np.sqrt(years)
    delta = ndtr(-moneyness / total + 0.5 * total)
    return Smile(
        at_level(expiry, moneyness, volatility, 0.0, count, _WIDEST_STRIKES),
        at_level(expiry, delta, volatility, 1.0 - DELTA, count, _WIDEST_DELTAS),
        at_level(expiry, delta, volatility, DELTA, count, _WIDEST_DELTAS),
    )


def constant_maturity(snapshot: Index, years: Float, volatility: Float, days: float, count: int) -> Float:
    """Return the volatility (M,) for a maturity in calendar days, NaN where no expiry is on one side of it.

    Expiries (G,) are sorted by snapshot and time. σ²T is interpolated linearly between the two around the maturity.
    """
    known = np.isfinite(volatility)
    snapshot, years, variance = snapshot[known], years[known], np.square(volatility[known]) * years[known]
    target = days / 365.0
    return np.sqrt(at_level(snapshot, years, variance, target, count, _WIDEST_YEARS) / target)


def at_level(group: Index, x: Float, y: Float, target: float, count: int, widest: float) -> Float:
    """Return y where x crosses a level, linearly between neighbours of a group (count,); NaN where it does not.

    Neighbours further apart than ``widest`` in x are not interpolated. Of several crossings the first counts.
    """
    below, above = x[:-1] - target, x[1:] - target
    found = (group[1:] == group[:-1]) & (below * above <= 0.0) & (below != above) & (np.abs(above - below) <= widest)
    rows = np.flatnonzero(found)[::-1]
    share = below[rows] / (below[rows] - above[rows])
    out = np.full(count, np.nan)
    out[group[rows]] = y[rows] + share * (y[rows + 1] - y[rows])  # the last assignment is the first crossing
    return out
