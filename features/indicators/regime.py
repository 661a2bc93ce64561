"""Volatility relative to its own history, and the volatility of volatility."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs, Layout
from features.rolling import percent_rank, rolling_var


def _columns(layout: Layout) -> tuple[str, ...]:
    return per_period(layout.longer, "volatility_percentile", "volatility_of_volatility")


def _compute(inputs: Inputs) -> list[Float]:
    bar_vol = np.sqrt(inputs.variance)
    columns = []
    for p in inputs.layout.longer:
        spread = np.sqrt(rolling_var(bar_vol, p) / inputs.mean("variance", p))
        columns += [percent_rank(inputs.ewma_vol, p) - 0.5, spread]
    return columns


SPEC = FeatureSpec(
    name="regime",
    group="microstructure",
    description="rank of EWMA volatility within the window, and the spread of bar volatility around its mean",
    columns=_columns,
    compute=_compute,
    warmup=lambda layout: layout.longer[-1],
    is_windowed=True,
)
