"""Autocorrelation of absolute returns (volatility clustering) and of returns."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs, Series
from features.rolling import lag, rolling_mean


def _autocorrelation(inputs: Inputs, series: Series, window: int) -> Float:
    """Return the lag-1 autocorrelation, each side with the mean and variance of its own window."""
    x, mean, variance = getattr(inputs, series), inputs.mean(series, window), inputs.spread(series, window)
    covariance = rolling_mean(x * lag(x, 1), window) - mean * lag(mean, 1)
    return np.clip(covariance / np.sqrt(variance * lag(variance, 1)), -1.0, 1.0)


def _compute(inputs: Inputs) -> list[Float]:
    longest = inputs.layout.periods[-1]
    return [_autocorrelation(inputs, "size", longest), _autocorrelation(inputs, "returns", longest)]


SPEC = FeatureSpec(
    name="clustering",
    group="microstructure",
    description="lag-1 autocorrelation of absolute returns (volatility clustering) and of returns",
    columns=lambda layout: per_period(layout.periods[-1:], "volatility_clustering", "return_autocorrelation"),
    compute=_compute,
    warmup=lambda layout: layout.periods[-1] + 1,
    is_windowed=True,
)
