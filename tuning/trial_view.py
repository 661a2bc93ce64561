"""A finished trial as plain values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from optuna.trial import FrozenTrial, TrialState

from tuning.score import Difference
from tuning.space import Values


@dataclass(frozen=True, slots=True)
class TrialView:
    """A finished trial.

    ``state`` is ``complete``, ``pruned`` or ``fail``; ``reason`` says why it failed. ``loss``, ``baseline``, ``edge``,
    ``by_symbol``, ``failed`` and ``seconds`` are those of its :class:`~tuning.score.Outcome`; a trial that is not
    complete has none. ``curve`` maps epochs of its first fit to validation losses.
    """

    number: int
    state: str
    values: Values
    loss: float | None
    baseline: float | None
    by_symbol: tuple[dict[str, float], ...]
    curve: dict[int, float]
    seconds: float | None
    reason: str
    ended: datetime | None = None
    edge: Difference | None = None
    failed: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, trial: FrozenTrial) -> TrialView:
        """Return the view of an Optuna trial."""
        attributes, complete = trial.user_attrs, trial.state == TrialState.COMPLETE
        return cls(
            trial.number,
            trial.state.name.lower(),
            dict(trial.params),
            trial.values[0] if complete and trial.values else None,
            attributes.get("baseline"),
            tuple(attributes.get("by_symbol", ())),
            dict(trial.intermediate_values),
            attributes.get("seconds"),
            attributes.get("reason", ""),
            trial.datetime_complete,
            Difference(**attributes["edge"]) if "edge" in attributes else None,
            attributes.get("failed", {}),
        )


def varied(trials: Sequence[TrialView]) -> list[str]:
    """Return the paths of the settings that have several values among the complete trials, sorted."""
    complete = [trial.values for trial in trials if trial.loss is not None]
    paths = sorted({path for values in complete for path in values})
    return [path for path in paths if len({values.get(path) for values in complete}) > 1]
