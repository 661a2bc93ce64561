"""Weather by place, as known at each bar; see :mod:`features.alternative`."""

from __future__ import annotations

from features.indicators._known import known_spec

SPEC = known_spec(
    name="weather_series",
    group="weather",
    description="changes and 60-observation z-score of weather series by place, and the age of the newest value",
)
