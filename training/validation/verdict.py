"""What a version's own test period says of it: better or worse than each baseline, or no detectable difference."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from training.metrics.comparison import MetricSummary
from training.tasks import task_of

ERRORS = 2.0  # standard errors from which a difference counts
MATERIAL_COVERAGE = 5e-3  # a smaller distance from the nominal level is none
MATERIAL = 1e-3  # of the baseline's loss: a smaller difference is none, however sure its sign

Status = Literal["better", "worse", "no detectable edge", "not tested"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a version compares with its baselines on its test period.

    ``worse_than`` and ``better_than`` name those whose headline loss differs by over two standard errors and by more
    than a thousandth. ``status`` is ``worse`` if any baseline is better, ``better`` if the model is better than each,
    ``not tested`` where no baseline could be compared with.
    """

    status: Status
    better_than: tuple[str, ...]
    worse_than: tuple[str, ...]

    def __str__(self) -> str:
        """Return the verdict as a person reads it."""
        parts: list[str] = [self.status]
        if self.worse_than:
            parts = [f"worse than {', '.join(self.worse_than)}"]
        if self.better_than:
            parts.append(f"better than {', '.join(self.better_than)}")
        return "; ".join(parts if self.status != "better" else parts[1:])


def coverage_verdict(coverage: float, error: float, level: float) -> str:
    """Return whether sets or intervals contain as many outcomes as they should: a sentence's end.

    Examples
    --------
    >>> coverage_verdict(0.881, 0.006, 0.9)
    'too low by 3.2 standard errors'
    """
    difference = coverage - level
    if not math.isfinite(error):
        return "too few test days to tell"
    if abs(difference) < MATERIAL_COVERAGE or abs(difference) <= ERRORS * error:
        return "as intended"
    word = "too low" if difference < 0 else "too high"
    return f"{word} by {abs(difference) / error:.1f} standard errors" if error else word


def verdict(kind: str, metrics: Mapping[str, Any]) -> Verdict:
    """Return the verdict of a kind's test metrics, as :mod:`training.metrics.daily` names them."""
    task, summary = task_of(kind), MetricSummary(metrics)
    better, worse, compared = list[str](), list[str](), 0
    for name, _ in task.layout.references:
        difference, loss = summary.difference(task.loss, name), summary.baseline(task.loss, name).value
        if not difference.is_known:
            continue
        compared += 1
        if abs(difference.value) < MATERIAL * loss:
            continue
        if abs(difference.value) > ERRORS * difference.se:
            (worse if difference.value > 0 else better).append(name)
    status: Status = "worse" if worse else "not tested" if not compared else "no detectable edge"
    if compared and len(better) == compared:
        status = "better"
    return Verdict(status, tuple(better), tuple(worse))
