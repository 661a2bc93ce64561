"""Figures of texts about a symbol and the market, as known at each bar; see :mod:`features.alternative`."""

from __future__ import annotations

from features.indicators._known import known_spec

SPEC = known_spec(
    name="news_sentiment",
    group="sentiment",
    description="count, novelty, tone, disagreement and attention of texts about a symbol and the market",
)
