"""What a group of features adds to forecasts: losses with and without it on the same rows, in numbers and words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from configs.words import counted, signed
from training.metrics.comparison import Comparison
from training.tasks import task_of
from training.validation.verdict import ERRORS, MATERIAL

_NEVER = 0.005  # a share of rows that is shown as 0 %


@dataclass(frozen=True, slots=True)
class GroupEffect:
    """The losses of a kind's models with and without some groups of features, on the same rows.

    Attributes
    ----------
    kind
        ``direction`` or ``volatility``.
    groups
        The groups that were left out, such as ``("macro",)``.
    with_groups, without_groups
        Mean loss per row of the models with all features, and of those fitted without these groups: log loss or QLIKE,
        lower is better.
    difference
        ``with_groups`` less ``without_groups``, paired by row, and its standard error, clustered by day for the overlap
        of horizons. Negative: the groups add something.
    symbols, rows, days
        What was scored.
    known
        Share of the scored rows at which a feature of these groups had a value.
    known_in_training
        The same of the bars up to the end of training.
    """

    kind: str
    groups: tuple[str, ...]
    with_groups: float
    without_groups: float
    difference: Comparison
    symbols: int
    rows: int
    days: int
    known: float
    known_in_training: float

    @property
    def is_judged(self) -> bool:
        """Whether the difference says anything: its error is known, and the groups had values to learn and to use."""
        shares = self.known_in_training, self.known
        return bool(self.rows) and math.isfinite(self.difference.se) and min(shares) >= _NEVER

    @property
    def sentence(self) -> str:
        """Whether the groups add something, in words."""
        name, loss = " with ".join(self.groups), task_of(self.kind).loss_title
        value, error = self.difference
        if not self.rows:
            return f"{name}: no row was scored with and without it"
        shown = f"{loss} {signed(value, 5)} ± {error:.5f}"
        for share, where in ((self.known_in_training, "in training"), (self.known, "on the scored rows")):
            if share < _NEVER:
                return f"{name} cannot be judged: it has no value {where}, so that the difference is chance ({shown})"
        if not math.isfinite(error):
            return f"{name}: too few days to judge ({loss} {signed(value, 5)})"
        if abs(value) <= ERRORS * error:
            return f"{name} adds nothing detectable ({shown})"
        if abs(value) < MATERIAL * self.without_groups:
            return f"{name} adds nothing that matters ({shown}, under {MATERIAL:.1%} of the loss)"
        change = f"{abs(value) / self.without_groups:.1%}"
        return f"{name} lowers {loss} by {change} ({shown})" if value < 0 else f"WORSE: {name} costs {change} ({shown})"


def chance_line(effects: Sequence[GroupEffect]) -> str:
    """Return how many differences are large, how many would be if no group added anything, and how many stay large.

    The sentences of effects judge each difference as if it were the only one. With a few groups and kinds some are
    large by chance, so the limit of Bonferroni's correction is stated too: if no group adds anything, any difference
    exceeds it with at most the probability with which a single one exceeds two standard errors. Differences that
    cannot be judged are not counted.
    """
    judged = [one.difference for one in effects if one.is_judged]
    count, chance = len(judged), math.erfc(ERRORS / math.sqrt(2.0))
    if not count:
        return "no difference can be judged"
    large = _exceeding(judged, ERRORS)
    if count == 1:
        return (
            f"the only difference {'exceeds' if large else 'does not exceed'} {ERRORS:g} standard errors; by chance it "
            f"would with a probability of {chance:.0%}"
        )
    limit = NormalDist().inv_cdf(1.0 - 0.5 * chance / count)
    remaining = _exceeding(judged, limit)
    return (
        f"{large:,} of {counted(count, 'difference')} {_exceed(large)} {ERRORS:g} standard errors; about "
        f"{chance * count:.1f} would by chance if no group added anything. Corrected for {count:,} comparisons "
        f"(Bonferroni), {remaining:,} {_exceed(remaining)} {limit:.2f}"
    )


def _exceeding(differences: Sequence[Comparison], errors: float) -> int:
    return sum(abs(one.value) > errors * one.se for one in differences)


def _exceed(count: int) -> str:
    return "exceeds" if count == 1 else "exceed"
