"""The outcome of a training run for one kind of model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

SHOWN = 20  # symbols whose newest forecasts a run reports; the driver must not hold those of 100,000


@dataclass(frozen=True, slots=True)
class KindResult:
    """The outcome of one kind of model.

    Attributes
    ----------
    kind
        ``direction`` or ``volatility``.
    summary
        Scores on the test period, see ``summary`` of :class:`~training.metrics.daily.DirectionDaily`.
    per_symbol
        Scores of each trained symbol, see :mod:`training.metrics.per_symbol`; empty without test rows.
    skipped, failed
        Symbols with the reason why they were left out before training, or could not be fitted.
    periods
        First and last day of ``train``, ``valid`` and ``test``; the first day of ``train`` is empty.
    published
        ``trained_to`` and ``calibrated_to`` of the published models: the last outcomes that they have seen.
    newest
        The newest forecasts of the first :data:`SHOWN` symbols; see :func:`.newest_forecasts`.
    coverage_level
        Share of outcomes that label sets or intervals should contain.
    version, decision
        The published version, and a sentence on whether and why it was promoted to champion.
    champion
        The kind's champion after that decision, if it has one.
    seconds
        Wall time by stage.
    """

    kind: str
    summary: Mapping[str, float]
    per_symbol: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    skipped: Sequence[tuple[str, str]] = ()
    failed: Sequence[tuple[str, str]] = ()
    periods: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    published: Mapping[str, str] = field(default_factory=dict)
    newest: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    coverage_level: float | None = None
    version: str | None = None
    decision: str = ""
    champion: str | None = None
    seconds: Mapping[str, float] = field(default_factory=dict)
