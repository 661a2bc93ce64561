"""What a sweep has found, judged on a fold that no trial saw."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from configs.space import Value
from configs.values import Frozen, Kind
from tuning.objective import TrialFailed
from tuning.score import Difference, Score, difference
from tuning.space import Values
from tuning.study import TrialView

Float = npt.NDArray[np.float64]
Judge = Callable[[Sequence[Values]], "list[Score | TrialFailed]"]


class Verdict(Frozen):
    """The end of a sweep.

    ``task`` holds the settings that decide what is forecast, ``until`` is the last day that was looked at. ``trial`` is
    the one with the lowest loss on the sweep's folds that can be judged, ``values`` its settings. ``loss``,
    ``default_loss`` and ``baseline`` are of the last fold; so are ``gain``, the winner's loss less the default's, and
    ``edge``, less the baseline's. ``chosen`` says which of the two to train with: the winner only if it is better there
    too.
    ``left_out`` are symbols without a model in the sweep or on the last fold, ``unusable`` finalists that cannot be
    judged there, each with the reason.
    """

    study: str
    kind: Kind
    task: dict[str, Any] = Field(default_factory=dict)
    until: str = ""
    trial: int
    default_trial: int | None
    values: dict[str, Value]
    loss: float
    default_loss: float
    baseline: float
    gain: Difference
    edge: Difference
    chosen: str
    left_out: dict[str, str] = Field(default_factory=dict)
    unusable: dict[int, str] = Field(default_factory=dict)

    @property
    def standing(self) -> str:
        """What the last fold says of the winner against the baseline."""
        sure = self.edge.se is not None and abs(self.edge.mean) > 2 * self.edge.se
        if self.edge.mean >= 0:
            than = "WORSE than" if sure else "no better than"
        else:
            than = "better than" if sure else "not detectably better than"
        return f"the winner is {than} the baseline there (difference {self.edge.told})"

    @property
    def absences(self) -> list[str]:
        """Which symbols and finalists nothing is said of."""
        found = [f"trial {number} cannot be judged there: {reason}" for number, reason in self.unusable.items()]
        if self.left_out:
            some = "; ".join(f"{symbol}: {reason}" for symbol, reason in list(self.left_out.items())[:3])
            found.append(f"without a model, with the default settings too: {len(self.left_out)} symbols ({some})")
        return found

    @property
    def judgement(self) -> str:
        """What the last fold says of the winner."""
        if self.trial == self.default_trial:
            return "no trial was better than the default, which stays"
        if self.chosen == "default":
            return "the winner is not better there: the default stays"
        sure = self.gain.se is not None and self.gain.mean < -2 * self.gain.se
        return "the winner is better there" + ("" if sure else ", by less than two standard errors: no detectable gain")


@dataclass(frozen=True, slots=True)
class _Judged:
    """Finalists' scores on the last fold, on rows that all of them have."""

    losses: Mapping[int, Float]
    baseline: Float
    symbols: tuple[str, ...]
    symbol: npt.NDArray[np.int64]
    dates: npt.NDArray[np.datetime64]


def conclude(
    study: str, kind: Kind, trials: Sequence[TrialView], default: Values, finalists: int, horizon: int, judge: Judge
) -> Verdict:
    """Judge the best trials and the default on the last fold.

    Parameters
    ----------
    trials
        The sweep's; those of a sweep for cost as well count by their loss.
    default
        The values of the configuration that the sweep began with.
    finalists
        How many of the best trials are judged.
    judge
        Scores values on the last fold.

    Raises
    ------
    TrialFailed
        No trial is complete, or the default or all finalists cannot be scored.
    """
    whole = sorted((one for one in trials if one.state == "complete" and one.loss is not None), key=_loss)
    if not whole:
        reasons = "; ".join(sorted({one.reason for one in trials if one.reason}))[:300]
        raise TrialFailed(
            f"none of {len(trials)} trials is complete ({reasons or 'all were ended early'}). Give more of them or "
            "more time with --resume, or tune.early_stopping=false."
        )
    best = list({tuple(sorted(one.values.items())): one for one in reversed(whole)}.values())
    best = sorted(best, key=_loss)[:finalists]
    finalists_too = [one.values for one in best if one.values != default]
    scored = judge([default, *finalists_too])
    if isinstance(scored[0], TrialFailed):
        raise TrialFailed(f"the default cannot be scored on the last fold: {scored[0]}")
    others = iter(scored[1:])
    told = [(one, scored[0] if one.values == default else next(others)) for one in best]
    unusable = {one.number: str(score) for one, score in told if isinstance(score, TrialFailed)}
    usable = [(one, score) for one, score in told if isinstance(score, Score)]
    if not usable:
        raise TrialFailed(
            f"none of the best {len(best)} trials can be judged on the last fold ({next(iter(unusable.values()))}). Go "
            "on with --resume and a larger tune.finalists."
        )
    judged = _aligned({-1: scored[0]} | {one.number: score for one, score in usable})
    winner = usable[0][0]
    gain = difference(judged.dates, judged.losses[winner.number], judged.losses[-1], horizon)
    return Verdict(
        study=study,
        kind=kind,
        trial=winner.number,
        default_trial=next((one.number for one in trials if one.values == default), None),
        values=dict(winner.values),
        loss=float(judged.losses[winner.number].mean()),
        default_loss=float(judged.losses[-1].mean()),
        baseline=float(judged.baseline.mean()),
        gain=gain,
        edge=difference(judged.dates, judged.losses[winner.number], judged.baseline, horizon),
        chosen="winner" if gain.mean < 0 else "default",
        left_out={
            name: why
            for one in (*whole, *scored)
            if not isinstance(one, TrialFailed)
            for name, why in one.failed.items()
        },
        unusable=unusable,
    )


def _aligned(scores: Mapping[int, Score]) -> _Judged:
    """Return the losses on rows that all have: windows of different lengths begin at different bars."""
    keys = {number: _row_keys(score) for number, score in scores.items()}
    common = sorted(set.intersection(*(set(one) for one in keys.values())))
    if not common:
        raise TrialFailed(
            "the finalists have no rows of the last fold in common. Give longer histories or fewer folds."
        )
    first = scores[-1]
    rows = {number: np.array([one[key] for key in common], np.int64) for number, one in keys.items()}
    return _Judged(
        {number: scores[number].loss[rows[number]] for number in scores},
        first.baseline[rows[-1]],
        first.symbols,
        first.symbol[rows[-1]],
        first.dates[rows[-1]],
    )


def _row_keys(score: Score) -> dict[tuple[str, int], int]:
    stamps = score.dates.astype("datetime64[ns]").astype(np.int64).tolist()
    names = [score.symbols[i] for i in score.symbol.tolist()]
    return {key: row for row, key in enumerate(zip(names, stamps, strict=True))}


def _loss(trial: TrialView) -> float:
    assert trial.loss is not None
    return trial.loss
