"""Market series (VIX, yields, oil …) as known at each bar; see :mod:`features.context`."""

from __future__ import annotations

from features.indicators._known import known_spec

SPEC = known_spec(
    name="market_context",
    group="context",
    description="level, changes and 60-observation z-score of each configured market series, from its publication on",
)
