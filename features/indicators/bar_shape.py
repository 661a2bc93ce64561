"""The shape of one bar: gap, body, range, and where in its range it closed."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs
from features.rolling import lag, rolling_mean


def _compute(inputs: Inputs) -> list[Float]:
    gap = np.log(inputs.open / lag(inputs.close, 1))
    spread = np.log(inputs.high / inputs.low)
    usual = rolling_mean(spread, inputs.layout.middle)
    place = (2.0 * inputs.close - inputs.high - inputs.low) / (inputs.high - inputs.low)
    return [gap, np.log(inputs.close / inputs.open), place, spread / usual]


SPEC = FeatureSpec(
    name="bar_shape",
    group="microstructure",
    description="overnight gap, open-to-close return, close's place in the bar's range, range against its usual size",
    columns=lambda layout: ("gap", "intraday_return", "range_position", "range_expansion"),
    compute=_compute,
    warmup=lambda layout: layout.middle - 1,
    needs=frozenset({"range"}),
)
