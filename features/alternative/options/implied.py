"""Implied volatility of European options on a forward (Black 1976): a bracketed Householder iteration on all quotes."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.special import erfcx

from features.alternative.options.reasons import mark

Float = npt.NDArray[np.float64]
Bool = npt.NDArray[np.bool_]

_BLOCK = 8192  # quotes at a time: their arrays stay in the processor's cache
_MOST = 16.0  # total volatility; prices of higher ones do not differ from the upper bound
_BELOW_BOUND = 1.0 - 1e-14  # closer prices are the bound but for their rounding
_ITERATIONS = 64
_CONVERGED = 1e-5  # relative size of the last step; the error after it is of its fourth power
_ROOT_HALF, _ROOT_HALF_PI = np.sqrt(0.5), np.sqrt(0.5 * np.pi)
_SMALLEST = 1e-10  # log-moneyness of the first guess
_TABLE = (-760.0, 0.25, 3280)  # first, step and number of logarithms


class ImpliedVolatility(NamedTuple):
    """Annualised volatilities (N,), NaN with a code of :mod:`.reasons` (N,) where there is none."""

    volatility: Float
    reason: npt.NDArray[np.int8]


def implied_volatility(
    price: Float, is_call: Bool, forward: Float, strike: Float, years: Float, discount: Float
) -> ImpliedVolatility:
    r"""Return the volatility at which Black's formula gives a price.

    With :math:`x = |\ln F/K|`, total volatility :math:`s = σ√T`, :math:`h = x/s` and :math:`t = s/2` the price over
    intrinsic value, in units of :math:`D√(FK)`, is

    .. math:: b = ½ e^{−(h² + t²)/2} (\mathrm{erfcx}((h − t)/√2) − \mathrm{erfcx}((h + t)/√2)).

    The equation solved is :math:`\ln b(s) = \ln β`, whose first three derivatives follow from
    :math:`b'(s) = e^{−(h² + t²)/2}/√(2π)`. Steps that leave the bracket are replaced by bisection.

    Parameters
    ----------
    price, is_call, forward, strike, years, discount
        Arrays (N,) in one currency. ``discount`` is the price of 1 paid at expiry. In-the-money prices are reduced by
        their intrinsic value, and lose the digits that it has.

    References
    ----------
    F. Black, "The pricing of commodity contracts", 1976. P. Jäckel, "Let's be rational", 2015 (the scaled form).
    """
    reason = np.zeros(len(price), np.int8)
    with np.errstate(all="ignore"):
        inputs = (price, forward, strike, years, discount)
        known = np.all([np.isfinite(one) for one in inputs], axis=0) & np.all([one > 0.0 for one in inputs[1:]], axis=0)
        mark(reason, ~known, "no_forward")
        x = np.abs(np.log(forward / strike))
        intrinsic = discount * np.maximum(np.where(is_call, forward - strike, strike - forward), 0.0)
        beta = (price - intrinsic) / (discount * np.sqrt(forward * strike))
        mark(reason, ~(beta > 0.0), "below_intrinsic")
        mark(reason, ~(beta < _BELOW_BOUND * np.exp(-0.5 * x)), "above_bound")
        good = np.flatnonzero(reason == 0)
        out = np.full(len(price), np.nan)
        for start in range(0, len(good), _BLOCK):
            rows = good[start : start + _BLOCK]
            out[rows] = _total_volatility(x[rows], np.log(beta[rows])) / np.sqrt(years[rows])
    mark(reason, np.isnan(out), "above_bound")
    return ImpliedVolatility(out, reason)


def _total_volatility(x: Float, log_price: Float) -> Float:
    """Return s (n,) with ln b(s) = ``log_price``."""
    out, rows = np.full(len(x), np.nan), np.arange(len(x))
    s, low, high = _first_guess(x, log_price), np.zeros(len(x)), np.full(len(x), _MOST)
    for _ in range(_ITERATIONS):
        h, t = x / s, 0.5 * s
        gap = erfcx((h - t) * _ROOT_HALF) - erfcx((h + t) * _ROOT_HALF)
        error = np.log(0.5 * gap) - 0.5 * (h * h + t * t) - log_price
        np.copyto(low, s, where=error < 0.0)
        np.copyto(high, s, where=error > 0.0)
        ratio = _ROOT_HALF_PI * gap  # b / b'
        slope = 1.0 / ratio
        second = h * h / s - 0.5 * t - slope  # second derivative of ln b over the first, and below the third
        third = second * (second - slope) - 3.0 * np.square(h / s) - 0.25
        newton = -error * ratio
        step = newton * (1.0 + 0.5 * second * newton) / (1.0 + newton * (second + newton * third / 6.0))
        new = s + step
        new = np.where((new >= low) & (new <= high), new, 0.5 * (low + high))
        is_open = ~(np.abs(new - s) <= _CONVERGED * new)
        out[rows] = new
        if not is_open.any():
            break
        rows, x, log_price = rows[is_open], x[is_open], log_price[is_open]
        s, low, high = new[is_open], low[is_open], high[is_open]
    else:
        out[rows] = np.nan
    return out


def _first_guess(x: Float, log_price: Float) -> Float:
    """Return s at the same price of Bachelier's formula, which differs by terms of s²/24."""
    x = np.maximum(x, _SMALLEST)
    first, step, count = _TABLE
    place = np.clip((log_price - np.log(2.0 * np.sinh(0.5 * x)) - first) / step, 0.0, count - 2.0)
    cell = place.astype(np.int64)
    table = _log_ratios()
    log_y = table[cell] + (place - cell) * (table[cell + 1] - table[cell])
    return np.clip(x * np.exp(-log_y), 1e-12, 0.5 * _MOST)


@cache
def _log_ratios() -> Float:
    """Return ln y on a grid of ln(φ(y)/y − Φ(−y)), the price over the distance to the strike, y = distance/s."""
    log_y = np.linspace(np.log(1e-25), np.log(40.0), 20_001)
    y = np.exp(log_y)
    log_price = np.log(1.0 / y - _ROOT_HALF_PI * erfcx(y * _ROOT_HALF)) - 0.5 * y * y - 0.5 * np.log(2.0 * np.pi)
    first, step, count = _TABLE
    return np.asarray(np.interp(first + step * np.arange(count), log_price[::-1], log_y[::-1]), np.float64)
