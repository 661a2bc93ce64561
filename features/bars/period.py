"""The period of a symbol's bars: what one bar covers, and how many of them a year has, from the dates alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from configs.errors import DataError, shortened
from features.bars.arrays import Dates, Float
from features.bars.by_content import ByContent

Int64 = npt.NDArray[np.int64]

UNKNOWN = "unknown"

_DAY_S = 86_400.0
_YEAR_DAYS = 365.25
_YEAR_WEEKS = _YEAR_DAYS / 7.0
_MIN_BARS = 8
_CACHED_BARS = 5_000
_MAJORITY = 2.0 / 3.0
_RECENT_BARS, _RECENT_DAYS = 100_000, 2_520  # ten years of sessions: how the market trades now
_INTRADAY = 1.2  # bars a day on which there are any; a daily series can have two on the day of a change of the clock
_QUIET = 0.1  # of the bars of the busiest hour: an hour with fewer is outside the session
_NEIGHBOURS = 0.1  # share of steps of one day in a daily series with holes
_BREAK_DAYS = 14  # a longer gap is a halt or a hole in the data; the longest holidays are shorter
_OPEN_SHARE = 0.5  # a weekday with bars on half as many weeks as the busiest is one on which the market is open
_SPARSE = 0.75  # bars on a smaller share of the open days are those of an illiquid series, not one with holes
_PRIOR_YEARS = 0.5  # weight of the usual share of holidays: a few months show little of it
_SESSIONS, _WEEKDAYS, _ALL_DAYS = 252.0, 260.0, 365.0  # a year of an exchange, of currencies, and around the clock
_SNAP = 0.015  # most exchanges have 250 to 255 sessions a year: by convention 252
_FEWEST_SESSIONS = 242.0  # no exchange that opens five days a week has fewer; others are missing from the data
_LONGER = (  # days between bars from, to; name; bars a year
    (5.5, 8.5, "weekly", _YEAR_WEEKS),
    (26.0, 34.0, "monthly", 12.0),
    (84.0, 98.0, "quarterly", 4.0),
    (350.0, 380.0, "yearly", 1.0),
)
_UNITS = {"daily": "trading day", "weekly": "week", "monthly": "month", "quarterly": "quarter", "yearly": "year"}
_CLOCK = ((_DAY_S, "day"), (3_600.0, "hour"), (60.0, "minute"), (1.0, "second"))


@dataclass(frozen=True, slots=True)
class BarPeriod:
    """What one bar of a series covers.

    ``name`` is ``daily``, ``weekly``, ``monthly``, ``quarterly``, ``yearly``, ``hourly``, or such as ``5-minute``,
    ``4-hour`` and ``3-day``; ``unknown`` for fewer than eight bars. ``seconds`` is the time from one bar to the next
    while the market is open. A variance per bar times ``bars_per_year`` is one per year.
    """

    name: str = UNKNOWN
    seconds: float = _DAY_S
    bars_per_year: float = _SESSIONS

    @property
    def is_intraday(self) -> bool:
        """Whether a day has several bars."""
        return self.seconds < _DAY_S

    def differs(self, other: BarPeriod) -> bool:
        """Whether two series cannot be parts of one; a daily one with holes can look like one of every other day."""
        names = {period.name for period in (self, other) if period.name != UNKNOWN}
        return len(names) > 1 and not all(name == "daily" or name.endswith("-day") for name in names)

    def refusal(self, given: BarPeriod) -> str:
        """Return why a model that was fitted on this period cannot forecast bars of another; empty if it can."""
        if UNKNOWN in (given.name, self.name) or given.name == self.name:
            return ""
        return (
            f"the bars are {given.name} and the model was fitted on {self.name} ones. "
            f"Give {self.name} bars, or train a model of {given.name} bars."
        )

    def in_words(self, bars: int) -> str:
        """Return the time that so many bars take: ``5 trading days``, ``5 hours``, ``75 minutes``, ``1 week``."""
        count, unit = float(bars), _UNITS.get(self.name, "bar")
        if self.is_intraday:
            seconds = bars * self.seconds
            count, unit = next((seconds / size, name) for size, name in _CLOCK if seconds % size == 0 or size == 1.0)
        return f"{count:g} {unit}{'s' * (count != 1.0)}"


def common_period(periods: Mapping[str, BarPeriod]) -> BarPeriod:
    """Return the period that all symbols have, with their median bars a year.

    Raises
    ------
    DataError
        They have different ones. Series too short to tell have any.
    """
    symbols: dict[str, list[str]] = {}
    for symbol, period in periods.items():
        if period.name != UNKNOWN:
            symbols.setdefault(period.name, []).append(symbol)
    if len(symbols) > 1:
        found = " and ".join(f"{name} bars ({shortened(some)})" for name, some in symbols.items())
        raise DataError(f"{found} cannot be used together: a model is of one period. Give the symbols of one period.")
    known = [period for period in periods.values() if period.name != UNKNOWN]
    if not known:
        return BarPeriod()
    return BarPeriod(known[0].name, known[0].seconds, float(np.median([period.bars_per_year for period in known])))


def other_periods(periods: Mapping[str, BarPeriod]) -> dict[str, str]:
    """Return why symbols cannot be used with the others: those whose bars are not of the period that most have.

    Raises
    ------
    DataError
        No period is that of at least two thirds of the symbols, so that it is a guess which ones are meant.
    """
    names = {symbol: period.name for symbol, period in periods.items() if period.name != UNKNOWN}
    if not names:
        return {}
    (common, count), *_ = Counter(names.values()).most_common()
    if count < _MAJORITY * len(names):
        common_period(periods)
    return {
        symbol: f"{name} bars, and most symbols have {common} ones; a model is of one period. Train them in another run"
        for symbol, name in names.items()
        if name != common
    }


def bar_period(dates: Dates) -> BarPeriod:
    """Return the period of a series and its bars a year.

    Parameters
    ----------
    dates
        Dates of one symbol's bars, sorted, unique, ``datetime64[ns]`` (N,); session dates, or times in any one zone.

    Notes
    -----
    Bars a year follow from the weekdays on which there are bars, the share of those days that have any, and the usual
    number of bars on each of them. Holidays lower the share; halts of over two weeks are left out; a five-day week with
    fewer sessions than any exchange has is taken to have holes. Where the estimate is near it, a year is 252 sessions
    of an exchange, 260 of currencies, or 365 around the clock, so that symbols of one market have the same year.
    """
    if len(dates) <= _CACHED_BARS:
        return _known_period(dates)
    return _period(dates[-_RECENT_BARS:])


def _period(dates: Dates) -> BarPeriod:
    if len(dates) < _MIN_BARS:
        return BarPeriod()
    days, _ = _by_day(dates)
    if len(dates) > _INTRADAY * len(days):
        return _intraday(dates)
    steps = np.diff(dates).astype(np.int64) / (_DAY_S * 1e9)
    typical = float(np.median(steps))
    for low, high, name, bars_per_year in _LONGER:
        if low <= typical <= high:
            return BarPeriod(name, round(_YEAR_DAYS / bars_per_year) * _DAY_S, bars_per_year)
    if typical < 1.5 or (typical < 5.5 and np.count_nonzero(steps < 1.5) > _NEIGHBOURS * len(steps)):
        return BarPeriod("daily", _DAY_S, round(float(_days_per_year(days).sum()), 6))
    length = max(round(typical), 1)
    regular = steps[steps <= 5.0 * typical]
    return BarPeriod(f"{length}-day", length * _DAY_S, float(_YEAR_DAYS / regular.mean()))


_known_period = ByContent(_period, most=8192)


def _intraday(dates: Dates) -> BarPeriod:
    days, counts = _by_day(dates - _start_of_day(dates))
    steps = np.diff(dates).astype("timedelta64[s]").astype(np.int64)
    lengths, times = np.unique(steps[steps < _DAY_S], return_counts=True)
    seconds = float(max(lengths[int(np.argmax(times))], 1))
    weekday, recent = _weekdays(days[-_RECENT_DAYS:]), counts[-_RECENT_DAYS:]
    usual = [np.median(recent[weekday == day]) if (weekday == day).any() else 0.0 for day in range(7)]
    return BarPeriod(_clock_name(seconds), seconds, round(float(_days_per_year(days) @ np.array(usual)), 6))


def _start_of_day(dates: Dates) -> np.timedelta64:
    """Return the middle of the hours of the day without bars, so that a session in another zone is of one day."""
    hours = (dates.astype("datetime64[h]").astype(np.int64)) % 24
    counts = np.bincount(hours, minlength=24)
    quiet = np.tile(counts < _QUIET * counts.max(), 2)
    ends = np.flatnonzero(~quiet)
    gaps = np.diff(ends)
    longest = int(np.argmax(gaps))
    return np.timedelta64(int(ends[longest] + gaps[longest] // 2 + 1) if gaps[longest] > 1 else 0, "h")


def _clock_name(seconds: float) -> str:
    size, unit = next((size, unit) for size, unit in _CLOCK if seconds % size == 0)
    return "hourly" if seconds == 3_600.0 else f"{seconds / size:.0f}-{unit}"


def _by_day(dates: Dates) -> tuple[Dates, Int64]:
    """Return the days that have bars (D,), and the number of bars on each."""
    days = dates.astype("datetime64[D]")
    starts = np.flatnonzero(np.append(True, days[1:] != days[:-1]))
    return days[starts], np.diff(np.append(starts, len(days)))


def _weekdays(days: Dates) -> Int64:
    """Return 0 for Monday to 6 for Sunday."""
    weekdays: Int64 = (days.astype(np.int64) + 3) % 7
    return weekdays


def _days_per_year(days: Dates) -> Float:
    """Return how many of each weekday have bars in a year, (7,), from the days that have any (D,)."""
    days = days[-_RECENT_DAYS:]
    gaps = np.diff(days).astype(np.int64)
    observed = np.repeat(np.append(gaps <= _BREAK_DAYS, True), np.append(gaps, 1))
    observed[(days - days[0]).astype(np.int64)] = True
    possible = np.bincount(_weekdays(days[0] + np.flatnonzero(observed)), minlength=7)
    present = np.bincount(_weekdays(days), minlength=7)
    share = present / np.maximum(possible, 1)
    is_open = share >= _OPEN_SHARE * share.max()
    width = int(np.count_nonzero(is_open))
    usual = {5: _SESSIONS / (5 * _YEAR_WEEKS), 7: 1.0}.get(width)
    found, total = float(present[is_open].sum()), float(possible[is_open].sum())
    if usual is not None:
        prior = _PRIOR_YEARS * _YEAR_WEEKS * width
        found, total = found + prior * usual, total + prior
    year = found / total * _YEAR_WEEKS * width
    return np.where(is_open, _conventional(year, width) / width, share * _YEAR_WEEKS)


def _conventional(days: float, width: int) -> float:
    """Return the days with bars in a year of ``width`` open days a week, given their estimate."""
    if width == 7:
        return _ALL_DAYS if days >= _SPARSE * _ALL_DAYS else days
    if width == 5 and _SPARSE * _SESSIONS <= days < _FEWEST_SESSIONS:
        return _SESSIONS
    near = (year for year in (_SESSIONS, _WEEKDAYS * width / 5.0) if abs(days / year - 1.0) <= _SNAP)
    return next(near, days)
