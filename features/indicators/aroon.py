"""Aroon oscillator (Chande 1995): how much more recent the highest high is than the lowest low."""

from __future__ import annotations

import talib

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs


def _compute(inputs: Inputs) -> list[Float]:
    return [talib.AROONOSC(inputs.high, inputs.low, p) / 100.0 for p in inputs.layout.longer]


SPEC = FeatureSpec(
    name="aroon",
    group="trend",
    description="recency of the highest high minus that of the lowest low, −1 to 1",
    columns=lambda layout: per_period(layout.longer, "aroon"),
    compute=_compute,
    warmup=lambda layout: layout.longer[-1],
    is_windowed=True,
)
