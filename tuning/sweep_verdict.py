"""The verdict of a sweep: its winner, the default and the baseline compared on a fold that scored no trial."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from configs.space import Value
from configs.values import Frozen, Kind
from configs.words import counted
from tuning.objective import TrialFailed
from tuning.score import Difference, Float, Score, difference
from tuning.space import Values
from tuning.trial_view import TrialView

Judge = Callable[[Sequence[Values]], "list[Score | TrialFailed]"]


class SweepVerdict(Frozen):
    """The result of a sweep, stored as ``verdict.json``.

    ``task`` holds the settings that decide what is forecast, ``until`` is the last day that the sweep used. ``trial``
    is the winner: of the trials that have a score on the last fold, the one with the lowest loss on the sweep's folds;
    ``values`` are its settings. All losses are of the last fold: ``loss``, ``default_loss`` and ``baseline``, ``gain``,
    the winner's less the default's, and ``edge``, the winner's less the baseline's. ``chosen`` names the settings to
    train with: the winner's only if its loss is lower than the default's there too.
    ``tied`` is the number of trials if all score the same: then there is no winner, ``trial`` is any of them, and
    all figures are the default's.
    ``left_out`` are symbols without a model in the sweep or on the last fold, ``unusable`` finalists without a score
    on the last fold, each with the reason.
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
    tied: int = 0
    left_out: dict[str, str] = Field(default_factory=dict)
    unusable: dict[int, str] = Field(default_factory=dict)

    @property
    def default_comparison(self) -> str:
        """The winner compared with the default on the last fold, in words."""
        if self.tied:
            return (
                f"all {self.tied} trials score the same, so what was varied makes no difference here: there is no "
                "winner, and the default stays"
            )
        if self.trial == self.default_trial:
            return "no trial was better than the default, which stays"
        if self.chosen == "default":
            return "the winner is not better there: the default stays"
        sure = self.gain.se is not None and self.gain.mean < -2 * self.gain.se
        return "the winner is better there" + ("" if sure else ", by less than two standard errors: no detectable gain")

    @property
    def baseline_comparison(self) -> str:
        """The winner compared with the baseline on the last fold, in words."""
        sure = self.edge.se is not None and abs(self.edge.mean) > 2 * self.edge.se
        if self.edge.mean >= 0:
            than = "WORSE than" if sure else "no better than"
        else:
            than = "better than" if sure else "not detectably better than"
        subject = "the default" if self.tied else "the winner"
        return f"{subject} is {than} the baseline there (difference {self.edge})"

    @property
    def exclusions(self) -> list[str]:
        """A line for each finalist without a score, and one for the symbols without a model."""
        lines = [f"trial {number} cannot be scored there: {reason}" for number, reason in self.unusable.items()]
        if self.left_out:
            examples = "; ".join(f"{symbol}: {reason}" for symbol, reason in list(self.left_out.items())[:3])
            lines.append(
                f"without a model, with the default settings too: {counted(len(self.left_out), 'symbol')} ({examples})"
            )
        return lines


@dataclass(frozen=True, slots=True)
class _CommonRows:
    """Losses (rows,) of the default and the finalists on rows of the last fold that all of them have."""

    losses: Mapping[int, Float]
    baseline: Float
    dates: npt.NDArray[np.datetime64]


_SAME = 1e-9  # of a loss
_DEFAULT = -1  # its key among the finalists' trial numbers


