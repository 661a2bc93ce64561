"""What a sweep has found, judged on a fold that no trial saw: shared settings, and each symbol's own."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from pydantic import Field, model_validator

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
    too. ``own`` maps symbols to other trials that suit them better on the sweep's folds, of symbols that the last fold
    has rows of and trials that vary what the winner does; ``own_values`` holds these trials' settings, ``own_gain`` is
    what that changes on the last fold against the shared winner, and ``own_helps`` whether it is more than twice its
    standard error better; ``repeats`` is the share of differences between symbols that repeats from fold to fold.
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
    own: dict[str, int] = Field(default_factory=dict)
    own_values: dict[int, dict[str, Value]] = Field(default_factory=dict)
    own_gain: Difference | None = None
    own_helps: bool = False
    repeats: float = 0.0
    left_out: dict[str, str] = Field(default_factory=dict)
    unusable: dict[int, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _own_settings_are_known(self) -> Self:
        if self.own_helps and not self.own_values.keys() >= set(self.own.values()):
            raise ValueError("settings of symbols' own are told by trial, and not what they are")
        return self

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
    def uses_own(self) -> bool:
        """Whether symbols are to be trained with settings of their own: they are better than those that all share."""
        return self.own_helps and (self.chosen == "winner" or self.trial == self.default_trial)

    @property
    def own_judgement(self) -> str:
        """What the last fold says of settings of symbols' own."""
        if self.own_gain is None:
            return "settings of their own would suit no symbol better than the shared ones"
        helps = (
            "better, beyond two standard errors: `train --study` gives them theirs"
            if self.uses_own
            else "better, beyond two standard errors, but than a winner that is not used: all share the default's"
            if self.own_helps
            else "no detectable gain, so all share their settings"
        )
        one = len(self.own) == 1
        return (
            f"{len(self.own)} symbol{'' if one else 's'} would rather have another trial's settings "
            f"({self.repeats:.0%} of such differences repeat from fold to fold); on the last fold that changes "
            f"{self.own_gain.told}: {helps}"
        )

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
        How many of the best trials symbols may choose from.
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
    own, repeats = own_choices([one for one, _ in usable if one.values.keys() == winner.values.keys()])
    seen = {judged.symbols[i] for i in np.unique(judged.symbol).tolist()}
    own = {symbol: number for symbol, number in own.items() if symbol in seen}
    verdict = Verdict(
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
        own=own,
        own_values={one.number: dict(one.values) for one, _ in usable if one.number in own.values()},
        repeats=repeats,
        left_out={
            name: why
            for one in (*whole, *scored)
            if not isinstance(one, TrialFailed)
            for name, why in one.failed.items()
        },
        unusable=unusable,
    )
    if not own:
        return verdict
    numbers = np.array([own.get(name, winner.number) for name in judged.symbols])[judged.symbol]
    mixed = np.select([numbers == number for number in judged.losses], list(judged.losses.values()))
    found = difference(judged.dates, mixed, judged.losses[winner.number], horizon)
    helps = found.se is not None and found.mean < -2 * found.se
    return verdict.model_copy(update={"own_gain": found, "own_helps": helps})


def own_choices(best: Sequence[TrialView]) -> tuple[dict[str, int], float]:
    """Return the symbols that another than the best trial suits better, and the share of differences that repeats.

    A symbol's difference from the best trial is mostly noise. What repeats from fold to fold is not: the covariance
    between folds over the symbols, as a share of the variance of their means, shrinks each difference towards the mean
    over all symbols. With one fold nothing is known to repeat, so every symbol keeps the shared trial.

    References
    ----------
    Efron & Morris (1975). Data analysis using Stein's estimator. JASA 70, 311-319.
    """
    tables = [one.by_symbol for one in best]
    if len(best) < 2 or min(map(len, tables)) < 2:
        return {}, 0.0
    names = sorted(set.intersection(*(set(fold) for table in tables for fold in table)))
    if len(names) < 3:
        return {}, 0.0
    losses = np.array(
        [[[fold[name] for name in names] for fold in table] for table in tables]
    )  # trials, folds, symbols
    apart = losses[1:] - losses[:1]
    centred = apart - apart.mean(axis=2, keepdims=True)
    folds = centred.shape[1]
    total = (centred.sum(axis=1) ** 2).mean()  # sums over pairs of folds, equal ones included
    same = (centred**2).sum(axis=1).mean()
    share = float(np.clip((total - same) / (folds * (folds - 1)) / max(total / folds**2, 1e-300), 0.0, 1.0))
    means = apart.mean(axis=1)
    # Nobody is better than the winner on the whole, though a mean in which symbols count alike may say so.
    common = np.maximum(means.mean(axis=1, keepdims=True), 0.0)
    shrunken = common + share * (means - means.mean(axis=1, keepdims=True))
    chosen = shrunken.argmin(axis=0)
    better = shrunken.min(axis=0) < 0
    picked = {name: best[1 + i].number for name, i, good in zip(names, chosen, better, strict=True) if good}
    return picked, share


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
