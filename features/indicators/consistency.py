"""Trend consistency: efficiency ratio, and the balance of up and down bars."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs
from features.rolling import rolling_mean, rolling_sum


def _compute(inputs: Inputs) -> list[Float]:
    sign = np.sign(inputs.returns)
    columns = []
    for p in inputs.layout.longer:
        columns += [inputs.period_return(p) / rolling_sum(inputs.size, p), rolling_mean(sign, p)]
    return columns


SPEC = FeatureSpec(
    name="consistency",
    group="microstructure",
    description="signed efficiency ratio (Kaufman: net move over path length), and up bars minus down bars",
    columns=lambda layout: per_period(layout.longer, "trend_efficiency", "trend_consistency"),
    compute=_compute,
    warmup=lambda layout: layout.longer[-1],
    is_windowed=True,
)
