"""The symbol's rank in the universe on the same date, −½ (lowest) to ½ (highest)."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs, Layout
from features.universe import rank_names


def _compute(inputs: Inputs) -> list[Float]:
    assert inputs.market is not None
    own = inputs.ranked_quantities
    missing = np.full(len(inputs.bars), np.nan)
    return [inputs.market.rank(n, own[n]) if n in own else missing for n in rank_names(inputs.layout.periods)]


def _columns(layout: Layout) -> tuple[str, ...]:
    return tuple(f"rank_{name}" for name in rank_names(layout.periods))


SPEC = FeatureSpec(
    name="rank",
    group="cross_asset",
    description="cross-sectional rank of past returns, volatility and the change in volume",
    columns=_columns,
    compute=_compute,
    warmup=lambda layout: layout.periods[-1],
    needs=frozenset({"universe"}),
    is_windowed=True,
)
