"""Which features are distributed differently now than before a model was trained. This explains; it raises no alarm.

Features are autocorrelated and shared by symbols, so rows say less than their number: a chance limit for independent
rows would call most features drifted in any quarter. A feature is therefore compared with its own past: its index
(PSI) of the recent days must be larger than that of every earlier period of the same length, and above the chance limit
that counts a day as one row. Each period is compared with all others of the training.

With many features one of them is often the largest ever. Whether there is drift at all is therefore judged once, of all
together: by the mean rank of the recent days' indices among those of the periods. If periods are exchangeable, its
rank among the periods' own mean ranks is uniform, however features depend on each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata

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


class Drift(NamedTuple):
    """The features, the most unusual first, and the probability that they differ so much from training by chance.

    ``chance`` is at least 1 / (1 + periods); NaN if there are fewer than two earlier periods, with no features.
    """

    features: list[FeatureDrift]
    chance: float


def feature_drift(
    values: npt.NDArray[np.floating],
    dates: npt.NDArray[np.datetime64],
    names: Sequence[str],
    trained_to: np.datetime64,
    recent_days: int,
    tail: float = 0.05,
) -> Drift:
    """Return the drift of each feature and of all together.

    Parameters
    ----------
    values, dates
        (n, F), NaN where a feature is not defined, and each row's date (n,).
    trained_to
        The last date of the training period; recent days never belong to it.
    recent_days
        Days that are compared, and the length of the earlier periods.
    tail
        Of the chance limit of a feature.
    """
    days, row = np.unique(dates.astype("datetime64[D]"), return_inverse=True)
    first_recent = len(days) - recent_days
    trained = min(int(np.searchsorted(days, trained_to.astype("datetime64[D]"), side="right")), first_recent)
    periods = max(trained, 0) // recent_days
    if periods < 2:
        return Drift([], float("nan"))
    is_recent, is_trained = row >= first_recent, row < trained
    period = np.where(is_trained, (trained - 1 - row) // recent_days, -1)
    period[period >= periods] = -1
    limit = psi_quantile(BINS, trained, recent_days, tail)
    judged = [
        _of_feature(name, values[:, f], is_trained, is_recent, period, periods, limit) for f, name in enumerate(names)
    ]
    found = [one for one in judged if one is not None]
    if not found:
        return Drift([], float("nan"))
    ranks = rankdata(np.stack([index for _, index in found]), axis=1).mean(axis=0)  # the last is of the recent days
    chance = float((1 + (ranks[:-1] >= ranks[-1]).sum()) / (1 + periods))
    return Drift(sorted((one for one, _ in found), key=lambda one: (one.unusual, -one.psi)), chance)


def _of_feature(
    name: str,
    values: npt.NDArray[np.floating],
    is_trained: npt.NDArray[np.bool_],
    is_recent: npt.NDArray[np.bool_],
    period: npt.NDArray[np.int64],
    periods: int,
    limit: float,
) -> tuple[FeatureDrift, npt.NDArray[Any]] | None:
    """Return a feature's drift, and its index of each period and of the recent days; None if it says nothing."""
    trained, recent = _known(values[is_trained]), _known(values[is_recent])
    edges = quantile_edges(trained, BINS)
    if not len(recent) or not len(edges):
        return None
    expected = bin_counts(trained, edges)
    now = psi(expected, bin_counts(recent, edges), are_counts=True)
    counts = [bin_counts(values[period == k], edges) for k in range(periods)]
    past = [psi(expected - one, one, are_counts=True) for one in counts]
    larger = sum(one >= now for one in past)
    low, middle, high = np.quantile(trained, (0.25, 0.5, 0.75))
    shift = float((np.median(recent) - middle) / (high - low)) if high > low else float("nan")
    distance = kolmogorov_smirnov(_thinned(trained), _thinned(recent)).distance
    unusual = (1 + larger) / (1 + periods)
    one = FeatureDrift(name, now, limit, unusual, periods, distance, shift, not larger and now > limit)
    return one, np.array([*past, now])


def _known(values: npt.NDArray[np.floating]) -> Array:
    return np.asarray(values[np.isfinite(values)], dtype=np.float64)


def _thinned(values: Array) -> Array:
    return values[:: max(1, -(-len(values) // _SAMPLE))]
