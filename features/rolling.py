"""Causal rolling statistics of one series: NaN only if the window is incomplete or contains a NaN.

A running sum would carry the rounding error of a spike, and a NaN, into all later windows. Here a window is the sum of
blocks of 1, 2, 4 … values, each the sum of two blocks of half the length: log₂(window) vector additions, with the
rounding of pairwise summation and without values from outside the window.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]

_FLAT = 1e-13  # a variance below this share of the mean square is the rounding error of a constant window


def lag(x: Float, bars: int) -> Float:
    """Return x[t − bars] along the rows of (N, …); the first rows are NaN."""
    out = np.empty(x.shape)
    out[:bars] = np.nan
    out[bars:] = x[: max(len(x) - bars, 0)]
    return out


def change(x: Float, bars: int) -> Float:
    """Return x[t] − x[t − bars] of x (N,); the first rows are NaN."""
    out = np.empty(len(x))
    out[:bars] = np.nan
    np.subtract(x[bars:], x[: max(len(x) - bars, 0)], out=out[bars:])
    return out


def rolling_sum(x: Float, window: int) -> Float:
    """Return the sum of the last ``window`` values along the rows of (N, …); the first ``window − 1`` rows are NaN."""
    out = np.empty(x.shape)
    out[: window - 1] = np.nan
    if len(x) >= window:
        add_windows(x, window, out[window - 1 :])
    return out


def add_windows(x: Float, window: int, out: Float) -> None:
    """Set ``out`` (N − window + 1, …) to the sums of all ``window`` values that follow each other along rows (N, …)."""
    rows = len(out)
    block, size, covered = x, 1, 0  # block[i] is the sum of x[i : i + size]
    while covered < window:
        if window & size:
            part = block[covered : covered + rows]
            if covered:
                out += part
            else:
                out[:] = part
            covered += size
        if covered < window:
            block = block[:-size] + block[size:]
            size *= 2


def rolling_mean(x: Float, window: int) -> Float:
    """Return the mean of the last ``window`` values of x (N, …)."""
    out = rolling_sum(x, window)
    out /= window
    return out


def rolling_var(x: Float, window: int, mean: Float | None = None) -> Float:
    """Return the population variance of the last ``window`` values of x (N, …); exactly 0 if they are equal."""
    mean = rolling_mean(x, window) if mean is None else mean
    square = rolling_mean(x * x, window)
    variance = square - mean * mean
    variance[variance <= _FLAT * square] = 0.0
    return variance


def rolling_slope(x: Float, window: int) -> Float:
    """Return the least-squares slope per bar over the last ``window`` values of x (N,)."""
    out = np.full(len(x), np.nan)
    if window <= len(x):
        time = np.arange(window) - (window - 1) / 2.0
        out[window - 1 :] = np.convolve(x, time[::-1] / (time @ time), "valid")
    return out


def percent_rank(x: Float, window: int) -> Float:
    """Return the mid-rank of x[t] among the last ``window`` values, in (0, 1); NaN if one of them is."""
    out = np.full(len(x), np.nan)
    if window <= len(x):
        x = np.ascontiguousarray(x)  # (window, rows): inner loops over rows
        windows = np.ndarray((window, len(x) - window + 1), x.dtype, x, strides=(x.itemsize, x.itemsize))
        last = x[window - 1 :]
        below, not_above = _count(windows < last), _count(windows <= last)
        out[window - 1 :] = np.where(np.isnan(last), np.nan, (below + not_above) / (2.0 * window))
        missing = np.isnan(x)
        if missing.any():
            out[rolling_sum(missing.astype(np.float64), window) > 0.0] = np.nan
    return out


def _count(flags: npt.NDArray[np.bool_]) -> Float:
    """Count along the first axis in bytes, 255 rows at a time, which is ten times as fast as ``sum``."""
    total = np.zeros(flags.shape[1])
    for start in range(0, len(flags), 255):
        total += np.add.reduce(flags[start : start + 255].view(np.uint8), axis=0, dtype=np.uint8)
    return total
