"""Past returns: raw, and in units of their own volatility."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs, Layout


def _columns(layout: Layout) -> tuple[str, ...]:
    return per_period((1, *layout.periods), "roc") + per_period(layout.longer, "momentum_t")


def _compute(inputs: Inputs) -> list[Float]:
    rates = [inputs.period_return(p) for p in (1, *inputs.layout.periods)]
    scaled = [
        inputs.period_return(p) / (np.sqrt(inputs.spread("returns", p)) * np.sqrt(p)) for p in inputs.layout.longer
    ]
    return rates + scaled


SPEC = FeatureSpec(
    name="rate_of_change",
    group="momentum",
    description="log return over 1 bar and each period, and its t-statistic over the longer ones",
    columns=_columns,
    compute=_compute,
    warmup=lambda layout: layout.periods[-1],
    is_windowed=True,
)
