"""Whether symbols share one trading day, so that all closes of a date are known at the close of any of them."""

from __future__ import annotations

from collections import Counter

import numpy as np

from features.parsing import Dates
from features.sessions import best_fit, calendar_fits

INTRADAY = "intraday"
_RECENT = 1260  # five years tell any two calendars apart, and calendars reach back less far than some symbols
_ODD_STAMPS = 0.05  # a daily series may have this share of bars that are not stamped midnight
_MIN_DAYS, _MIN_SHARE = 3, 0.01  # what speaks against a calendar: Paris and Sydney differ on 1.8 % of days, most on 4 %
_DENSE = 0.05  # with fewer sessions missing than this, a missing session is evidence too


class TradingClocks:
    """Collects, symbol by symbol, which calendars can be everyone's.

    One calendar is everyone's if no symbol's dates speak against it. A symbol speaks against a calendar when another
    fits it better on at least 3 days and 1 % of its bars. Days without a bar count only where the symbol trades nearly
    daily, so neither a few missing days, nor an illiquid symbol, nor a history of a few months makes a calendar of its
    own. Intraday bars (UTC stamps) share one clock, which is not that of daily ones.
    """

    def __init__(self) -> None:
        self._symbols: Counter[str] = Counter()
        self._against: Counter[tuple[str, str]] = Counter()  # symbols of a calendar that cannot trade on another
        self._intraday = 0

    def note(self, dates: Dates) -> None:
        """Take one symbol's dates (N,), sorted ``datetime64[ns]``, into account."""
        recent = dates[-_RECENT:]
        days = recent.astype("datetime64[D]")
        midnight = days == recent
        if np.count_nonzero(~midnight) > _ODD_STAMPS * len(days):
            self._intraday += 1
            return
        days = days[midnight]
        if len(days) < 2:
            return
        fits = calendar_fits(days)
        own = best_fit(fits, len(days))
        self._symbols[own] += 1
        enough = max(_MIN_DAYS, _MIN_SHARE * len(days))
        dense = fits[own].misfit <= _DENSE * len(days)
        for name, fit in fits.items():
            worse = fit.misfit - fits[own].misfit if dense else fit.closed - fits[own].closed
            if worse >= enough:
                self._against[own, name] += 1

    @property
    def calendars(self) -> tuple[str, ...]:
        """The calendar of most symbols and those of symbols that cannot trade on it; one name if all share it."""
        found: tuple[str, ...] = ()
        if self._symbols:
            against: Counter[str] = Counter()
            for (_, name), count in self._against.items():
                against[name] += count
            common = min(self._symbols, key=lambda name: (against[name], -self._symbols[name]))
            others = [name for name, _ in self._symbols.most_common() if self._against[name, common]]
            found = (common, *others)
        return found + ((INTRADAY,) if self._intraday else ())

    @property
    def lag(self) -> int:
        """Sessions that a date's row must be old to be known to all: 0 where all share a calendar, else 1."""
        return int(len(self.calendars) > 1)
