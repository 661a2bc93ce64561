"""Steps and spikes: prices that are off by a factor for good (a split, pence for pounds) or for some bars (bad ticks).

A crash is neither. On the day of news the range and the volume are many times the usual, and volatility stays high; a
change of scale moves open, high, low and close together, and nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from features.bars.schema import SymbolBars

Float = npt.NDArray[np.float64]

_LONGEST_SPIKE = 5
_MIN_MOVE = 0.34  # of the log close: a split of 3 for 2 is 0.405
_LARGE = np.log(3.0)
_HUGE = np.log(5.0)
_ENORMOUS = np.log(9.0)
_SAME_BAR = 2e-3  # two closes of one bar differ by no more than rounding and a dividend, apart from the factor
_OUTSIDE = np.log(2.5)  # of a high or low beyond the closes around it
_SCALES = 8.0  # a jump is that many standard deviations of the returns around it
_CLOSE_ONLY_SCALES = 15.0  # the close alone does not tell a crash from a change of scale
_OUTSIDE_SCALES = 20.0
_AROUND, _FEWEST_AROUND = 40, 5
_QUANTILES = np.array([0.8416, 1.6449])  # of |z| under normality at 0.6 and 0.9: most days may be without a trade
_TAIL = 4.0
_MIN_SCALE = 0.002
_USUAL_RANGE = 3.0  # times the range of the bars around
_USUAL_VOLUME = 4.0
_VOLATILITY = (0.4, 2.5)  # after by before: a bid for the company ends it, a crash multiplies it
_VOLUME_TOLERANCE = np.log(1.8)
_WHOLE = (2, 3, 4, 5, 6, 7, 8, 9, *range(10, 51), 60, 75, 80, 100, 150, 200, 250, 300, 400, 500, 1000)
_FRACTIONS = ((3, 2), (5, 2), (7, 2), (5, 3), (7, 4))
_RATIOS = np.log([*_WHOLE, *(a / b for a, b in _FRACTIONS)])
_NAMES = (*(f"{n}:1" for n in _WHOLE), *(f"{a}:{b}" for a, b in _FRACTIONS))

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


def find_steps(bars: SymbolBars, splits: Mapping[np.datetime64, float] | None = None) -> tuple[Step, ...]:
    """Return the steps and spikes of a symbol, by date.

    Parameters
    ----------
    bars
        One symbol's bars.
    splits
        New shares per old share by date, where the source names splits.
    """
    if len(bars) < 2 * _FEWEST_AROUND:
        return ()
    return tuple(sorted((*_outside(bars), *_jumps(bars, splits or {})), key=lambda step: step.row))


def _jumps(bars: SymbolBars, splits: Mapping[np.datetime64, float]) -> list[Step]:
    close = np.log(bars.close)
    moves = np.diff(close)
    found, free = list[Step](), 0
    for t in (np.flatnonzero(np.abs(moves) >= _MIN_MOVE) + 1).tolist():
        if t < free:
            continue
        if (spike := _spike(bars, close, moves, t)) is not None:
            found.append(spike)
            free = t + spike.bars + 1
        elif (step := _step(bars, close, moves, t, splits)) is not None:
            found.append(step)
    return found


def _spike(bars: SymbolBars, close: Float, moves: Float, t: int) -> Step | None:
    """Return the spike that starts at bar ``t``, if the close returns within a few bars to where it was."""
    sign = np.sign(moves[t - 1])
    for length in range(1, min(_LONGEST_SPIKE, len(close) - t - 1) + 1):
        before, after = close[t - 1], close[t + length]
        scale = _scale(moves, t - 1, t + length)
        nearest = max(before, after) if sign > 0 else min(before, after)
        size = float((sign * (close[t : t + length] - nearest)).min())
        returned = abs(after - before) <= 3.0 * scale * np.sqrt(length + 1.0) + 0.02
        if not returned or size < max(_MIN_MOVE, _SCALES * scale):
            continue
        whole = _moved_whole(bars, close, t, length, scale)
        if size >= _LARGE or (whole and _usual_volume(bars, t, length)):
            ratio = float(np.exp(np.median(close[t : t + length]) - 0.5 * (before + after)))
            fields = "all" if whole or not bars.has_range else "close"
            return Step("spike", bars.dates[t], t, length, fields, ratio, _cause_of_spike(ratio))
    return None


def _step(bars: SymbolBars, close: Float, moves: Float, t: int, splits: Mapping[np.datetime64, float]) -> Step | None:
    """Return the step at bar ``t``, if it changes the scale of all prices and nothing else."""
    move = moves[t - 1]
    if (split := splits.get(bars.dates[t])) and abs(move + np.log(split)) <= 4.0 * _scale(moves, t - 1, t) + 0.02:
        return Step(
            "step", bars.dates[t], t, 0, "all", 1.0 / split, f"{split:g}:1 split of the source not applied", True
        )
    scale, after = _scale(moves, t - 1, t), moves[t : t + 2 * _FEWEST_AROUND]
    scales, off = (_SCALES, 1.5) if bars.has_range else (_CLOSE_ONLY_SCALES, 0.5)
    if abs(move) < max(_MIN_MOVE, scales * scale) or t < _FEWEST_AROUND:
        return None
    if len(after) < _FEWEST_AROUND:
        if abs(move) < (_MIN_MOVE if bars.has_range else _HUGE):
            return None
    elif abs(move) < _HUGE:
        before = moves[max(t - 1 - _AROUND, 0) : t - 1]
        change = float(np.abs(after).mean()) / max(float(np.abs(before).mean()), 1e-12)
        if not _VOLATILITY[0] <= change <= _VOLATILITY[1]:
            return None
    gap = float(np.log(bars.open[t]) - close[t - 1]) if bars.has_range else float(move)
    name, nearest = _split_ratio(gap)
    matches = abs(gap - nearest) <= off * scale + 0.005
    if not (matches or abs(move) >= _HUGE):
        return None
    enormous = abs(move) >= _ENORMOUS
    if not (
        _moved_whole(bars, close, t, 0, scale, 2.0 if enormous else 1.0) and (enormous or _usual_volume(bars, t, 1))
    ):
        return None
    volume = change_of_volume(bars, t)
    expected = matches and 0.65 < abs(nearest) < np.log(90.0)
    explained = expected and abs(volume + nearest) <= min(_VOLUME_TOLERANCE, 0.6 * abs(nearest))
    ratio = float(np.exp(nearest if matches else gap))
    return Step(
        "step", bars.dates[t], t, 0, "all", ratio, _cause_of_step(ratio, name if matches else "", explained), explained
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
        around = np.delete(high - low, rows)[max(t - _AROUND, 0) : t + _AROUND]
        side, size = ("high", up[t]) if up[t] >= down[t] else ("low", down[t])
        if len(around) < _FEWEST_AROUND or size < _OUTSIDE_SCALES * np.median(around):
            continue
        value = bars.high[t] if side == "high" else bars.low[t]
        fields = "open" if abs(np.log(bars.open[t] / value)) < 0.1 * size else side
        level = 0.5 * (before[t] + after[t])
        ratio = float(np.exp(np.log(value) - level))
        found.append(Step("spike", bars.dates[t], t, 1, fields, ratio, _cause_of_spike(ratio)))
    return found


def _scale(moves: Float, start: int, stop: int) -> float:
    """Return the standard deviation of the moves before ``start`` or after ``stop``, the larger one, robustly."""
    sides = np.abs(moves[max(start - _AROUND, 0) : start]), np.abs(moves[stop + 1 : stop + 1 + _AROUND])
    return max([_MIN_SCALE, *(_spread(side) for side in sides if len(side) >= _FEWEST_AROUND)])


def _spread(sizes: Float) -> float:
    """Return the standard deviation of moves of these sizes, which up to two fifths of them do not enlarge."""
    common, large = np.quantile(sizes, (0.6, 0.9)) / _QUANTILES
    return float(min(large, _TAIL * common) if common > 0.0 else large)


def _moved_whole(bars: SymbolBars, close: Float, t: int, length: int, scale: float, relaxed: float = 1.0) -> bool:
    """Whether the bar moved as a whole: by its opening, and within a usual range. True of close-only series."""
    if not bars.has_range:
        return True
    rows = slice(t, t + max(length, 1))
    near = np.r_[max(t - _AROUND // 2, 0) : t, rows.stop : min(rows.stop + _AROUND // 2, len(bars))]
    usual = max(float(np.median(np.log(bars.high[near] / bars.low[near]))), _MIN_SCALE)
    widest = float(np.log(bars.high[rows] / bars.low[rows]).max())
    opened = abs(float(np.log(bars.open[t])) - close[t - 1])
    moved = abs(close[t] - close[t - 1])
    return widest <= relaxed * _USUAL_RANGE * usual and abs(opened - moved) <= 4.0 * max(scale, usual)


def _usual_volume(bars: SymbolBars, t: int, length: int) -> bool:
    """Whether the volume of these bars is usual by that of the bars after or before, whose unit may be another."""
    if not bars.has_volume:
        return True
    here = float(np.median(bars.volume[t : t + length]))
    sides = bars.volume[max(t - 20, 0) : t], bars.volume[t + length : t + length + 10]
    usual = [float(np.median(side)) for side in sides if len(side) >= _FEWEST_AROUND]
    return not usual or here <= _USUAL_VOLUME * max(usual)


def change_of_volume(bars: SymbolBars, t: int) -> float:
    """Return the logarithm of the usual volume after by that before; NaN where it is not known."""
    before, after = bars.volume[max(t - 30, 0) : t], bars.volume[t : t + 30]
    if not bars.has_volume or min(len(before), len(after)) < _FEWEST_AROUND:
        return np.nan
    old, new = float(np.median(before)), float(np.median(after))
    return float(np.log(new / old)) if old > 0 and new > 0 else np.nan


def factor_of(ratio: float) -> str:
    """Return the split or factor, such as ``10:1``, that a ratio of two closes of one bar is; empty for others."""
    name, nearest = _split_ratio(float(np.log(ratio)))
    return name if abs(np.log(ratio) - nearest) <= _SAME_BAR else ""


def _split_ratio(move: float) -> tuple[str, float]:
    """Return the name of the nearest split's ratio, and the logarithm that its price moves by."""
    nearest = int(np.argmin(np.abs(_RATIOS - abs(move))))
    return _NAMES[nearest], float(np.sign(move) * _RATIOS[nearest])


def _cause_of_spike(ratio: float) -> str:
    size = abs(np.log10(ratio))
    if abs(size - 2.0) < 0.15:
        return "pence against pounds, or a lost decimal point"
    if abs(size - round(size)) < 0.15 and size > 0.5:
        return "a lost decimal point"
    return "bad tick"


def _cause_of_step(ratio: float, split: str, explained: bool) -> str:
    if not split:
        return "unknown"
    kind = "split" if ratio < 1.0 else "reverse split"
    if explained:
        return f"{split} {kind} not applied to the bars before"
    if split == "100:1":
        return "pence against pounds"
    other = ", or a lost decimal point" if split in ("10:1", "1000:1") else ""
    return f"{split} {kind} not applied{other}"
