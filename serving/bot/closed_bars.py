"""Which bars are complete at an instant, when each was, and which symbols are late, stale or without a calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np

from features.bars.arrays import Dates
from features.bars.closes import bar_close, bar_date
from features.bars.freshness import freshness
from features.bars.schedule import BarSchedule, HoursOfWeek, Sessions, TradingWeekdays
from features.bars.sessions import ALWAYS, WEEKDAYS, is_known, session_close

_FIRST_DAYS = 14  # a bot without a past begins with the newest date of these
Problem = Literal["stale", "calendar_unknown", "no_bars"]


@dataclass(frozen=True, slots=True)
class ClosedBars:
    """The complete bars of a symbol at an instant.

    ``count`` of its bars are complete; the newest of them is of ``date`` and was complete at ``close``. With a
    ``problem`` the symbol must not be traded, for this ``reason``.
    """

    symbol: str
    schedule: BarSchedule
    count: int
    date: np.datetime64 | None = None
    close: datetime | None = None
    problem: Problem | None = None
    reason: str = ""


def closed_bars(
    symbol: str, schedule: BarSchedule, dates: Dates, now: datetime, written: datetime | None = None
) -> ClosedBars:
    """Return which bars of a symbol with these dates (N,) are complete at ``now``, and what keeps it from being used.

    A bar that is still being formed is never counted, nor one that was stored, at the time ``written``, while it was.
    """
    known = now if written is None else min(now, written)
    naive = now.astimezone(UTC).replace(tzinfo=None)
    count = int(np.searchsorted(dates, np.datetime64(naive, "ns")))  # a bar is complete after its own date
    unknown = ""
    while count:
        close = bar_close(schedule, dates[count - 1])
        if close is not None and close <= known:
            break
        unknown = unknown or ("" if close else _unknown(schedule, dates[count - 1]))
        count -= 1
    today = np.datetime64(naive, "D")
    if isinstance(schedule, Sessions) and schedule.exact and not is_known(schedule.calendar, today):
        unknown = _unknown(schedule, today)
    if not count:
        reason = unknown or f"no bar is complete at {now:%Y-%m-%d %H:%M}Z"
        return ClosedBars(symbol, schedule, 0, problem="calendar_unknown" if unknown else "no_bars", reason=reason)
    last = dates[count - 1]
    if unknown:
        return ClosedBars(symbol, schedule, count, last, close, "calendar_unknown", unknown)
    fresh = freshness(schedule, last.astype("datetime64[us]").item(), naive.replace(second=0, microsecond=0))
    if fresh.stale:
        return ClosedBars(symbol, schedule, count, last, close, "stale", fresh.text)
    return ClosedBars(symbol, schedule, count, last, close)


def expected_close(schedule: BarSchedule, date: np.datetime64) -> datetime | None:
    """Return when the bar that a symbol should have on a date is complete; None if no bar is expected then."""
    day = date.astype("datetime64[D]")
    weekday = int((day.astype(np.int64) + 3) % 7)
    match schedule:
        case Sessions(calendar=name, exact=True) if name not in (ALWAYS, WEEKDAYS):
            close = session_close(name, day)
            return None if close is None else bar_date(close)
        case Sessions(calendar=name):
            return bar_close(schedule, date) if name == ALWAYS or weekday < 5 else None
        case TradingWeekdays(open_days=open_days):
            return bar_close(schedule, date) if open_days[weekday] else None
        case HoursOfWeek():
            return bar_close(schedule, date) if schedule.has_start(date) else None
        case _:
            return None


@dataclass(frozen=True, slots=True)
class Row:
    """Bars of one date that are ready to be acted on.

    ``date`` is the bars' own, ``instant`` (UTC) the close of the last of them. ``late`` says why symbols that should
    have a bar are left out.
    """

    date: np.datetime64
    instant: datetime
    late: dict[str, str]


def ready_rows(
    symbols: dict[str, tuple[ClosedBars, Dates]], after: np.datetime64 | None, now: datetime, wait: timedelta
) -> list[Row]:
    """Return the dates after ``after`` whose bars can be acted on, in order; without one, the newest such date only.

    A date is ready when every symbol that should have a bar has it, or ``wait`` has passed since the bar was due. Later
    dates are not ready before earlier ones. Symbols with a problem are not waited for, and if all have one there is
    nothing to do.

    Parameters
    ----------
    symbols
        The verdict on each symbol at ``now``, and the dates of its bars.
    """
    usable = {
        name: (one, dates[: one.count])
        for name, (one, dates) in symbols.items()
        if one.count and one.problem in (None, "stale")
    }
    newest = max((dates[-1] for one, dates in usable.values() if one.problem is None), default=None)
    if newest is None:
        return []
    since = after if after is not None else newest - np.timedelta64(_FIRST_DAYS, "D")
    new = [dates[np.searchsorted(dates, since, side="right") :] for _, dates in usable.values()]
    rows: list[Row] = []
    for date in np.unique(np.concatenate(new)):
        row = _row(date, usable, now, wait)
        if row is None:
            break
        rows.append(row)
    return rows if after is not None else rows[-1:]


def _row(
    date: np.datetime64, usable: dict[str, tuple[ClosedBars, Dates]], now: datetime, wait: timedelta
) -> Row | None:
    instants, late = set[datetime](), dict[str, str]()
    closes: dict[tuple[BarSchedule, bool], datetime | None] = {}  # most symbols of a universe share their schedule
    for name, (one, dates) in usable.items():
        place = int(np.searchsorted(dates, date))
        has_bar = place < len(dates) and dates[place] == date
        if not has_bar and place < len(dates):  # a hole, or before the symbol's first bar
            continue
        if not has_bar and one.problem is not None:
            late[name] = one.reason
            continue
        key = one.schedule, has_bar
        if key not in closes:
            closes[key] = (bar_close if has_bar else expected_close)(one.schedule, date)
        close = closes[key]
        if has_bar and close is not None:
            instants.add(close)
        elif close is not None:
            if now < close + wait:
                return None
            late[name] = f"no bar of {_day(date)}, due at {close:%Y-%m-%d %H:%M}Z"
    return Row(date, max(instants), late)


def _unknown(schedule: BarSchedule, date: np.datetime64) -> str:
    assert isinstance(schedule, Sessions)
    return f"the sessions of {schedule.calendar} are not known for {_day(date)}"


def _day(date: np.datetime64) -> str:
    text = str(date.astype("datetime64[m]"))
    return text.removesuffix("T00:00").replace("T", " ")
