"""Whether all symbols of a universe trade on one calendar, decided from the dates of their bars.

If they do, all closes of a date are known at the close of each symbol; otherwise some exchanges close hours later.
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from features.bars.arrays import Dates
from features.bars.sessions import calendar_grid

INTRADAY = "intraday"
UNKNOWN = "unknown"
SAME_DAYS = "the same days"
_RECENT_BARS = 1260  # five years distinguish any two calendars, and some calendars do not reach back further
_MAX_SPAN = np.timedelta64(3653, "D")  # monthly bars, or one wrong date, must not require centuries of holidays
_INTRADAY_SHARE = 0.05  # a daily series may have up to this share of stamps other than midnight
_MIN_DAYS = 3
_MIN_SHARE = 0.005  # of bars: Paris and Sydney differ on 1.8 % of days, most pairs of exchanges on 4 %
_MAX_MISFIT = 0.01  # a series that differs from its best calendar on fewer days trades on it
_BREAK_DAYS = 14  # a longer gap is a suspension or an outage; the longest holidays are shorter
_MIN_COVERAGE = 0.25  # with bars on a smaller share of sessions (weekly bars), the weekday decides which are missing
_MIN_COMMON_DAYS = 250  # a year of identical days is one market, whatever its calendar
_BUFFER = 64  # distinct sets of days that are compared with each other before calendars are built, which takes seconds
_SURPRISE = 16.0  # sessions count as holidays if chance leaves out so many with a probability below exp(−16)


class SharedCalendar:
    """Collects the dates of symbols and finds the calendars that they trade on.

    A symbol contradicts a calendar if 3 days and 0.5 % of its bars together are evidence against it: bars on days that
    the calendar is closed, and sessions without a bar that are another calendar's holidays, if more are missing than
    chance explains. Scattered missing days, suspensions, illiquidity and short histories are no evidence. A symbol that
    contradicts all calendars is on an ``unknown`` one and shares it with no other symbol. Intraday bars (UTC stamps)
    share a calendar with each other, but not with daily bars. Symbols with identical days need no calendar.

    Dates cannot distinguish exchanges with the same holidays and other hours (Frankfurt's floor and Xetra), nor a
    market whose holidays no calendar here has from currencies with missing days.
    """

    def __init__(self) -> None:
        self._symbols: Counter[str] = Counter()  # by calendar
        self._contradictions: Counter[tuple[str, str]] = Counter()  # symbols of a calendar that contradict another
        self._names: tuple[str, ...] = ()
        self._intraday = 0
        self._pending: dict[bytes, tuple[Dates, int]] = {}  # distinct sets of days, and how many symbols have them

    def add(self, dates: Dates) -> None:
        """Add one symbol's dates (N,), sorted ``datetime64[ns]``."""
        recent = dates[-_RECENT_BARS:]
        days = recent.astype("datetime64[D]")
        midnight = days == recent
        if np.count_nonzero(~midnight) > _INTRADAY_SHARE * len(days):
            self._intraday += 1
            return
        days = days[midnight]
        days = days[days[-1:] - days < _MAX_SPAN]
        if len(days) < 2:
            return
        _, count = self._pending.get(days.tobytes(), (days, 0))
        self._pending[days.tobytes()] = days, count + 1
        if len(self._pending) > _BUFFER:
            self._assign_pending()

    def _assign_pending(self) -> None:
        for days, count in self._pending.values():
            self._names, misfit, contradicts = _compare_with_calendars(days)
            best = int(np.argmin(np.where(contradicts, np.inf, misfit)))
            own = UNKNOWN if contradicts.all() else self._names[best]
            self._symbols[own] += count
            self._contradictions.update(
                {(own, name): count for name, no in zip(self._names, contradicts, strict=True) if no}
            )
        self._pending.clear()

    @property
    def calendars(self) -> tuple[str, ...]:
        """The calendar that fits most symbols, then those of symbols that contradict it; one name if all share it."""
        found: tuple[str, ...] = ()
        if not self._symbols and not self._intraday and _identical([days for days, _ in self._pending.values()]):
            found = (SAME_DAYS,)
        else:
            self._assign_pending()
        if self._symbols:
            against: Counter[str] = Counter()
            for (_, name), count in self._contradictions.items():
                against[name] += count
            common = min(self._names, key=lambda name: (against[name], -self._symbols[name]))
            others = [name for name, _ in self._symbols.most_common() if self._contradictions[name, common]]
            # A calendar that every symbol contradicts is not theirs, even if no other has fewer contradictions.
            found = (common, *others) if against[common] < self._symbols.total() else tuple(others)
        return found + ((INTRADAY,) if self._intraday else ())

    @property
    def lag(self) -> int:
        """Sessions until a date's closes are known for all symbols: 0 if all share a known calendar, else 1."""
        return int(len(self.calendars) > 1 or UNKNOWN in self.calendars)


def _identical(sets: list[Dates]) -> bool:
    """Whether each set of days contains, between its first and last day, every day of the union; False for a few."""
    union = np.unique(np.concatenate(sets)) if sets else np.empty(0, "datetime64[D]")
    inside = (np.searchsorted(union, days[-1], "right") - np.searchsorted(union, days[0]) for days in sets)
    return len(union) >= _MIN_COMMON_DAYS and all(n == len(days) for n, days in zip(inside, sets, strict=True))


def _compare_with_calendars(days: Dates) -> tuple[tuple[str, ...], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return C calendars, the number of days on which each differs from ``days``, and whether these contradict it."""
    names, is_open = calendar_grid(days[0], days[-1])  # (C, span)
    offsets = (days - days[0]).astype(np.int64)
    steps = np.diff(offsets)
    observed = np.repeat(np.append(steps <= _BREAK_DAYS, True), np.append(steps, 1))
    observed[offsets] = True
    with_bar = is_open[:, offsets]
    bars = with_bar @ with_bar.T  # (C, C): on days that both calendars are open
    sessions = (is_open * observed) @ is_open.T
    closed = len(days) - bars.diagonal()
    missing = sessions.diagonal() - bars.diagonal()
    evidence = closed + _skipped(sessions, bars).max(axis=1)
    misfit, contradicts = missing + closed, evidence >= max(_MIN_DAYS, _MIN_SHARE * len(days))
    best = int(np.argmin(misfit))
    contradicts[best] &= misfit[best] > _MAX_MISFIT * len(days)
    return names, misfit, contradicts


def _skipped(sessions: npt.NDArray[np.float32], bars: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return how many sessions of a calendar (row) on another's holidays (column) lack bars beyond chance, (C, C).

    Of n such sessions a share s has bars, of the sessions of both calendars a share q. Chance makes s so small with a
    probability of at most exp(−n·KL(s, q)), KL(s, q) = s·ln(s/q) + (1 − s)·ln((1 − s)/(1 − q)).

    References
    ----------
    Hoeffding (1963), Probability inequalities for sums of bounded random variables, theorem 1, equation 2.1.
    """
    n = sessions.diagonal()[:, None] - sessions
    with_bar = bars.diagonal()[:, None] - bars
    s = with_bar / np.maximum(n, 1.0)
    q = (bars + 0.5) / (sessions + 1.0)  # never 0 or 1: an event not yet seen is possible
    present, absent = np.maximum(s, 1e-9), np.maximum(1.0 - s, 1e-9)
    surprise = n * (s * np.log(present / q) + (1.0 - s) * np.log(absent / (1.0 - q)))
    skipped = (s < q) & (q >= _MIN_COVERAGE) & (surprise >= _SURPRISE)
    return np.where(skipped, bars / np.maximum(sessions, 1.0) * n - with_bar, np.float32(0.0))
