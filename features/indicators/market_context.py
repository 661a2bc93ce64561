"""Market series (VIX, yields, oil …) as known at each bar; see :mod:`features.context`."""

from __future__ import annotations

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs


def _compute(inputs: Inputs) -> list[Float]:
    assert inputs.context is not None
    return list(inputs.context.at(inputs.bars.dates).T)


SPEC = FeatureSpec(
    name="market_context",
    group="context",
    description="level, changes and 60-observation z-score of each configured market series, lagged by its release",
    columns=lambda layout: layout.context,
    compute=_compute,
    warmup=lambda layout: 0,
    needs=frozenset({"context"}),
    market_wide=lambda layout: layout.context,
    is_windowed=True,
)
