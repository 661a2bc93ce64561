"""Splits that the source names: whether the prices before are adjusted for them already."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from features.bars.step_evidence import scale_around

if TYPE_CHECKING:
    from features.bars.schema import SymbolBars

Verdict = Literal["applied", "not applied", "contradicted", "unclear"]
_NEWS = 0.25  # of the log price: what the opening may differ by on the day of a split
_SHARE = 0.4  # of the split: less than half, so that one jump is never both
_SCALES = 4.0
_LATE_BARS = 3  # by which a source's date of a split may be off


def verdict_of(bars: SymbolBars, moves: npt.NDArray[np.float64], row: int, ratio: float) -> Verdict:
    """Return what the prices say of a split of ``ratio`` new shares per old share at a bar after the first.

    ``moves`` (N - 1,) are those of the log close. Prices that fall by the ratio are not adjusted, prices without a jump
    are, and any other jump contradicts the source. A split within the usual moves is unclear.
    """
    size, move = float(np.log(ratio)), float(moves[row - 1])
    scale = scale_around(moves, row - 1, row)
    gap = float(np.log(bars.open[row] / bars.close[row - 1])) if bars.has_range else move
    far = max(_SCALES * scale + 0.02, _NEWS)
    reach = min(far, _SHARE * abs(size))
    if abs(gap) > far and abs(gap + size) > far:
        return "contradicted"
    if abs(size) < _SCALES * scale:
        return "unclear"
    if abs(gap + size) <= reach and abs(move + size) < abs(move):
        return "not applied"
    return "applied" if abs(gap) <= reach else "unclear"


def named_near(bars: SymbolBars, row: int, move: float, tolerance: float) -> float | None:
    """Return the ratio of a split that explains a jump, and that the source names for a bar or two before or after."""
    rows = [other for other in bars.split_rows if 0 < abs(other - row) <= _LATE_BARS]
    fits = (bars.ratio_at(other) for other in rows)
    return next((ratio for ratio in fits if abs(move + np.log(ratio)) <= tolerance), None)
