"""Bollinger bands of the log close: its position in the bands, and their width."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs


def _compute(inputs: Inputs) -> list[Float]:
    columns = []
    for p in inputs.layout.longer:
        mean = inputs.mean("log_close", p)
        deviation = np.sqrt(inputs.spread("log_close", p))
        columns += [(inputs.log_close - mean) / deviation, np.log(deviation)]
    return columns


SPEC = FeatureSpec(
    name="bollinger",
    group="volatility",
    description="z-score of the log close in the window, and the log of its standard deviation",
    columns=lambda layout: per_period(layout.longer, "bollinger_position", "bollinger_width"),
    compute=_compute,
    warmup=lambda layout: layout.longer[-1] - 1,
    is_windowed=True,
)
