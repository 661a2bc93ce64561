"""Figures of option markets, as known at each bar; see :mod:`features.alternative`."""

from __future__ import annotations

from features.indicators._known import known_spec

SPEC = known_spec(
    name="option_market",
    group="options",
    description="implied volatility, skew, term slope, volume and open interest, by symbol and of the market",
)
