"""Moving average convergence/divergence (Appel) of the log close, hence independent of the price level."""

from __future__ import annotations

import talib

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs

_FAST, _SLOW, _SIGNAL = 12, 26, 9


def _compute(inputs: Inputs) -> list[Float]:
    line, _, histogram = talib.MACD(inputs.log_close, _FAST, _SLOW, _SIGNAL)
    return [line, histogram]


SPEC = FeatureSpec(
    name="macd",
    group="trend",
    description="EMA(12) − EMA(26) of the log close, and its distance to its own 9-bar signal line",
    columns=lambda layout: ("macd", "macd_histogram"),
    compute=_compute,
    warmup=lambda layout: _SLOW + _SIGNAL - 2,
)
