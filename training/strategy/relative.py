"""Forecasts and outcomes relative to the other symbols of the same date."""

from __future__ import annotations

import numpy as np

from training.strategy.series import Float, Ints


def above_median(values: Float) -> Float:
    """Return values (D, S) minus the median of their date; NaN where there is none."""
    out = np.full(values.shape, np.nan)
    for t in np.flatnonzero(np.isfinite(values).any(axis=1)):
        known = np.isfinite(values[t])
        out[t, known] = values[t, known] - np.median(values[t, known])
    return out


def above_median_known(values: Float, known: Ints) -> Float:
    """Return values (D, S) minus the median of those of their date that became known at the same row ``known`` (D, S).

    The median of a whole date would contain outcomes that become known later, as of symbols with halts.
    """
    out = np.full(values.shape, np.nan)
    for t in range(len(values)):
        for row in np.unique(known[t][known[t] >= 0]):
            same = (known[t] == row) & np.isfinite(values[t])
            if same.any():
                out[t, same] = values[t, same] - np.median(values[t, same])
    return out
