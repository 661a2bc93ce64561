"""Volatility from open, high, low and close, each as the log of an average over the window.

Parkinson (1980, J. Business 53, eq. 4), Garman and Klass (1980, J. Business 53), Rogers and Satchell (1991, Ann. Appl.
Probab. 1, eq. 1: free of drift) and Yang and Zhang (2000, J. Business 73, eq. 7: overnight, open-to-close and
Rogers–Satchell combined with the weight k that minimises the variance).
"""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs
from features.rolling import lag, rolling_mean, rolling_var


def _compute(inputs: Inputs) -> list[Float]:
    spread = np.log(inputs.high / inputs.low)
    body = np.log(inputs.close / inputs.open)
    overnight = np.log(inputs.open / lag(inputs.close, 1))
    up, down = np.log(inputs.high / inputs.open), np.log(inputs.low / inputs.open)
    p = inputs.layout.middle
    spread_square, body_square = rolling_mean(spread**2, p), rolling_mean(body**2, p)
    parkinson = spread_square / (4.0 * np.log(2.0))
    garman_klass = 0.5 * spread_square - (2.0 * np.log(2.0) - 1.0) * body_square
    rogers_satchell = rolling_mean(up * (up - body) + down * (down - body), p)
    k = 0.34 / (1.34 + (p + 1) / (p - 1))
    unbiased = p / (p - 1)
    yang_zhang = unbiased * (rolling_var(overnight, p) + k * rolling_var(body, p)) + (1.0 - k) * rogers_satchell
    return [0.5 * np.log(estimate) for estimate in (parkinson, garman_klass, rogers_satchell, yang_zhang)]


SPEC = FeatureSpec(
    name="range_estimators",
    group="volatility",
    description="log volatility by Parkinson, Garman–Klass, Rogers–Satchell and Yang–Zhang",
    columns=lambda layout: per_period((layout.middle,), "parkinson", "garman_klass", "rogers_satchell", "yang_zhang"),
    compute=_compute,
    warmup=lambda layout: layout.middle,
    needs=frozenset({"range"}),
    is_windowed=True,
)
