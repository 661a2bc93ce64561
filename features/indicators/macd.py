"""Moving average convergence/divergence (Appel), in shares of the close."""

from __future__ import annotations

import talib

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs

_FAST, _SLOW, _SIGNAL = 12, 26, 9


def _compute(inputs: Inputs) -> list[Float]:
    line, _, histogram = talib.MACD(inputs.close, _FAST, _SLOW, _SIGNAL)
    return [line / inputs.close, histogram / inputs.close]


SPEC = FeatureSpec(
    name="macd",
    group="trend",
    description="EMA(12) − EMA(26) over the close, and its distance to its own 9-bar signal line",
    columns=lambda layout: ("macd", "macd_histogram"),
    compute=_compute,
    warmup=lambda layout: _SLOW + _SIGNAL - 2,
)
