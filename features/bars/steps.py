"""Steps and spikes: prices that are off by a factor for good (a split, pence for pounds) or for some bars (bad ticks).

A crash is neither. On the day of news the range and the volume are many times the usual, and volatility stays high; a
change of scale moves open, high, low and close together, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

from features.bars.named_splits import named_near, verdict_of
from features.bars.step_causes import (
    UNKNOWN,
    cause_by_source,
    cause_of_spike,
    cause_of_step,
    ratio_name,
    split_ratio,
    tolerance,
)
from features.bars.step_evidence import (
    AROUND,
    FEWEST_AROUND,
    change_of_volume,
    moved_whole,
    same_volatility,
    scale_around,
    usual_volume,
    volume_fades,
)

if TYPE_CHECKING:
    from features.bars.schema import SymbolBars

Float = npt.NDArray[np.float64]

_LONGEST_SPIKE = 5
_MIN_MOVE = 0.34  # of the log close: a split of 3 for 2 is 0.405
_LARGE = np.log(3.0)
_HUGE = np.log(5.0)
_ENORMOUS = np.log(9.0)
_OUTSIDE = np.log(2.5)  # of a high or low beyond the closes around it
_SCALES = 8.0  # a jump is that many standard deviations of the returns around it
_CLOSE_ONLY_SCALES = 15.0  # the close alone does not tell a crash from a change of scale
_OUTSIDE_SCALES = 20.0
_RETURNED = 0.15  # of the jump: what the price may differ by after it has returned
_VOLUME_TOLERANCE = np.log(1.8)

Kind = Literal["step", "spike"]


@dataclass(frozen=True, slots=True)
class Step:
    """A jump of a symbol's prices by a factor.

    ``date`` is that of the first bar after the jump, ``row`` its position, ``bars`` the number of bars that are off (0
    for a step: all later ones), ``fields`` those that are: ``all``, ``close``, ``open``, ``high`` or ``low``. ``ratio``
    is the price after the jump by that before, ``cause`` the likely one. A step is ``explained`` by the split that the
    source names for its date, or by a split's ratio with the jump of volume that goes with it.
    """

    kind: Kind
    date: np.datetime64
    row: int
    bars: int
    fields: str
    ratio: float
    cause: str
    explained: bool = False

    def __str__(self) -> str:
        """Return such as ``×0.01 from 2020-07-31 on (pence against pounds)``."""
        when = f"from {str(self.date)[:10]} on" if self.kind == "step" else f"on {str(self.date)[:10]}"
        where = "" if self.fields == "all" else f" in the {self.fields}"
        length = f" for {self.bars} bars" if self.bars > 1 else ""
        return f"×{self.ratio:.4g}{where} {when}{length} ({self.cause})"


def find_steps(bars: SymbolBars) -> tuple[Step, ...]:
    """Return the steps and spikes of a symbol, by date.

    Splits that the source names are compared with the prices at any length of the series, other jumps from ten bars on.
    """
    if len(bars) < 2 * FEWEST_AROUND:
        named = [row for row in bars.split_rows if row > 0]
        moves = np.diff(np.log(bars.close)) if named else np.empty(0)
        return tuple(step for row in named if (step := _named(bars, moves, row)) is not None)
    return tuple(sorted((*_outside(bars), *_jumps(bars)), key=lambda step: step.row))


def _jumps(bars: SymbolBars) -> list[Step]:
    close = np.log(bars.close)
    moves = np.diff(close)
    jumps, named = set((np.flatnonzero(np.abs(moves) >= _MIN_MOVE) + 1).tolist()), set(bars.split_rows) - {0}
    found, free = list[Step](), 0
    for t in sorted(jumps | named):
        if t < free:
            continue
        if t in jumps and (spike := _spike(bars, close, moves, t)) is not None:
            found.append(spike)
            free = t + spike.bars + 1
            continue
        step = _named(bars, moves, t) if t in named else None
        if step is None and t in jumps:
            step = _step(bars, close, moves, t)
        if step is not None:
            found.append(step)
    return found


def _named(bars: SymbolBars, moves: Float, t: int) -> Step | None:
    """Return the step at bar ``t`` by the split that the source names for it, if the prices are not adjusted for it."""
    ratio = bars.ratio_at(t)
    verdict = verdict_of(bars, moves, t, ratio)
    if verdict == "not applied":
        return Step("step", bars.dates[t], t, 0, "all", 1.0 / ratio, cause_by_source(ratio), True)
    if verdict == "contradicted":
        price = float(np.exp(moves[t - 1]))
        return Step(
            "step", bars.dates[t], t, 0, "all", price, f"{UNKNOWN}: the source names a {ratio_name(ratio)} split"
        )
    return None


def _spike(bars: SymbolBars, close: Float, moves: Float, t: int) -> Step | None:
    """Return the spike that starts at bar ``t``, if the close returns within a few bars to where it was."""
    sign = np.sign(moves[t - 1])
    for length in range(1, min(_LONGEST_SPIKE, len(close) - t - 1) + 1):
        before, after = close[t - 1], close[t + length]
        scale = scale_around(moves, t - 1, t + length)
        nearest = max(before, after) if sign > 0 else min(before, after)
        size = float((sign * (close[t : t + length] - nearest)).min())
        returned = abs(after - before) <= max(3.0 * scale * np.sqrt(length + 1.0) + 0.02, _RETURNED * size)
        if not returned or size < max(_MIN_MOVE, _SCALES * scale):
            continue
        if fields := _wrong_fields(bars, close, t, length, scale, size):
            ratio = float(np.exp(np.median(close[t : t + length]) - 0.5 * (before + after)))
            return Step("spike", bars.dates[t], t, length, fields, ratio, cause_of_spike(ratio))
    return None


def _wrong_fields(bars: SymbolBars, close: Float, t: int, length: int, scale: float, size: float) -> str:
    """Return ``all`` or ``close`` if only an error explains bars that are off by ``size``, or an empty text."""
    if not bars.has_range:
        exact = abs(close[t + length] - close[t - 1]) <= 1.5 * scale and size >= _CLOSE_ONLY_SCALES * scale
        return "all" if size >= _HUGE or (length == 1 and (exact or size >= _LARGE)) else ""
    enormous = size >= _ENORMOUS
    whole = moved_whole(bars, close, t, length, scale, enormous)
    back = np.log(bars.open[t + length]) - close[t + length]
    if whole and (enormous or (usual_volume(bars, t, length) and abs(back) <= 4.0 * scale)):
        return "all"
    # A price that is right within the bar and again at the next opening was never tripled in between.
    before = np.log(bars.open[t]) - close[t - 1]
    opened_right = max(abs(before), abs(back)) <= max(4.0 * scale, _RETURNED * size)
    return "close" if length == 1 and size >= _LARGE and opened_right else ""


def _step(bars: SymbolBars, close: Float, moves: Float, t: int) -> Step | None:
    """Return the step at bar ``t``, if it changes the scale of all prices and nothing else."""
    move = moves[t - 1]
    scale = scale_around(moves, t - 1, t)
    if abs(move) < max(_MIN_MOVE, (_SCALES if bars.has_range else _CLOSE_ONLY_SCALES) * scale) or t < FEWEST_AROUND:
        return None
    if abs(move) < _HUGE and not same_volatility(bars, moves, t):
        return None
    gap = float(np.log(bars.open[t]) - close[t - 1]) if bars.has_range else float(move)
    name, nearest = split_ratio(gap, scale)
    matches = abs(gap - nearest) <= tolerance(name, scale, bars.has_range)
    if not matches and abs(move) < _HUGE:
        return None
    enormous = abs(move) >= _ENORMOUS
    if not moved_whole(bars, close, t, 0, scale, enormous):
        return None
    if not enormous and not usual_volume(bars, t, 1):
        return None
    if (split := named_near(bars, t, gap, 4.0 * scale + 0.02)) is not None:
        return Step("step", bars.dates[t], t, 0, "all", 1.0 / split, cause_by_source(split), True)
    volume = change_of_volume(bars, t)
    # Without a source's word the ratio must be near: wild moves are near some ratio by chance.
    expected = abs(gap - nearest) <= scale + 0.005 and 0.65 < abs(nearest) < np.log(90.0)
    expected = expected and matches and not volume_fades(bars, t)
    explained = bool(expected and abs(volume + nearest) <= min(_VOLUME_TOLERANCE, 0.6 * abs(nearest)))
    ratio = float(np.exp(nearest if matches else gap))
    return Step(
        "step", bars.dates[t], t, 0, "all", ratio, cause_of_step(ratio, name if matches else "", explained), explained
    )


def _outside(bars: SymbolBars) -> list[Step]:
    """Return spikes of an open, high or low that the closes around know nothing of."""
    if not bars.has_range:
        return []
    close = np.log(bars.close)
    before, after = np.append(close[:1], close[:-1]), np.append(close[1:], close[-1:])
    highest, lowest = np.maximum(close, np.maximum(before, after)), np.minimum(close, np.minimum(before, after))
    high, low = np.log(bars.high), np.log(bars.low)
    up, down = high - highest, lowest - low
    found = []
    rows = np.flatnonzero(np.maximum(up, down) >= _OUTSIDE).tolist()
    for t in rows:
        around = np.delete(high - low, rows)[max(t - AROUND, 0) : t + AROUND]
        side, size = ("high", up[t]) if up[t] >= down[t] else ("low", down[t])
        if len(around) < FEWEST_AROUND or size < _OUTSIDE_SCALES * np.median(around):
            continue
        value = bars.high[t] if side == "high" else bars.low[t]
        fields = "open" if abs(np.log(bars.open[t] / value)) < 0.1 * size else side
        level = 0.5 * (before[t] + after[t])
        ratio = float(np.exp(np.log(value) - level))
        found.append(Step("spike", bars.dates[t], t, 1, fields, ratio, cause_of_spike(ratio)))
    return found
