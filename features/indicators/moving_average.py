"""Distance of the close to its simple, exponential and weighted moving averages."""

from __future__ import annotations

import numpy as np
import talib

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs, Layout


def _columns(layout: Layout) -> tuple[str, ...]:
    names = per_period(layout.periods, "sma_distance")
    return names + per_period(layout.longer, "ema_distance") + per_period(layout.shorter, "wma_distance")


def _compute(inputs: Inputs) -> list[Float]:
    layout = inputs.layout
    averages = [talib.SMA(inputs.close, p) for p in layout.periods]
    averages += [talib.EMA(inputs.close, p) for p in layout.longer]
    averages += [talib.WMA(inputs.close, p) for p in layout.shorter]
    return [np.log(inputs.close / average) for average in averages]


SPEC = FeatureSpec(
    name="moving_average",
    group="trend",
    description="log of the close over its simple, exponential and linearly weighted moving average",
    columns=_columns,
    compute=_compute,
    warmup=lambda layout: layout.periods[-1] - 1,
)
