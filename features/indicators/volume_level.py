"""Volume relative to its mean, and its correlation with moves."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs, Layout
from features.rolling import rolling_mean


def _columns(layout: Layout) -> tuple[str, ...]:
    longest = layout.periods[-1]
    names = per_period(layout.periods, "volume_ratio")
    return (*names, f"volume_zscore_{longest}", f"volume_trend_{longest}", f"volume_return_correlation_{longest}")


def _compute(inputs: Inputs) -> list[Float]:
    periods, volume, size = inputs.layout.periods, inputs.volume, inputs.size
    longest, means = periods[-1], [inputs.mean("volume", p) for p in periods]
    mean_volume, variance = means[-1], inputs.spread("volume", longest)
    ratios = [np.log1p(volume / mean) - np.log(2.0) for mean in means]
    zscore = (volume - mean_volume) / np.sqrt(variance)
    trend = np.log(means[0] / mean_volume)
    covariance = rolling_mean(size * volume, longest) - inputs.mean("size", longest) * mean_volume
    correlation = covariance / np.sqrt(variance * inputs.spread("size", longest))
    return [*ratios, zscore, trend, np.clip(correlation, -1.0, 1.0)]


SPEC = FeatureSpec(
    name="volume_level",
    group="volume",
    description="volume against its mean per period, its z-score, its trend, and its correlation with absolute returns",
    columns=_columns,
    compute=_compute,
    warmup=lambda layout: layout.periods[-1],
    needs=frozenset({"volume"}),
    is_windowed=True,
)
