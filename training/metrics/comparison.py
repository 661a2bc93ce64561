"""Metrics by name with their errors: the model's, each baseline's, and the paired differences.

Manifests and ``--json`` hold them flat: ``log_loss``, ``log_loss_se``, ``log_loss_<baseline>``,
``log_loss_vs_<baseline>`` and so on, as :mod:`.daily_sums` writes them. Everything else reads them here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, NamedTuple


class Comparison(NamedTuple):
    """A metric, or a difference of two, and its standard error; NaN where unknown."""

    value: float
    se: float

    @property
    def is_known(self) -> bool:
        """Whether both are finite."""
        return math.isfinite(self.value) and math.isfinite(self.se)


class MetricSummary:
    """Reads a flat mapping of metrics; a value that is missing or null is NaN."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    @property
    def names(self) -> list[str]:
        """The model's metrics, in order."""
        ends = ["_se", *(f"{between}{name}" for name in self.all_baselines for between in ("_", "_vs_"))]
        derived = {f"{key}{end}" for key in self._values for end in ends}
        return [key for key in self._values if key not in derived]

    @property
    def all_baselines(self) -> list[str]:
        """Everything that any metric is compared with, sorted."""
        found = (key.partition("_vs_") for key in self._values if not key.endswith("_se"))
        return sorted({name for _, separator, name in found if separator})

    def model(self, metric: str) -> Comparison:
        """Return the model's metric."""
        return self._at(metric)

    def baseline(self, metric: str, name: str) -> Comparison:
        """Return a baseline's metric."""
        return self._at(f"{metric}_{name}")

    def difference(self, metric: str, name: str) -> Comparison:
        """Return the model's metric less a baseline's, paired by row."""
        return self._at(f"{metric}_vs_{name}")

    def has(self, metric: str) -> bool:
        """Whether the model has a metric, known or not."""
        return metric in self._values

    def compares(self, metric: str, name: str) -> bool:
        """Whether there is a difference from a baseline, known or not."""
        return f"{metric}_vs_{name}" in self._values

    def baselines(self, metric: str) -> list[str]:
        """Return all that the model is compared with by a metric, in order."""
        head = f"{metric}_vs_"
        keys = [key for key in self._values if key.startswith(head) and not key.endswith("_se")]
        return [key.removeprefix(head) for key in keys]

    def _at(self, key: str) -> Comparison:
        value, se = self._values.get(key), self._values.get(f"{key}_se")
        return Comparison(math.nan if value is None else float(value), math.nan if se is None else float(se))
