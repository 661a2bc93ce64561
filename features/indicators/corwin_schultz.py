"""Bid–ask spread from highs and lows (Corwin and Schultz 2012, J. Finance 67, eq. 14 and 18)."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs
from features.rolling import lag, rolling_mean

_K = 3.0 - 2.0 * np.sqrt(2.0)


def _compute(inputs: Inputs) -> list[Float]:
    high, low, before = np.log(inputs.high), np.log(inputs.low), lag(inputs.log_close, 1)
    # An overnight gap is not part of the spread: shift the range back to the previous close (section II.B).
    shift = np.maximum(low - before, 0.0) + np.minimum(high - before, 0.0)
    high, low = high - shift, low - shift
    beta = (high - low) ** 2 + lag(high - low, 1) ** 2
    gamma = (np.maximum(high, lag(high, 1)) - np.minimum(low, lag(low, 1))) ** 2
    alpha = np.sqrt(beta) * (np.sqrt(2.0) - 1.0) / _K - np.sqrt(gamma / _K)
    spread = np.maximum(2.0 * np.tanh(alpha / 2.0), 0.0)
    return [rolling_mean(spread, inputs.layout.periods[-1])]


SPEC = FeatureSpec(
    name="corwin_schultz",
    group="microstructure",
    description="mean high–low estimate of the bid–ask spread, as a share of the price",
    columns=lambda layout: per_period(layout.periods[-1:], "corwin_schultz"),
    compute=_compute,
    warmup=lambda layout: layout.periods[-1] + 1,
    needs=frozenset({"range"}),
    is_windowed=True,
)
