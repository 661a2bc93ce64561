"""The outcome of a training run for one kind of model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class KindResult:
    """The outcome of one kind of model.

    Attributes
    ----------
    kind
        ``direction`` or ``volatility``.
    summary
        Of the untouched test period, as :class:`~training.metrics.daily.DirectionDaily` and its twin give it.
    per_symbol
        Every trained symbol's scores, see :mod:`training.metrics.per_symbol`; empty for one without test rows.
    skipped, failed
        Symbol and reason: left out before training, and lost during it.
    periods
        Part (``train``, ``valid``, ``test``) to its first and last day; train has only a last one that matters.
    version, decision
        The version written, and the sentence on whether it became champion and why.
    seconds
        Wall time by stage.
    """

    kind: str
    summary: Mapping[str, float]
    per_symbol: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    skipped: Sequence[tuple[str, str]] = ()
    failed: Sequence[tuple[str, str]] = ()
    periods: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    version: str | None = None
    decision: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
