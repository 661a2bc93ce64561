"""Directional movement (Wilder 1978, New Concepts in Technical Trading Systems)."""

from __future__ import annotations

import talib

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs


def _compute(inputs: Inputs) -> list[Float]:
    period = inputs.layout.middle
    bars = (inputs.high, inputs.low, inputs.close, period)
    return [talib.ADX(*bars) / 100.0, (talib.PLUS_DI(*bars) - talib.MINUS_DI(*bars)) / 100.0]


SPEC = FeatureSpec(
    name="adx",
    group="trend",
    description="average directional index (strength of a trend, 0 to 1) and +DI − −DI (its direction)",
    columns=lambda layout: (f"adx_{layout.middle}", f"directional_{layout.middle}"),
    compute=_compute,
    warmup=lambda layout: 2 * layout.middle - 1,
)
