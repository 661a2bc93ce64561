"""Relative strength index (Wilder 1978), centred: 2·RSI/100 − 1."""

from __future__ import annotations

import talib

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs


def _compute(inputs: Inputs) -> list[Float]:
    # TA-Lib's CMO smooths as Wilder does, hence equals 2·RSI − 100, and is 0 rather than −100 when nothing moves.
    return [talib.CMO(inputs.close, p) / 100.0 for p in inputs.layout.periods]


SPEC = FeatureSpec(
    name="rsi",
    group="momentum",
    description="relative strength index, centred to −1 … 1",
    columns=lambda layout: per_period(layout.periods, "rsi"),
    compute=_compute,
    warmup=lambda layout: layout.periods[-1],
)
