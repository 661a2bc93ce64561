"""When bars are complete: closes of exchanges, early ones included, and ends of days and periods."""

from datetime import UTC, datetime

import numpy as np
import pytest

from features.bars.closes import bar_close, bar_date
from features.bars.schedule import HoursOfWeek, Months, Period, Sessions, TradingWeekdays


@pytest.mark.parametrize(
    ("calendar", "day", "close"),
    [
        ("XNYS", "2026-11-27", datetime(2026, 11, 27, 18)),  # the day after Thanksgiving
        ("XNYS", "2026-03-06", datetime(2026, 3, 6, 21)),
        ("XNYS", "2026-03-09", datetime(2026, 3, 9, 20)),  # summer time
        ("XTKS", "2026-03-06", datetime(2026, 3, 6, 6, 30)),
        ("XNYS", "2026-11-26", datetime(2026, 11, 27)),  # no session: a bar all the same
        ("24/7", "2026-03-07", datetime(2026, 3, 8)),
        ("24/5", "2026-03-06", datetime(2026, 3, 7)),
    ],
)
def test_a_daily_bar_is_complete_at_the_close_of_its_session(calendar, day, close):
    assert bar_close(Sessions(calendar), np.datetime64(day)) == close.replace(tzinfo=UTC)


def test_a_calendar_that_fits_roughly_dates_no_close():
    assert bar_close(Sessions("XNYS", exact=False), np.datetime64("2026-03-06")) == datetime(2026, 3, 7, tzinfo=UTC)


def test_a_date_beyond_the_calendar_is_not_known():
    assert bar_close(Sessions("XBOM"), np.datetime64("2095-03-07")) is None


@pytest.mark.parametrize(
    ("schedule", "date", "close"),
    [
        (HoursOfWeek((0,), 3600.0), "2026-03-06T14:30", datetime(2026, 3, 6, 15, 30)),
        (Period(7), "2026-03-02", datetime(2026, 3, 9)),
        (Months(1), "2026-03-31", datetime(2026, 4, 1)),
        (Months(3), "2026-01-01", datetime(2026, 4, 1)),
        (TradingWeekdays((True,) * 7), "2026-03-06", datetime(2026, 3, 7)),
    ],
)
def test_other_bars_are_complete_at_the_end_of_their_period(schedule, date, close):
    stamp = np.datetime64(date)
    assert bar_close(schedule, stamp) == close.replace(tzinfo=UTC)
    assert (
        bar_date(stamp).tzinfo is UTC and bar_date(stamp).replace(tzinfo=None) == stamp.astype("datetime64[us]").item()
    )
