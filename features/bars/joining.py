"""Two series of one symbol as one, and whether they fit together."""

from __future__ import annotations

import numpy as np

from features.bars.arrays import VALUES
from features.bars.period import UNKNOWN, BarPeriod, bar_period
from features.bars.schema import SymbolBars


def joined(first: SymbolBars, second: SymbolBars) -> SymbolBars:
    """Return the bars of both, sorted by date. On a date that both have, ``second`` wins.

    A split that only ``first`` names remains if ``second`` names none at all: its source has no column for them.
    """
    _, common, own = np.intersect1d(first.dates, second.dates, assume_unique=True, return_indices=True)
    keep = np.ones(len(first), bool)
    keep[common] = False
    dates = np.concatenate([first.dates[keep], second.dates])
    order = np.argsort(dates, kind="stable")
    columns = {name: np.concatenate([getattr(first, name)[keep], getattr(second, name)])[order] for name in VALUES}
    splits = None
    if first.splits is not None or second.splits is not None:
        earlier = np.ones(len(first)) if first.splits is None else first.splits
        later = np.ones(len(second)) if second.splits is None else second.splits
        if second.splits is None:
            later[own] = earlier[common]
        splits = np.concatenate([earlier[keep], later])[order]
    return SymbolBars(
        symbol=second.symbol,
        dates=dates[order],
        **columns,
        has_range=bool((columns["high"] > columns["low"]).any()),
        has_volume=bool((columns["volume"] > 0).any()),
        splits=splits,
    )


def unlike_periods(first: SymbolBars, second: SymbolBars) -> tuple[BarPeriod, BarPeriod] | None:
    """Return the periods of two series if they cannot be parts of one."""
    one, other = bar_period(first.dates), bar_period(second.dates)
    if other.name == UNKNOWN and not one.is_intraday and _bars_a_day(second) > 1:
        other = BarPeriod("intraday", 0.0)
    return (one, other) if one.differs(other) else None


def day_twice(bars: SymbolBars) -> str:
    """Return the two times of a day of daily bars, such as midnight and the same session's in another zone, or ``""``.

    Bars that are joined of two notations of one market have such days.
    """
    days = bars.dates.astype("datetime64[D]")
    repeated = np.flatnonzero(days[1:] == days[:-1])
    if not len(repeated) or len(repeated) >= len(days) / 2 or bar_period(bars.dates).is_intraday:
        return ""
    return " and ".join(str(bars.dates[row])[:16] for row in (repeated[0], repeated[0] + 1))


def _bars_a_day(bars: SymbolBars) -> float:
    return len(bars) / max(len(np.unique(bars.dates.astype("datetime64[D]"))), 1)
