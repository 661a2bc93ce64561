"""The factors by which prices are off, and their likely causes: splits, pence for pounds, a lost decimal point."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

UNKNOWN = "unknown"
_SAME_BAR = 2e-3  # two closes of one bar differ by no more than rounding and a dividend, apart from the factor
_WHOLE = (2, 3, 4, 5, 6, 7, 8, 9, *range(10, 51), 60, 75, 80, 100, 150, 200, 250, 300, 400, 500, 1000)
_FRACTIONS = ((3, 2), (5, 2), (7, 2), (5, 3), (7, 4))
_RATIOS = np.log([*_WHOLE, *(a / b for a, b in _FRACTIONS)])
_POWERS = ("10:1", "100:1", "1000:1")
_NAMES = (*(f"{n}:1" for n in _WHOLE), *(f"{a}:{b}" for a, b in _FRACTIONS))


def factor_of(ratio: float) -> str:
    """Return the split or factor, such as ``10:1``, that a ratio of two closes of one bar is; empty for others."""
    name, nearest = split_ratio(float(np.log(ratio)))
    return name if abs(np.log(ratio) - nearest) <= _SAME_BAR else ""


def split_ratio(move: float, scale: float = 0.0) -> tuple[str, float]:
    """Return the name of the nearest split's ratio, or of a power of ten nearby, and the logarithm of its price."""
    distance = np.abs(_RATIOS - abs(move))
    nearest = int(np.argmin(distance))
    powers = [i for i, name in enumerate(_NAMES) if name in _POWERS and distance[i] <= 4.0 * scale + 0.005]
    nearest = powers[0] if powers and distance[nearest] > 0.5 * scale + 0.005 else nearest
    return _NAMES[nearest], float(np.sign(move) * _RATIOS[nearest])


def cause_of_spike(ratio: float) -> str:
    """Return the likely cause of prices that are off for a few bars."""
    size = abs(np.log10(ratio))
    if abs(size - 2.0) < 0.15:
        return "pence against pounds, or a lost decimal point"
    if abs(size - round(size)) < 0.15 and size > 0.5:
        return "a lost decimal point"
    return "bad tick"


def cause_of_step(ratio: float, split: str, explained: bool) -> str:
    """Return the likely cause of a step by the split's ratio that it is, if any."""
    if not split:
        return UNKNOWN
    kind = "split" if ratio < 1.0 else "reverse split"
    if explained:
        return f"{split} {kind} not applied to the bars before"
    if split == "100:1":
        return "pence against pounds"
    other = ", or a lost decimal point" if split in ("10:1", "1000:1") else ""
    return f"{split} {kind} not applied{other}"


def cause_by_source(ratio: float) -> str:
    """Return the cause of a step by a split of ``ratio`` new shares per old share that the source names."""
    return f"{ratio_name(ratio)} split of the source not applied"


def ratio_name(ratio: float) -> str:
    """Return new against old shares: ``4:1``, ``3:2``, ``1:10``."""
    exact = Fraction(ratio).limit_denominator(1000)
    near = abs(exact / Fraction(ratio) - 1) < 1e-6
    return f"{exact.numerator}:{exact.denominator}" if near else f"{ratio:g}:1"


def tolerance(name: str, scale: float, has_range: bool) -> float:
    """Return how far the logarithm of a jump may be from that of a factor."""
    if name in _POWERS:
        return 4.0 * scale + 0.005
    if has_range:
        return 1.5 * scale + 0.005
    return 0.35 * scale + 0.003 if name.endswith(":1") else 0.0
