"""Commodity channel index (Lambert 1980), in units of 100."""

from __future__ import annotations

import talib

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs


def _compute(inputs: Inputs) -> list[Float]:
    return [talib.CCI(inputs.high, inputs.low, inputs.close, inputs.layout.middle) / 100.0]


SPEC = FeatureSpec(
    name="cci",
    group="momentum",
    description="distance of the typical price to its mean in mean absolute deviations",
    columns=lambda layout: (f"cci_{layout.middle}",),
    compute=_compute,
    warmup=lambda layout: layout.middle - 1,
)
