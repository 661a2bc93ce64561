"""The universe's return, and the symbol's excess return over it."""

from __future__ import annotations

from features.indicators._spec import FeatureSpec, per_period
from features.inputs import Float, Inputs, Layout
from features.rolling import change


def _market_wide(layout: Layout) -> tuple[str, ...]:
    return per_period((1, *layout.periods), "universe_return")


def _columns(layout: Layout) -> tuple[str, ...]:
    return _market_wide(layout) + per_period((1, *layout.periods), "relative_strength")


def _compute(inputs: Inputs) -> list[Float]:
    assert inputs.market is not None
    windows = (1, *inputs.layout.periods)
    market = [change(inputs.market.log_index, w) for w in windows]
    return market + [inputs.period_return(w) - m for w, m in zip(windows, market, strict=True)]


SPEC = FeatureSpec(
    name="relative_strength",
    group="cross_asset",
    description="equal-weight return of the universe over 1 bar and each period, and the symbol's return minus it",
    columns=_columns,
    compute=_compute,
    warmup=lambda layout: layout.periods[-1],
    needs=frozenset({"universe"}),
    market_wide=_market_wide,
    is_windowed=True,
)
