"""Beta to and correlation with the universe."""

from __future__ import annotations

from functools import partial

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs
from features.rolling import rolling_mean, rolling_var


def _compute(inputs: Inputs) -> list[Float]:
    assert inputs.market is not None
    own, market = inputs.market_returns
    product = own * market
    columns = []
    for p in inputs.layout.longer:
        own_mean = rolling_mean(own, p)
        market_mean = inputs.market.once(("mean", p), partial(rolling_mean, market, p))
        covariance = rolling_mean(product, p) - own_mean * market_mean
        market_variance = inputs.market.once(("variance", p), partial(rolling_var, market, p, market_mean))
        correlation = covariance / np.sqrt(market_variance * rolling_var(own, p, own_mean))
        columns += [covariance / market_variance, np.clip(correlation, -1.0, 1.0)]
    return columns


SPEC = FeatureSpec(
    name="beta",
    group="cross_asset",
    description="rolling beta to and correlation with the universe's equal-weight return",
    columns=lambda layout: per_period(layout.longer, "beta", "correlation"),
    compute=_compute,
    warmup=lambda layout: layout.longer[-1],
    needs=frozenset({"universe"}),
    is_windowed=True,
)
