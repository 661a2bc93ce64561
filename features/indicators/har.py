"""Lags of the heterogeneous autoregressive model (Corsi 2009, J. Financial Econometrics 7, eq. 8), in logs."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs

HAR_WINDOWS = (1, 5, 22, 66)
_FLOOR = 0.01  # of the month's mean: lower bound of a mean variance, so that the logarithm is defined


def _compute(inputs: Inputs) -> list[Float]:
    floor = _FLOOR * inputs.mean("variance", 22)
    return [np.log(np.maximum(inputs.mean("variance", w), floor)) for w in HAR_WINDOWS]


SPEC = FeatureSpec(
    name="har",
    group="volatility",
    description="log mean of the bar variance over a day, a week, a month and a quarter of bars",
    columns=lambda layout: per_period(HAR_WINDOWS, "har"),
    compute=_compute,
    warmup=lambda layout: HAR_WINDOWS[-1],
    is_windowed=True,
)
