"""The forward and the discount factor of each expiry by put-call parity: call − put = D (F − K)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from features.alternative.options.quotes import Float, Index, Quotes, group_median
from features.alternative.options.reasons import mark

METHODS = ("none", "parity", "parity with the given rate", "underlying with the given rate and yield")
_NEAREST = 10  # pairs of an expiry that are used, those with the smallest difference of call and put
_FEWEST = 3  # pairs from which the discount factor is estimated
_RATES = (-0.05, 0.20)  # annual rates that are believed; others are noise of a short expiry
_OUTLIER = 0.02  # of the forward, on top of the spreads
_CARRY = (0.10, 0.10)  # largest |ln F/S|, and more for each year
_SMALLEST_SPREAD = 1e-4  # of the strike, in the weights


class Forwards(NamedTuple):
    """Forward and discount factor of each expiry (G,), NaN without a forward, and the index of its method."""

    forward: Float
    discount: Float
    method: npt.NDArray[np.int8]


class _Pairs(NamedTuple):
    """Calls and puts at one strike (P,): expiry, strike, call − put, sum of the spreads, and the put's row."""

    expiry: Index
    strike: Float
    difference: Float
    spread: Float
    row: Index

    def take(self, rows: npt.NDArray[np.generic]) -> _Pairs:
        return _Pairs(*(column[rows] for column in self))


def forwards_of(quotes: Quotes, rate: float = 0.0, dividend_yield: float = 0.0) -> Forwards:
    """Return the forwards of all expiries, and mark quotes ``off_parity`` and ``no_forward`` in place.

    The regression of call − put on the strike over the pairs nearest the money gives both figures. Where fewer than
    three pairs, or noise (a rate outside −5 % … 20 %), leave the slope unknown, the discount factor is that of
    ``rate``, and without any pair the forward is that of the underlying's price at ``rate`` and ``dividend_yield``
    (continuous, per year). The right to early exercise biases pairs of American options: the discount factor is too
    high, and the forward is off by up to 0.2 % within two months at a rate of 5 %.
    """
    count = len(quotes.years)
    given = np.exp(-rate * quotes.years)
    pairs = _nearest(_pairs(quotes), count)
    implied = pairs.strike + pairs.difference / given[pairs.expiry]
    centre = group_median(implied, pairs.expiry, count)[pairs.expiry]
    is_outlier = np.abs(implied - centre) > _OUTLIER * centre + pairs.spread
    off = np.zeros(len(quotes.strike), np.bool_)
    off[pairs.row[is_outlier]] = off[pairs.row[is_outlier] + 1] = True
    pairs = pairs.take(~is_outlier)

    weight = 1.0 / np.square(np.maximum(pairs.spread, _SMALLEST_SPREAD * pairs.strike))
    total = _sums(weight, pairs.expiry, count)
    with np.errstate(all="ignore"):
        strike = _sums(weight * pairs.strike, pairs.expiry, count) / total
        difference = _sums(weight * pairs.difference, pairs.expiry, count) / total
        apart = pairs.strike - strike[pairs.expiry]
        slope = _sums(weight * apart * pairs.difference, pairs.expiry, count) / _sums(
            weight * apart * apart, pairs.expiry, count
        )
        implied_rate = -np.log(-slope) / quotes.years
        is_fitted = (np.bincount(pairs.expiry, minlength=count) >= _FEWEST) & (implied_rate > _RATES[0])
        is_fitted &= implied_rate < _RATES[1]
        discount = np.where(is_fitted, -slope, given)
        forward = strike + difference / discount
        carried = quotes.underlying * np.exp((rate - dividend_yield) * quotes.years)
        method = np.select([is_fitted, np.isfinite(forward), np.isfinite(carried)], [1, 2, 3], 0).astype(np.int8)
        forward = np.where(method == 3, carried, forward)
        limit = _CARRY[0] + _CARRY[1] * quotes.years
        is_off = (np.abs(np.log(forward / quotes.underlying)) > limit) | (forward <= 0.0)
    method[is_off] = 0
    forward[method == 0] = np.nan
    mark(quotes.reason, off | is_off[quotes.expiry], "off_parity")
    mark(quotes.reason, np.isnan(forward)[quotes.expiry], "no_forward")
    return Forwards(forward, discount, method)


def _pairs(quotes: Quotes) -> _Pairs:
    rows = np.flatnonzero(quotes.reason == 0)
    expiry, strike, is_call = quotes.expiry[rows], quotes.strike[rows], quotes.is_call[rows]
    is_pair = (expiry[1:] == expiry[:-1]) & (strike[1:] == strike[:-1]) & is_call[1:] & ~is_call[:-1]
    put, call = rows[:-1][is_pair], rows[1:][is_pair]
    difference, spread = quotes.mid[call] - quotes.mid[put], quotes.spread[call] + quotes.spread[put]
    return _Pairs(quotes.expiry[put], quotes.strike[put], difference, spread, put)


def _nearest(pairs: _Pairs, count: int) -> _Pairs:
    order = np.lexsort((np.abs(pairs.difference), pairs.expiry))
    counts = np.bincount(pairs.expiry, minlength=count)
    rank = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
    return pairs.take(order[rank < _NEAREST])


def _sums(values: Float, group: Index, count: int) -> Float:
    return np.asarray(np.bincount(group, weights=values, minlength=count), np.float64)