def conclude(
    study: str, kind: Kind, trials: Sequence[TrialView], default: Values, finalists: int, horizon: int, judge: Judge
) -> SweepVerdict:
    """Score the default and the best trials on the last fold, and return the verdict.

    Parameters
    ----------
    trials
        The sweep's; those of a sweep with two objectives are ranked by their loss.
    default
        The values of the configuration that the sweep started from.
    finalists
        How many of the best trials are scored.
    judge
        Scores values on the last fold.

    Raises
    ------
    TrialFailed
        No trial is complete, or the default or all finalists have no score.
    """
    complete = sorted((trial for trial in trials if trial.state == "complete" and trial.loss is not None), key=_loss)
    if not complete:
        reasons = "; ".join(sorted({trial.reason for trial in trials if trial.reason}))[:300]
        raise TrialFailed(
            f"none of {len(trials)} trials is complete ({reasons or 'all were ended early'}). Give more of them or "
            "more time with --resume, or tune.early_stopping=false."
        )
    tied = len(complete) if _score_the_same(complete) else 0
    distinct = {tuple(sorted(trial.values.items())): trial for trial in reversed(complete)}.values()
    best = sorted(distinct, key=_loss)[:finalists]
    default_score, *scores = judge([default, *(trial.values for trial in best if trial.values != default)])
    if isinstance(default_score, TrialFailed):
        raise TrialFailed(f"the default cannot be scored on the last fold: {default_score}")
    remaining = iter(scores)
    scored = [(trial, default_score if trial.values == default else next(remaining)) for trial in best]
    unusable = {trial.number: str(score) for trial, score in scored if isinstance(score, TrialFailed)}
    usable = [(trial, score) for trial, score in scored if isinstance(score, Score)]
    if not usable:
        raise TrialFailed(
            f"none of the best {len(best)} trials can be scored on the last fold ({next(iter(unusable.values()))}). "
            "Continue with --resume and a larger tune.finalists."
        )
    common = _common_rows({_DEFAULT: default_score} | {trial.number: score for trial, score in usable})
    winner = usable[0][0]
    default_loss = common.losses[_DEFAULT]
    loss = default_loss if tied else common.losses[winner.number]
    gain = difference(common.dates, loss, default_loss, horizon)
    return SweepVerdict(
        study=study,
        kind=kind,
        trial=winner.number,
        default_trial=next((trial.number for trial in trials if trial.values == default), None),
        values=dict(winner.values),
        loss=float(loss.mean()),
        default_loss=float(default_loss.mean()),
        baseline=float(common.baseline.mean()),
        gain=gain,
        edge=difference(common.dates, loss, common.baseline, horizon),
        chosen="winner" if gain.mean < 0 and not tied else "default",
        tied=tied,
        left_out={
            symbol: reason
            for found in (*complete, default_score, *scores)
            if not isinstance(found, TrialFailed)
            for symbol, reason in found.failed.items()
        },
        unusable=unusable,
    )


def _score_the_same(trials: Sequence[TrialView]) -> bool:
    """Whether trials of different settings, sorted by loss, have one loss up to rounding."""
    low, high = _loss(trials[0]), _loss(trials[-1])
    return any(trial.values != trials[0].values for trial in trials) and high - low <= _SAME * abs(low)


def _common_rows(scores: Mapping[int, Score]) -> _CommonRows:
    """Return the losses on rows that all scores have: windows of different lengths start at different bars."""
    keys = {number: _row_keys(score) for number, score in scores.items()}
    common = sorted(set.intersection(*map(set, keys.values())))
    if not common:
        raise TrialFailed(
            "the finalists have no rows of the last fold in common. Give longer histories or fewer folds."
        )
    rows = {number: np.array([positions[key] for key in common], np.int64) for number, positions in keys.items()}
    default, default_rows = scores[_DEFAULT], rows[_DEFAULT]
    losses = {number: score.loss[rows[number]] for number, score in scores.items()}
    return _CommonRows(losses, default.baseline[default_rows], default.dates[default_rows])


def _row_keys(score: Score) -> dict[tuple[str, int], int]:
    """Return the position of each row by its symbol and time."""
    stamps = score.dates.astype("datetime64[ns]").astype(np.int64).tolist()
    names = [score.symbols[i] for i in score.symbol.tolist()]
    return {key: row for row, key in enumerate(zip(names, stamps, strict=True))}


def _loss(trial: TrialView) -> float:
    assert trial.loss is not None
    return trial.loss
