"""Williams %R, centred: the position of the close in the window's range."""

from __future__ import annotations

import talib

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs


def _compute(inputs: Inputs) -> list[Float]:
    return [talib.WILLR(inputs.high, inputs.low, inputs.close, p) / 50.0 + 1.0 for p in inputs.layout.periods]


SPEC = FeatureSpec(
    name="williams",
    group="momentum",
    description="position of the close between the window's low (−1) and high (1)",
    columns=lambda layout: per_period(layout.periods, "williams_r"),
    compute=_compute,
    warmup=lambda layout: layout.periods[-1] - 1,
    is_windowed=True,
)
