"""Numbers as the page shows them; what is unknown is a dash."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from training.metrics.comparison import Comparison

UNKNOWN = "–"
_NO_BREAK = "\N{NO-BREAK SPACE}"


def number(value: float, digits: int = 2) -> str:
    """Return a number with a true minus sign."""
    return f"{value:z,.{digits}f}".replace("-", "−") if math.isfinite(value) else UNKNOWN


def percent(value: float, digits: int = 1) -> str:
    """Return a share in percent."""
    return f"{number(value * 100.0, digits)}{_NO_BREAK}%" if math.isfinite(value) else UNKNOWN


def ends_of(intervals: pd.DataFrame, metric: str) -> tuple[float, float]:
    """Return the ends of the bootstrap interval of a metric."""
    low, high = intervals.loc[[metric], ["low", "high"]].to_numpy(np.float64)[0]
    return float(low), float(high)


def interval(low: float, high: float, is_share: bool = False) -> str:
    """Return two ends; a dash if one is unknown."""
    if not (math.isfinite(low) and math.isfinite(high)):
        return UNKNOWN
    return f"{percent(low)} to {percent(high)}" if is_share else f"{number(low)} to {number(high)}"


def is_ruined(equity: pd.Series) -> bool:
    """Whether nothing was left of an account, after which figures a year say nothing."""
    return not float(equity.min()) > 0


def with_error(found: Comparison, digits: int | None = None, factor: float = 1.0) -> str:
    """Return a signed difference and its standard error, by default with two significant digits of the error."""
    if not math.isfinite(found.value):
        return UNKNOWN
    if digits is None:
        size = abs(found.se if math.isfinite(found.se) and found.se else found.value) * factor
        digits = int(min(max(1 - math.floor(math.log10(size)), 0), 9)) if size > 0 else 2
    sign = "+" if found.value >= 0 else ""
    error = number(found.se * factor, digits) if math.isfinite(found.se) else "?"
    return f"{sign}{number(found.value * factor, digits)} ± {error}"
