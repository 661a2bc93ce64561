"""Illiquidity (Amihud 2002, J. Financial Markets 5, eq. 1): absolute return per unit of money traded."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs
from features.rolling import rolling_mean


def _compute(inputs: Inputs) -> list[Float]:
    turnover = inputs.volume * inputs.close
    traded = turnover > 0.0
    impact = np.where(traded, np.abs(inputs.returns) / np.where(traded, turnover, 1.0), 0.0)
    # Only illiquidity relative to the symbol's mean turnover does not depend on the units of price and volume.
    typical = rolling_mean(turnover, inputs.layout.periods[-1])
    return [np.log(rolling_mean(impact, p) / rolling_mean(traded * 1.0, p) * typical) for p in inputs.layout.longer]


SPEC = FeatureSpec(
    name="amihud",
    group="microstructure",
    description="log of the mean absolute return per money traded, times the mean money traded",
    columns=lambda layout: per_period(layout.longer, "amihud"),
    compute=_compute,
    warmup=lambda layout: layout.periods[-1],
    needs=frozenset({"volume"}),
    is_windowed=True,
)
