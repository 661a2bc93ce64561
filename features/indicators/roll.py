"""Effective spread implied by bid–ask bounce (Roll 1984, J. Finance 39, eq. 4), negative where it is undefined."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs
from features.rolling import lag, rolling_mean


def _compute(inputs: Inputs) -> list[Float]:
    p = inputs.layout.periods[-1]
    mean = inputs.mean("returns", p)
    covariance = rolling_mean(inputs.returns * lag(inputs.returns, 1), p) - mean * lag(mean, 1)
    return [-2.0 * np.sign(covariance) * np.sqrt(np.abs(covariance))]


SPEC = FeatureSpec(
    name="roll",
    group="microstructure",
    description="Roll's spread 2√(−cov(r_t, r_t−1)); negative where the covariance is positive",
    columns=lambda layout: per_period(layout.periods[-1:], "roll_spread"),
    compute=_compute,
    warmup=lambda layout: layout.periods[-1] + 1,
    is_windowed=True,
)
