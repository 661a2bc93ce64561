"""Percentile and drawdown of the close."""

from __future__ import annotations

import numpy as np
import talib

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs, Layout
from features.rolling import percent_rank


def _columns(layout: Layout) -> tuple[str, ...]:
    return per_period(layout.longer, "price_percentile", "drawdown")


def _compute(inputs: Inputs) -> list[Float]:
    columns = []
    for p in inputs.layout.longer:
        columns += [percent_rank(inputs.close, p) - 0.5, np.log(inputs.close / talib.MAX(inputs.close, p))]
    return columns


SPEC = FeatureSpec(
    name="price_level",
    group="microstructure",
    description="percentile of the close within the window, and its log distance to the window's highest close",
    columns=_columns,
    compute=_compute,
    warmup=lambda layout: layout.longer[-1] - 1,
    is_windowed=True,
)
