"""A symbol's bars are judged and dated by the days and hours on which they come."""

from datetime import datetime

import numpy as np
import pytest

from features.bars.freshness import freshness
from features.bars.schedule import HoursOfWeek, Period, Sessions, TradingWeekdays, schedule_of
from features.bars.sessions import sessions_between


def days(first, last, step=1):
    return np.arange(first, last, step, dtype="datetime64[D]").astype("datetime64[ns]")


def sessions(name, first, last):
    return sessions_between(name, np.datetime64(first), np.datetime64(last)).astype("datetime64[ns]")


def on(day):
    return np.datetime64(day, "ns")


def at(dates, now):
    return freshness(schedule_of(dates), dates[-1].astype("datetime64[us]").item(), datetime.fromisoformat(now))


def test_a_stock_is_judged_by_the_sessions_of_its_exchange():
    bars = sessions("XNYS", "2021-01-04", "2024-11-27")
    assert schedule_of(bars) == schedule_of(np.delete(bars, [-9, -40, -300])) == Sessions("XNYS")
    # Thanksgiving is no session, and the session of the day itself may not be over.
    for now, missing in (("2024-11-28T23:00", 0), ("2024-11-29T23:00", 0), ("2024-11-30T01:00", 1), ("2024-12-03", 2)):
        assert at(bars, now).missing == missing and not at(bars, now).stale
    assert not at(bars, "2024-12-04T23:00").stale and at(bars, "2024-12-05T00:10").stale
    assert at(bars, "2024-12-05T00:10").text == ("bars end on 2024-11-27, 8 days ago (4 sessions of XNYS are missing)")


def test_the_next_bars_skip_weekends_and_holidays():
    schedule = schedule_of(sessions("XNYS", "2010-01-04", "2018-12-31"))
    found = schedule.following(on("2018-12-31"), 5).astype("datetime64[D]").astype(str).tolist()
    assert found == ["2019-01-02", "2019-01-03", "2019-01-04", "2019-01-07", "2019-01-08"]
    tokyo = schedule_of(sessions("XTKS", "2021-01-04", "2024-12-30"))
    assert tokyo == Sessions("XTKS")
    assert tokyo.following(on("2024-12-30"), 1)[0] == on("2025-01-06")


def test_years_whose_holidays_are_not_announced_have_no_dates_but_still_age():
    mumbai = Sessions("XBOM")
    announced = sessions("XBOM", "2025-01-01", "2035-12-31")[-1]
    assert mumbai.following(announced, 1) is None
    assert mumbai.missing(announced, announced + np.timedelta64(365, "D")) > 200


def test_coins_are_judged_by_days_and_dated_by_days():
    bars = days("2023-01-01", "2024-11-21")
    assert schedule_of(bars) == Sessions("24/7")
    assert schedule_of(bars).following(bars[-1], 2)[-1] == on("2024-11-22")
    assert not at(bars, "2024-11-24T12:00").stale
    assert at(bars, "2024-11-25T12:00").text == "bars end on 2024-11-20, 5 days ago (4 days are missing)"


def test_markets_that_no_calendar_has_are_judged_by_their_weekdays():
    bars = days("2023-01-01", "2024-11-21")
    weekday = (bars.astype("datetime64[D]").astype(int) + 3) % 7
    riyadh = bars[(weekday != 4) & (weekday != 5)]
    assert schedule_of(riyadh) == TradingWeekdays((True, True, True, True, False, False, True))
    assert at(riyadh, "2024-11-24T12:00").missing == 1 and schedule_of(riyadh).following(riyadh[-1], 1) is None
    assert isinstance(schedule_of(riyadh[-10:]), TradingWeekdays), "a few days fit any calendar"
    assert isinstance(schedule_of(riyadh[-1:]), TradingWeekdays)


@pytest.mark.parametrize(
    ("step", "fresh", "stale"), [(7, "2024-11-24", "2024-12-10"), (30, "2024-12-20", "2025-02-20")]
)
def test_rarer_bars_are_judged_by_their_period(step, fresh, stale):
    bars = days("2019-01-07", "2024-11-19", step)
    assert schedule_of(bars) == Period(step) and schedule_of(bars).following(bars[-1], 1) is None
    assert not at(bars, fresh).stale and at(bars, stale).stale


def test_intraday_bars_are_judged_by_their_hours():
    coin = np.arange("2024-06-01T00", "2024-11-21T09", dtype="datetime64[h]").astype("datetime64[ns]")
    schedule = schedule_of(coin)
    assert isinstance(schedule, HoursOfWeek) and schedule.minutes == 60
    assert schedule.following(coin[-1], 2)[-1] == np.datetime64("2024-11-21T10", "ns")
    assert not at(coin, "2024-11-21T12:30").stale
    assert at(coin, "2024-11-21T13:30").text == (
        "bars end at 2024-11-21 08:00 UTC, 5 hours ago (4 bars of 60 minutes are missing)"
    )
    stock = sessions("XNYS", "2024-01-02", "2024-11-22").astype("datetime64[h]")[:, None] + np.arange(14, 21)
    stock = stock.ravel().astype("datetime64[ns]")
    assert schedule_of(stock).following(stock[-1], 1) is None
    assert at(stock, "2024-11-25T13:00").missing == 0, "closed on the weekend"
    assert not at(stock, "2024-11-26T12:00").stale, "one day may be a holiday"
    assert at(stock, "2024-11-27T12:00").stale


def test_bars_of_another_century_need_no_calendars():
    bars = sessions("24/5", "1985-01-01", "1987-12-31")
    assert schedule_of(bars) == TradingWeekdays((True, True, True, True, True, False, False))


def test_bars_of_the_future_are_not_stale():
    bars = sessions("XNYS", "2021-01-04", "2024-11-27")
    assert at(bars, "2024-01-01").missing == 0 and not at(bars, "2024-01-01").stale
