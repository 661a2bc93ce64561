"""Volatility (HAR lags), dispersion and breadth of the universe."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.indicators.har import HAR_WINDOWS
from features.inputs import Float, Inputs, Layout
from features.rolling import rolling_mean

_OWN = "excess_volatility"


def _columns(layout: Layout) -> tuple[str, ...]:
    names = per_period(HAR_WINDOWS, "universe_har")
    short, middle = layout.periods[0], layout.middle
    return (*names, _OWN, f"dispersion_{short}", "breadth_1", f"breadth_{middle}")


def _compute(inputs: Inputs) -> list[Float]:
    market, layout = inputs.market, inputs.layout
    assert market is not None
    variance = market.volatility**2
    har = [np.log(rolling_mean(variance, w)) for w in HAR_WINDOWS]
    excess = np.log(inputs.mean("variance", HAR_WINDOWS[-2])) - har[-2]
    dispersion = np.log(rolling_mean(market.dispersion, layout.periods[0]))
    breadth = market.breadth - 0.5
    return [*har, excess, dispersion, breadth, rolling_mean(breadth, layout.middle)]


SPEC = FeatureSpec(
    name="universe_state",
    group="cross_asset",
    description="log mean universe variance over HAR windows, the symbol's excess over it, dispersion, breadth",
    columns=_columns,
    compute=_compute,
    warmup=lambda layout: max(HAR_WINDOWS[-1], layout.periods[-1]),
    needs=frozenset({"universe"}),
    market_wide=lambda layout: tuple(name for name in _columns(layout) if name != _OWN),
    is_windowed=True,
)
