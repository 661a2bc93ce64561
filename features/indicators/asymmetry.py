"""Asymmetric volatility: share of the variance on down bars, and negative past returns (leverage).

Semivariance: Patton and Sheppard (2015, Rev. Econ. Stat. 97, eq. 10). Leverage: Corsi and Renò (2012, J. Business &
Economic Statistics 30, eq. 2.4), here in units of the month's volatility.
"""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs, Layout
from features.rolling import rolling_mean

_WINDOWS = (5, 22)


def _columns(layout: Layout) -> tuple[str, ...]:
    return per_period(_WINDOWS, "negative_semivariance") + per_period((1, *_WINDOWS), "leverage")


def _compute(inputs: Inputs) -> list[Float]:
    negative = np.where(inputs.returns < 0.0, inputs.variance, 0.0 * inputs.variance)
    shares = [rolling_mean(negative, w) / inputs.mean("variance", w) for w in _WINDOWS]
    daily_vol = np.sqrt(inputs.mean("variance", 22))
    falls = [np.minimum(inputs.period_return(w), 0.0) / (daily_vol * np.sqrt(w)) for w in (1, *_WINDOWS)]
    return shares + falls


SPEC = FeatureSpec(
    name="asymmetry",
    group="volatility",
    description="share of the variance on down bars, and negative past returns in units of volatility",
    columns=_columns,
    compute=_compute,
    warmup=lambda layout: _WINDOWS[-1],
    is_windowed=True,
)
