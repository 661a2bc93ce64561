"""Exponentially weighted volatility (RiskMetrics 1996), and its ratio to a faster one."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs

_FAST_LAMBDA = 0.75
_BURN_IN = 20


def _compute(inputs: Inputs) -> list[Float]:
    slow = np.log(inputs.ewma_vol)
    return [slow, np.log(inputs.ewma(_FAST_LAMBDA)) - slow]


SPEC = FeatureSpec(
    name="ewma",
    group="volatility",
    description="log EWMA volatility (λ = 0.94), and the log ratio of a faster one (λ = 0.75) to it",
    columns=lambda layout: ("ewma_volatility", "ewma_fast_ratio"),
    compute=_compute,
    warmup=lambda layout: _BURN_IN,
    is_windowed=True,
)
