"""Distance of the close to the rolling volume-weighted average price."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs
from features.rolling import rolling_sum


def _compute(inputs: Inputs) -> list[Float]:
    money = inputs.typical * inputs.volume
    return [np.log(inputs.close * rolling_sum(inputs.volume, p) / rolling_sum(money, p)) for p in inputs.layout.periods]


SPEC = FeatureSpec(
    name="vwap",
    group="volume",
    description="log of the close over the window's volume-weighted typical price",
    columns=lambda layout: per_period(layout.periods, "vwap_distance"),
    compute=_compute,
    warmup=lambda layout: layout.periods[-1] - 1,
    needs=frozenset({"volume"}),
    is_windowed=True,
)
