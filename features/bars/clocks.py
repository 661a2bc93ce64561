"""Whether symbols share one trading day, so that all closes of a date are known at the close of any of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import numpy.typing as npt

from features.bars.parsing import Dates
from features.bars.sessions import calendar_grid

INTRADAY = "intraday"
UNKNOWN = "unknown"
SAME_DAYS = "the same days"
_RECENT = 1260  # five years tell any two calendars apart, and calendars reach back less far than some symbols
_SPAN = np.timedelta64(3653, "D")  # and monthly bars, or one absurd date, must not ask for centuries of holidays
_ODD_STAMPS = 0.05  # a daily series may have this share of bars that are not stamped midnight
_MIN_DAYS = 3
_MIN_SHARE = 0.005  # of bars speak against a calendar: Paris and Sydney differ on 1.8 % of days, most on 4 %
_STRAY = 0.01  # a series that differs from a calendar on fewer days trades on it, whatever its few bars on closed days
_BREAK_DAYS = 14  # longer without a bar is a suspension or an outage; the longest holidays are shorter
_DAILY = 0.25  # with bars on a smaller share of sessions (weekly ones) the weekday decides which are missing
_TELLING = 250  # sessions: a year without a difference is one market, whatever its calendar
_HELD = 64  # sets of days to compare before calendars are asked, which takes seconds to make them
_CHANCE = 16.0  # days count as left out on purpose where chance does so with a probability below exp(−16)


class TradingClocks:
    """Collects, symbol by symbol, which calendars can be everyone's.

    One calendar is everyone's if no symbol's dates speak against it. Against a calendar speak bars on days that it is
    closed, and sessions without a bar where these are another calendar's holidays and lack bars beyond chance: 3 days
    and 0.5 % of the symbol's bars together. So neither missing days, nor a suspension, nor an illiquid symbol, nor a
    history of a few months makes a calendar of its own. A symbol that speaks against all calendars trades on an
    exchange that is not among them (``unknown``), and is not taken to share a clock with anybody. Intraday bars (UTC
    stamps) share one clock, which is not that of daily ones. Symbols that have all their days in common need no
    calendar.

    What dates cannot tell is missed: exchanges with the same holidays and other hours (Frankfurt's floor and Xetra),
    and a market without a calendar here whose holidays are nobody else's, which looks like currencies with lost days.
    """

    def __init__(self) -> None:
        self._symbols: Counter[str] = Counter()
        self._against: Counter[tuple[str, str]] = Counter()  # symbols of a calendar that cannot trade on another
        self._names: tuple[str, ...] = ()
        self._intraday = 0
        self._waiting: dict[bytes, tuple[Dates, int]] = {}  # sets of days that were not held to calendars yet

    def note(self, dates: Dates) -> None:
        """Take one symbol's dates (N,), sorted ``datetime64[ns]``, into account."""
        recent = dates[-_RECENT:]
        days = recent.astype("datetime64[D]")
        midnight = days == recent
        if np.count_nonzero(~midnight) > _ODD_STAMPS * len(days):
            self._intraday += 1
            return
        days = days[midnight]
        days = days[days[-1:] - days < _SPAN]
        if len(days) < 2:
            return
        _, count = self._waiting.get(days.tobytes(), (days, 0))
        self._waiting[days.tobytes()] = days, count + 1
        if len(self._waiting) > _HELD:
            self._hear()

    def _hear(self) -> None:
        for days, count in self._waiting.values():
            self._names, misfit, against = _testimony(days)
            own = UNKNOWN if against.all() else self._names[int(np.argmin(np.where(against, np.inf, misfit)))]
            self._symbols[own] += count
            self._against.update({(own, n): count for n, told in zip(self._names, against, strict=True) if told})
        self._waiting.clear()

    @property
    def calendars(self) -> tuple[str, ...]:
        """The calendar of most symbols and those of symbols that cannot trade on it; one name if all share it.

        Symbols on no calendar that is known are ``unknown``, even to each other.
        """
        found: tuple[str, ...] = ()
        if not self._symbols and not self._intraday and _all_in_common([days for days, _ in self._waiting.values()]):
            found = (SAME_DAYS,)
        else:
            self._hear()
        if self._symbols:
            against: Counter[str] = Counter()
            for (_, name), count in self._against.items():
                against[name] += count
            common = min(self._names, key=lambda name: (against[name], -self._symbols[name]))
            others = [name for name, _ in self._symbols.most_common() if self._against[name, common]]
            # Where even the calendar of least objections suits nobody, it is nobody's.
            found = (common, *others) if against[common] < self._symbols.total() else tuple(others)
        return found + ((INTRADAY,) if self._intraday else ())

    @property
    def lag(self) -> int:
        """Sessions that a date's row must be old to be known to all: 0 where all share a known calendar, else 1."""
        return int(len(self.calendars) > 1 or UNKNOWN in self.calendars)


def _all_in_common(sets: list[Dates]) -> bool:
    """Whether each of these sets of days holds, from its first to its last, every day that any of them has."""
    every = np.unique(np.concatenate(sets)) if sets else np.empty(0, "datetime64[D]")
    inside = (np.searchsorted(every, days[-1], "right") - np.searchsorted(every, days[0]) for days in sets)
    return len(every) >= _TELLING and all(n == len(days) for n, days in zip(inside, sets, strict=True))


def _testimony(days: Dates) -> tuple[tuple[str, ...], npt.NDArray[np.float32], npt.NDArray[np.bool_]]:
    """Return calendars, on how many days each and these ``datetime64[D]`` days differ, and if they speak against it."""
    names, is_open = calendar_grid(days[0], days[-1])  # (C, span)
    at = (days - days[0]).astype(np.int64)
    steps = np.diff(at)
    watched = np.repeat(np.append(steps <= _BREAK_DAYS, True), np.append(steps, 1))
    watched[at] = True
    here = is_open[:, at]
    bars = here @ here.T  # (C, C): on days that both calendars are open
    sessions = (is_open * watched) @ is_open.T
    closed = len(days) - bars.diagonal()
    missing = sessions.diagonal() - bars.diagonal()
    evidence = closed + _left_out(sessions, bars).max(axis=1)
    enough = max(_MIN_DAYS, _MIN_SHARE * len(days))
    misfit, against = missing + closed, evidence >= enough
    best = int(np.argmin(misfit))
    against[best] &= misfit[best] > _STRAY * len(days)
    return names, misfit, against


def _left_out(sessions: npt.NDArray[np.float32], bars: npt.NDArray[np.float32]) -> npt.NDArray[np.float32]:
    """Return how many of a calendar's (row) sessions that are another's (column) holidays lack bars beyond chance.

    Of n such sessions a share s has bars, of the sessions of both a share q. Chance makes s so small with a probability
    of at most exp(−n·KL(s, q)), KL(s, q) = s·ln(s/q) + (1 − s)·ln((1 − s)/(1 − q)).

    References
    ----------
    Hoeffding (1963), Probability inequalities for sums of bounded random variables, theorem 1, equation 2.1.
    """
    n = sessions.diagonal()[:, None] - sessions
    held = bars.diagonal()[:, None] - bars
    s = held / np.maximum(n, 1.0)
    q = (bars + 0.5) / (sessions + 1.0)  # never 0 nor 1: what has not happened yet may
    present, absent = np.maximum(s, 1e-9), np.maximum(1.0 - s, 1e-9)
    surprise = n * (s * np.log(present / q) + (1.0 - s) * np.log(absent / (1.0 - q)))
    told = (s < q) & (q >= _DAILY) & (surprise >= _CHANCE)
    return np.where(told, bars / np.maximum(sessions, 1.0) * n - held, np.float32(0.0))
