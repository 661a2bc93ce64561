"""Whether skill holds through time: the difference from a baseline by window, its trend, and who was best when."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from training.metrics.comparison import Comparison, MetricSummary
from training.tasks import task_of

_MIN_WINDOWS = 3


def trend(differences: Sequence[Comparison]) -> Comparison:
    """Return by how much a difference grows per window, and its standard error, by weighted least squares.

    Windows are weighted by the inverse of their squared errors, so the error assumes that windows are independent.
    NaN for fewer than three windows with a known difference.

    Examples
    --------
    >>> found = trend([Comparison(0.01 * i, 0.02) for i in range(12)])
    >>> round(found.value, 4), round(found.se, 4)
    (0.01, 0.0017)
    """
    known = [(i, one) for i, one in enumerate(differences) if one.is_known and one.se > 0]
    if len(known) < _MIN_WINDOWS:
        return Comparison(math.nan, math.nan)
    x = np.array([i for i, _ in known], np.float64)
    y = np.array([one.value for _, one in known])
    weight = np.array([one.se**-2.0 for _, one in known])
    centred = x - np.average(x, weights=weight)
    spread = float(weight @ centred**2)
    return Comparison(float(weight @ (centred * y)) / spread, spread**-0.5)


def best_by_window(kind: str, metrics: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Return in how many windows the model and each baseline had the lowest mean loss; ``model`` wins ties."""
    task, found = task_of(kind), Counter[str]()
    for window in metrics:
        summary = MetricSummary(window)
        losses = {"model": summary.model(task.loss).value}
        losses |= {name: summary.baseline(task.loss, name).value for name, _ in task.layout.references}
        known = {name: loss for name, loss in losses.items() if math.isfinite(loss)}
        if "model" in known:
            found[min(known, key=lambda name: (known[name], name != "model"))] += 1
    return found
