"""Scheduled events that had been announced, as known at each bar; see :mod:`features.alternative`."""

from __future__ import annotations

from features.indicators._known import known_spec

SPEC = known_spec(
    name="scheduled_events",
    group="events",
    description="whether an announced event comes within 1 or 5 weekdays, and days to and since it",
)
