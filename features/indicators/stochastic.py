"""Slow stochastic oscillator (Lane): %D, the smoothed position of the close in the window's range."""

from __future__ import annotations

import talib

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs

_SMOOTH = 3


def _compute(inputs: Inputs) -> list[Float]:
    _, percent_d = talib.STOCHF(inputs.high, inputs.low, inputs.close, inputs.layout.middle, _SMOOTH)
    return [percent_d / 50.0 - 1.0]


SPEC = FeatureSpec(
    name="stochastic",
    group="momentum",
    description="3-bar mean of the position of the close between the window's low and high, −1 to 1",
    columns=lambda layout: (f"stochastic_{layout.middle}",),
    compute=_compute,
    warmup=lambda layout: layout.middle + _SMOOTH - 2,
)
