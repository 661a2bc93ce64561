"""Which features are distributed differently now than before a model was trained. This explains; it raises no alarm.

Features are autocorrelated and shared by symbols, so rows say less than their number: a chance limit for independent
rows would call most features drifted in any quarter. A feature is therefore compared with its own past: its index
(PSI) of the recent days must be larger than that of every earlier period of the same length, and above the chance limit
that counts a day as one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from serving.monitoring.drift import bin_counts, kolmogorov_smirnov, psi, psi_quantile, quantile_edges
from training.metrics.ratio import Array

BINS = 10
_SAMPLE = 20_000  # values of each side behind a Kolmogorov-Smirnov distance


class FeatureDrift(NamedTuple):
    """A feature's distribution in recent days against that of the training period.

    Attributes
    ----------
    psi, limit
        Population stability index, and what it exceeds by chance with probability ``tail`` if days are independent.
    unusual
        Estimated probability of so large an index without drift, from earlier periods: (1 + larger ones) / (1 + all).
    periods
        The number of earlier periods.
    distance
        Largest difference of the distribution functions.
    shift
        Difference of the medians in training interquartile ranges.
    is_drifted
        Larger than in all earlier periods, and above ``limit``.
    """

    name: str
    psi: float
    limit: float
    unusual: float
    periods: int
    distance: float
    shift: float
    is_drifted: bool


def feature_drift(
    values: npt.NDArray[np.floating],
    dates: npt.NDArray[np.datetime64],
    names: Sequence[str],
    trained_to: np.datetime64,
    recent_days: int,
    tail: float = 0.01,
) -> list[FeatureDrift]:
    """Return the drift of each feature, the most unusual first.

    Parameters
    ----------
    values, dates
        (n, F), NaN where a feature is not defined, and each row's date (n,).
    trained_to
        The last date of the training period; recent days never belong to it.
    recent_days
        Days that are compared.

    Returns
    -------
    list
        Empty if fewer than two periods of so many days precede the recent ones.
    """
    days, row = np.unique(dates.astype("datetime64[D]"), return_inverse=True)
    first_recent = len(days) - recent_days
    trained = min(int(np.searchsorted(days, trained_to.astype("datetime64[D]"), side="right")), first_recent)
    periods = max(trained, 0) // recent_days
    if periods < 2:
        return []
    is_recent, is_trained = row >= first_recent, row < trained
    period = np.where(is_trained, (trained - 1 - row) // recent_days, -1)
    period[period >= periods] = -1
    limit = psi_quantile(BINS, trained, recent_days, tail)
    found = [
        _of_feature(name, values[:, f], is_trained, is_recent, period, periods, limit) for f, name in enumerate(names)
    ]
    return sorted((one for one in found if one is not None), key=lambda one: (one.unusual, -one.psi))


def _of_feature(
    name: str,
    values: npt.NDArray[np.floating],
    is_trained: npt.NDArray[np.bool_],
    is_recent: npt.NDArray[np.bool_],
    period: npt.NDArray[np.int64],
    periods: int,
    limit: float,
) -> FeatureDrift | None:
    trained, recent = _known(values[is_trained]), _known(values[is_recent])
    edges = quantile_edges(trained, BINS)
    if not len(recent) or not len(edges):
        return None
    expected = bin_counts(trained, edges)
    now = psi(expected, bin_counts(recent, edges), are_counts=True)
    past = [psi(expected, bin_counts(values[period == k], edges), are_counts=True) for k in range(periods)]
    larger = sum(one >= now for one in past)
    low, middle, high = np.quantile(trained, (0.25, 0.5, 0.75))
    shift = float((np.median(recent) - middle) / (high - low)) if high > low else float("nan")
    distance = kolmogorov_smirnov(_thinned(trained), _thinned(recent)).distance
    unusual = (1 + larger) / (1 + periods)
    return FeatureDrift(name, now, limit, unusual, periods, distance, shift, not larger and now > limit)


def _known(values: npt.NDArray[np.floating]) -> Array:
    return np.asarray(values[np.isfinite(values)], dtype=np.float64)


def _thinned(values: Array) -> Array:
    return values[:: max(1, -(-len(values) // _SAMPLE))]
