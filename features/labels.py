"""Labels: direction classes and future variance, as pure functions of bars."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from configs.models import LabelConfig
from features.bars.schema import SymbolBars

Float = npt.NDArray[np.float64]

DOWN, SIDEWAYS, UP, UNKNOWN = 0, 1, 2, -1
CLASSES = ("down", "sideways", "up")


def bar_variance(bars: SymbolBars) -> Float:
    """Return each bar's close-to-close variance estimate v_t, shape (N,), in squared log returns per bar.

    Bars with a range: ``(ln O_t − ln C_{t−1})² + ½(ln H/L)² − (2 ln 2 − 1)(ln C/O)²``, the overnight square plus
    Garman and Klass (1980, J. Business 53, eq. 20 without its negligible cross terms). Close-only series: the squared
    log return. The first row is NaN: it has no previous close.
    """
    out = np.full(len(bars), np.nan)
    if len(bars) < 2:
        return out
    if not bars.has_range:
        out[1:] = np.log(bars.close[1:] / bars.close[:-1]) ** 2
        return out
    overnight = np.log(bars.open[1:] / bars.close[:-1])
    spread = np.log(bars.high[1:] / bars.low[1:])
    body = np.log(bars.close[1:] / bars.open[1:])
    out[1:] = overnight**2 + 0.5 * spread**2 - (2.0 * np.log(2.0) - 1.0) * body**2
    return out


def ewma_volatility(variance: Float, lam: float) -> Float:
    """Return the per-bar volatility (N,) known at each bar: √ of the exponentially weighted mean of v (N,) up to it.

    The weights ``λ^i`` are divided by their sum over the values so far, so the first values are unbiased and use no
    later value. Missing values have weight 0; rows before the first value are NaN.
    """
    known = np.isfinite(variance)
    total = _decayed_sum(np.where(known, variance, 0.0), lam)
    weight = _weight(known.tobytes(), lam)
    out = np.full(len(variance), np.nan)
    np.divide(total, weight, out=out, where=weight > 0.0)
    return np.asarray(np.sqrt(out))


@lru_cache(maxsize=64)  # most symbols of a universe have a value at every bar but the first
def _weight(known: bytes, lam: float) -> Float:
    """Return the sum of the weights of the values so far, given where there are any, (N,)."""
    found = _decayed_sum(np.frombuffer(known, np.bool_).astype(np.float64), lam)
    found.flags.writeable = False
    return found


def _decayed_sum(values: Float, lam: float) -> Float:
    """Return the sum of the values so far, each weighted by ``λ^age``, (N,)."""
    from scipy.signal import lfilter  # imports scipy.stats, which takes longer than many commands

    found: Float = lfilter([1.0], [1.0, -lam], values)
    return found


def forward_return(close: Float, horizon: int) -> Float:
    """Return ``ln C_{t+horizon} − ln C_t``, shape (N,); NaN in the last ``horizon`` rows."""
    out = np.full(len(close), np.nan)
    if horizon < len(close):
        out[:-horizon] = np.log(close[horizon:] / close[:-horizon])
    return out


def sideways_band(ewma_vol: Float, horizon: int, label: LabelConfig) -> Float:
    """Return the largest absolute log return over ``horizon`` bars that counts as sideways, shape (N,).

    ``ewma_vol`` (N,) is the per-bar volatility known at each bar; where it is NaN and the band is a multiple of it, the
    band is NaN.
    """
    if label.mode == "volatility":
        return np.asarray(label.k * ewma_vol * np.sqrt(horizon))
    return np.full(len(ewma_vol), label.threshold)


def direction_labels(close: Float, ewma_vol: Float, horizon: int, label: LabelConfig) -> npt.NDArray[np.int8]:
    """Return each bar's class of forward return, int8 (N,): 0 down, 1 sideways, 2 up, −1 unknown.

    ``ewma_vol`` (N,) is the per-bar volatility known at t. The last ``horizon`` bars are unknown; if the band is a
    multiple of volatility, so are bars whose volatility is NaN.
    """
    forward = forward_return(close, horizon)
    band = sideways_band(ewma_vol, horizon, label)
    classes = np.full(len(close), SIDEWAYS, dtype=np.int8)
    classes[forward > band] = UP
    classes[forward < -band] = DOWN
    classes[np.isnan(forward) | np.isnan(band)] = UNKNOWN
    return classes


def relative_labels(
    forward: Float, dates: npt.NDArray[np.datetime64], ewma_vol: Float, horizon: int, k: float
) -> npt.NDArray[np.int8]:
    """Return each row's class of forward return relative to the median of its day, int8 (rows,): 0, 1, 2 or −1.

    ``forward`` (rows,) are log returns over ``horizon`` bars of all symbols of a universe, ``dates`` (rows,) their
    dates, ``ewma_vol`` (rows,) the per-bar volatility known then. *Sideways* is within ``k·ewma_vol·√horizon``.
    """
    known = np.isfinite(forward) & np.isfinite(ewma_vol)
    classes = np.full(len(forward), UNKNOWN, dtype=np.int8)
    order = np.flatnonzero(known)[np.argsort(dates[known], kind="stable")]
    days = np.split(order, np.flatnonzero(dates[order][1:] != dates[order][:-1]) + 1) if len(order) else []
    for rows in days:
        if len(rows) < 2:  # the median of one symbol is its own return
            continue
        excess, band = forward[rows] - np.median(forward[rows]), k * ewma_vol[rows] * np.sqrt(horizon)
        classes[rows] = np.where(excess > band, UP, np.where(excess < -band, DOWN, SIDEWAYS))
    return classes


def volatility_target(variance: Float, horizon: int) -> Float:
    """Return the mean of v over bars t+1 … t+horizon, shape (N,); NaN where any of them is missing."""
    out = np.full(len(variance), np.nan)
    if horizon < len(variance):
        out[:-horizon] = np.convolve(variance[1:], np.ones(horizon), "valid") / horizon
    return out


def annualised(variance: Float, bars_per_year: float | Float) -> Float:
    """Return the annualised volatility √(bars_per_year · v) of a per-bar variance (n,): (n,), a fraction a year.

    ``bars_per_year`` is the series' (:func:`features.bars.period.bar_period`), or one value per row.
    """
    return np.asarray(np.sqrt(bars_per_year * variance))
