"""The shape of one bar: gap, body, range, and the position of the close in the range."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs
from features.rolling import lag, rolling_mean


def _compute(inputs: Inputs) -> list[Float]:
    gap = np.log(inputs.open / lag(inputs.close, 1))
    spread = np.log(inputs.high / inputs.low)
    mean_spread = rolling_mean(spread, inputs.layout.middle)
    position = (2.0 * inputs.close - inputs.high - inputs.low) / (inputs.high - inputs.low)
    return [gap, np.log(inputs.close / inputs.open), position, spread / mean_spread]


SPEC = FeatureSpec(
    name="bar_shape",
    group="microstructure",
    description="overnight gap, open-to-close return, position of the close in the range, range over its mean",
    columns=lambda layout: ("gap", "intraday_return", "range_position", "range_expansion"),
    compute=_compute,
    warmup=lambda layout: layout.middle - 1,
    needs=frozenset({"range"}),
    is_windowed=True,
)
