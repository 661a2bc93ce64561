"""Money flow index (Quong and Soudack 1989), centred: money traded on rising minus falling bars."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs
from features.rolling import change, rolling_sum


def _compute(inputs: Inputs) -> list[Float]:
    money = inputs.typical * inputs.volume
    direction = np.sign(change(inputs.typical, 1))
    flow, signed = np.abs(direction) * money, direction * money
    p = inputs.layout.middle
    return [rolling_sum(signed, p) / rolling_sum(flow, p)]


SPEC = FeatureSpec(
    name="mfi",
    group="volume",
    description="money flow index, centred to −1 … 1",
    columns=lambda layout: (f"mfi_{layout.middle}",),
    compute=_compute,
    warmup=lambda layout: layout.middle,
    needs=frozenset({"volume"}),
    is_windowed=True,
)
