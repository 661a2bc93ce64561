"""Slope of on-balance volume (Granville 1963), in units of the mean volume."""

from __future__ import annotations

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs
from features.rolling import rolling_slope


def _compute(inputs: Inputs) -> list[Float]:
    return [rolling_slope(inputs.balance, p) / inputs.mean("volume", p) for p in inputs.layout.longer]


SPEC = FeatureSpec(
    name="obv",
    group="volume",
    description="slope of on-balance volume per bar over the mean volume",
    columns=lambda layout: per_period(layout.longer, "obv_slope"),
    compute=_compute,
    warmup=lambda layout: layout.longer[-1] - 1,
    needs=frozenset({"volume"}),
    is_windowed=True,
)
