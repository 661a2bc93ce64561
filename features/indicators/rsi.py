"""Relative strength index (Wilder 1978), centred: 2·RSI/100 − 1."""

from __future__ import annotations

import talib

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs


def _compute(inputs: Inputs) -> list[Float]:
    # TA-Lib's CMO uses Wilder's smoothing, so it equals 2·RSI − 100, but is 0 instead of −100 for a constant price.
    return [talib.CMO(inputs.close, p) / 100.0 for p in inputs.layout.periods]


SPEC = FeatureSpec(
    name="rsi",
    group="momentum",
    description="relative strength index, centred to −1 … 1",
    columns=lambda layout: per_period(layout.periods, "rsi"),
    compute=_compute,
    warmup=lambda layout: layout.periods[-1],
)
