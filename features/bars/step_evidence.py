"""What tells a change of scale from news: the returns, ranges and volume around a jump."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from features.bars.schema import SymbolBars

Float = npt.NDArray[np.float64]

AROUND, FEWEST_AROUND = 40, 5  # bars
_QUANTILES = np.array([0.8416, 1.6449])  # of |z| under normality at 0.6 and 0.9: most days may be without a trade
_TAIL = 4.0
_MIN_SCALE = 0.002
_USUAL_RANGE = 3.0  # times the range of the bars around
_USUAL_VOLUME = 4.0
_FADING = 2.0  # times the volume of weeks later
_CLOSE_ONLY_VOLATILITY = (0.5, 1.6)
_VOLATILITY = (0.4, 2.5)  # after by before: a bid for the company ends it, a crash multiplies it


def scale_around(moves: Float, start: int, stop: int) -> float:
    """Return the standard deviation of the moves before ``start`` or after ``stop``, the larger one, robustly."""
    sides = np.abs(moves[max(start - AROUND, 0) : start]), np.abs(moves[stop + 1 : stop + 1 + AROUND])
    return max([_MIN_SCALE, *(_spread(side) for side in sides if len(side) >= FEWEST_AROUND)])


def _spread(sizes: Float) -> float:
    """Return the standard deviation of moves of these sizes, which up to two fifths of them do not enlarge."""
    common, large = np.quantile(sizes, (0.6, 0.9)) / _QUANTILES
    return float(min(large, _TAIL * common) if common > 0.0 else large)


def moved_whole(bars: SymbolBars, close: Float, t: int, length: int, scale: float, enormous: bool) -> bool:
    """Whether the bar moved as a whole: by its opening, and within a usual range. True of close-only series.

    ``enormous`` moves, which are hardly news, may come on a day of news.
    """
    if not bars.has_range:
        return True
    rows = slice(t, t + max(length, 1))
    near = np.r_[max(t - AROUND // 2, 0) : t, rows.stop : min(rows.stop + AROUND // 2, len(bars))]
    usual = max(float(np.median(np.log(bars.high[near] / bars.low[near]))), _MIN_SCALE)
    ranges = np.log(bars.high[rows] / bars.low[rows])
    span = float(np.median(ranges) / 2.0 if enormous else ranges.max())
    opened = abs(float(np.log(bars.open[t])) - close[t - 1])
    moved = abs(close[t] - close[t - 1])
    return span <= _USUAL_RANGE * usual and abs(opened - moved) <= 4.0 * max(scale, usual)


def usual_volume(bars: SymbolBars, t: int, length: int) -> bool:
    """Whether the volume of these bars is usual by that of the bars after or before, whose unit may be another."""
    if not bars.has_volume:
        return True
    here = float(np.median(bars.volume[t : t + length]))
    sides = bars.volume[max(t - 20, 0) : t], bars.volume[t + length : t + length + 10]
    usual = [float(np.median(side)) for side in sides if len(side) >= FEWEST_AROUND]
    return not usual or here <= _USUAL_VOLUME * max(usual)


def change_of_volume(bars: SymbolBars, t: int) -> float:
    """Return the logarithm of the usual volume after by that before; NaN where it is not known."""
    before, after = bars.volume[max(t - 30, 0) : t], bars.volume[t : t + 30]
    if not bars.has_volume or min(len(before), len(after)) < FEWEST_AROUND:
        return np.nan
    old, new = float(np.median(before)), float(np.median(after))
    return float(np.log(new / old)) if old > 0 and new > 0 else np.nan


def volume_fades(bars: SymbolBars, t: int) -> bool:
    """Whether the first bars after a jump are traded much more than later ones: news, not a change of the unit."""
    first, later = bars.volume[t : t + FEWEST_AROUND], bars.volume[t + 3 * FEWEST_AROUND : t + 6 * FEWEST_AROUND]
    if not bars.has_volume or len(later) < FEWEST_AROUND:
        return False
    return bool(np.median(first) > _FADING * np.median(later))


def same_volatility(bars: SymbolBars, moves: Float, t: int) -> bool:
    """Whether the bars after a jump move about as much as those before; true if there are too few after it to tell."""
    after = moves[t : t + 2 * FEWEST_AROUND]
    if len(after) < FEWEST_AROUND:
        return bars.has_range
    before = moves[max(t - 1 - AROUND, 0) : t - 1]
    change = float(np.abs(after).mean()) / max(float(np.abs(before).mean()), 1e-12)
    low, high = _VOLATILITY if bars.has_range else _CLOSE_ONLY_VOLATILITY
    return low <= change <= high
