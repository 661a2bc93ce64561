"""Promotion: a pure decision on whether a new version becomes champion, from losses on common test rows."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from configs.words import counted, signed
from training.validation.paired_losses import Paired, TestLosses, pair

Policy = Literal["auto", "always", "never"]

MAX_LOST_SYMBOLS = 0.1
MAX_CHANGED_TARGETS = 0.01
_FORCE = "promote it by hand with `fleetcast models promote` or with --promote always"


@dataclass(frozen=True)
class Decision:
    """Whether to promote, and why; ``mean_difference`` is challenger minus champion, so negative is better."""

    promote: bool
    reason: str
    mean_difference: float | None = None
    standard_error: float | None = None
    n_days: int = 0
    n_pairs: int = 0


def decide(
    challenger: TestLosses,
    champion: TestLosses | None,
    policy: Policy = "auto",
    overlap: int = 0,
    worse_than: Sequence[str] = (),
) -> Decision:
    """Decide whether the challenger becomes champion.

    The first version of a kind does, unless it is worse than a baseline on its own test period or the policy is
    ``never``. After that, ``auto`` promotes a challenger whose mean loss over the rows (symbol, date) of both test
    periods is lower, or equal with weights that saw newer labels, unless it lacks more than a tenth of the champion's
    symbols, was trained for another target, or fails (loss not finite) where the champion does not.

    Parameters
    ----------
    challenger, champion
        Their test losses; ``None`` for a kind without a champion.
    policy
        ``auto``, ``always`` or ``never``.
    overlap
        Days by which neighbouring forecasts overlap: the horizon minus one. It only affects the standard error.
    worse_than
        Baselines that are better than the challenger on its test period, beyond two standard errors.

    Returns
    -------
    Decision
        With the standard error of the difference, see :meth:`.Paired.difference`.

    References
    ----------
    Diebold & Mariano (1995). Comparing predictive accuracy. J. Business & Economic Statistics 13, 253-263.
    """
    if champion is None and policy == "never":
        return Decision(False, f"--promote never was asked for; {_FORCE}")
    if champion is None and worse_than and policy != "always":
        return Decision(False, f"on its own test period it is worse than {', '.join(worse_than)}; {_FORCE}")
    if champion is None:
        return Decision(True, "it is the first version of its kind")
    if challenger.version == champion.version:
        return Decision(False, "it is the champion already")
    paired = pair(challenger, champion)
    n = int(paired.counts.sum())
    if n == 0:
        mean, error = None, None
        verdict = "it shares no test day of a symbol with the champion, so they cannot be compared"
    else:
        found = paired.difference(overlap)
        mean, error = found.value, found.se if math.isfinite(found.se) else None
        verdict = _described(mean, error, paired, n)
    newer = mean == 0 and challenger.trained_to > champion.trained_to
    if newer:
        verdict += f"; its weights saw labels up to {challenger.trained_to}, the champion's to {champion.trained_to}"
    better = newer or (mean is not None and mean < 0)
    reason = verdict if better else f"{verdict}; {_FORCE}"
    lost = [symbol for symbol in champion.symbols if symbol not in challenger.symbols]
    if policy != "auto":
        better, reason = policy == "always", f"--promote {policy} was asked for; {verdict}"
    elif paired.challenger_failures:
        better = False
        reason = (
            f"its loss is not finite in {counted(paired.challenger_failures, 'row')} where the champion's is; {_FORCE}"
        )
    elif n and paired.changed_targets > MAX_CHANGED_TARGETS * n:
        better = False
        reason = f"its target differs from the champion's in {paired.changed_targets} of {n} common rows; {_FORCE}"
    elif len(lost) > MAX_LOST_SYMBOLS * len(champion.symbols):
        better = False
        examples = ", ".join(lost[:3]) + (", …" if len(lost) > 3 else "")
        reason = f"it lacks {len(lost)} of the champion's {len(champion.symbols)} symbols ({examples}); {_FORCE}"
    return Decision(better, reason, mean, error, len(paired.counts), n)


def _described(mean: float, error: float | None, paired: Paired, n: int) -> str:
    champion = paired.champion_total / n
    word = "lower" if mean < 0 else "higher" if mean > 0 else "no lower"
    digits = next((some for some in (4, 6, 8) if round(mean, some)), 4)
    text = f"its test loss {champion + mean:.{digits}f} is {word} than the champion's {champion:.{digits}f}"
    where = f"{counted(n, 'common row')} on {counted(len(paired.counts), 'day')}"
    if error is None:
        return f"{text} over {where}, too few to distinguish from noise"
    clear = "clear of noise" if abs(mean) > 1.96 * error else "not distinguishable from noise"
    return f"{text} over {where} (difference {signed(mean, digits)}, standard error {error:.{digits}f}: {clear})"
