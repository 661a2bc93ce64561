"""Average true range (Wilder 1978) over the close, in logs."""

from __future__ import annotations

import numpy as np
import talib

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs


def _compute(inputs: Inputs) -> list[Float]:
    bars = (inputs.high, inputs.low, inputs.close)
    return [np.log(talib.ATR(*bars, p) / inputs.close) for p in inputs.layout.shorter]


SPEC = FeatureSpec(
    name="atr",
    group="volatility",
    description="log of the average true range over the close",
    columns=lambda layout: per_period(layout.shorter, "atr"),
    compute=_compute,
    warmup=lambda layout: layout.shorter[-1],
)
