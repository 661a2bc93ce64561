"""Economic series by vintage, as known at each bar; see :mod:`features.alternative`."""

from __future__ import annotations

from features.indicators._known import known_spec

SPEC = known_spec(
    name="economic_series",
    group="macro",
    description="changes and 60-observation z-score of economic series, by vintage, and the age of the newest value",
)
