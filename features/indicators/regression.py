"""Least-squares line through the log close."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs
from features.rolling import rolling_slope


def _compute(inputs: Inputs) -> list[Float]:
    columns = []
    for p in inputs.layout.longer:
        slope = rolling_slope(inputs.log_close, p)
        # The slope explains the share R² of the variance; this is R with the sign of the slope.
        fit = slope * np.sqrt((p * p - 1) / 12.0 / inputs.spread("log_close", p))
        columns += [slope * p, fit]
    return columns


SPEC = FeatureSpec(
    name="regression",
    group="trend",
    description="rise of the regression line over the window, and the correlation of the log close with time",
    columns=lambda layout: per_period(layout.longer, "slope", "trend_fit"),
    compute=_compute,
    warmup=lambda layout: layout.longer[-1] - 1,
    is_windowed=True,
)
