"""A symbol's bars are judged and dated by the days and hours on which they come."""

from datetime import datetime

import numpy as np
import pytest

from features.bars.freshness import freshness
from features.bars.schedule import HoursOfWeek, Months, Period, Sessions, TradingWeekdays
from features.bars.schedule_fit import schedule_of
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
    assert schedule_of(bars) == schedule_of(np.delete(bars, [-300])) == Sessions("XNYS")
    assert schedule_of(np.delete(bars, [-9, -40])) == Sessions("XNYS", exact=False)
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


@pytest.mark.parametrize(
    ("exchange", "last", "bars"),
    [
        ("XWAR", "2024-04-29", 600),  # much like Frankfurt
        ("XLON", "2024-12-24", 130),  # half a year without a holiday looks like weekdays
        ("XTSE", "2024-02-16", 60),
        ("24/5", "2024-12-20", 780),  # currencies: three years may have no Christmas on a weekday
    ],
)
def test_days_of_a_calendar_that_fits_roughly_or_shortly_are_no_target_dates(exchange, last, bars):
    dates = sessions(exchange, "2020-01-01", last)[-bars:]
    schedule = schedule_of(dates)
    assert schedule.following(dates[-1], 5) is None
    assert schedule.missing(dates[-1], dates[-1] + np.timedelta64(15, "D")) in range(7, 12), "missing bars are counted"


@pytest.mark.parametrize(
    ("exchange", "last", "bars"),
    [
        ("XNYS", "2024-07-03", 262),
        ("XPAR", "2024-12-20", 800),
        ("XTSE", "2024-02-16", 262),
        ("24/5", "2024-12-20", 783),
    ],
)
def test_days_of_the_calendar_that_fits_exactly_are_target_dates(exchange, last, bars):
    dates = sessions(exchange, "2020-01-01", last)[-bars:]
    following = schedule_of(dates).following(dates[-1], 8)
    np.testing.assert_array_equal(following, sessions(exchange, last, "2025-02-01")[1:9])


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


@pytest.mark.parametrize("hour", [0, 4, 20])
@pytest.mark.parametrize("months", [1, 3, 12])
def test_months_are_counted_in_the_calendar_whatever_their_stamp(hour, months):
    starts = np.arange("2004-01", "2024-05", months, dtype="datetime64[M]").astype("datetime64[ns]")
    bars = starts + np.timedelta64(hour if hour < 12 else hour - 24, "h")  # in the east, midnight is of the day before
    schedule = schedule_of(bars)
    assert schedule == Months(months) and schedule.following(bars[-1], 1) is None
    due = starts[-1].astype("datetime64[M]")
    for late, missing in ((1, 0), (2, 1), (97, 96)):
        end = (due + late * months).astype("datetime64[D]").astype("datetime64[ns]") + np.timedelta64(1, "h")
        assert schedule.missing(bars[-1], end) == missing
        assert schedule.missing(bars[-1], end - np.timedelta64(2, "D")) == max(missing - 1, 0)
    assert not at(bars, f"{due + 2 * months}-01").stale and at(bars, f"{due + 3 * months}-01").stale


@pytest.mark.parametrize("days_apart", [2, 3, 7])
def test_stamped_bars_more_than_a_day_apart_are_judged_by_their_period(days_apart):
    bars = days("2019-01-04", "2024-11-19", days_apart)
    assert schedule_of(bars + np.timedelta64(21, "h")) == schedule_of(bars) == Period(days_apart)


@pytest.mark.parametrize(("seconds", "unit"), [(10, "10 seconds"), (90, "90 seconds"), (60, "1 minute")])
def test_bars_of_seconds_are_counted_and_dated_in_seconds(seconds, unit):
    bars = np.datetime64("2024-01-01", "ns") + np.arange(9 * 86_400 // seconds) * np.timedelta64(seconds, "s")
    schedule = schedule_of(bars)
    assert schedule.following(bars[-1], 6)[-1] == bars[-1] + np.timedelta64(6 * seconds, "s")
    assert schedule.missing(bars[-1], bars[-1] + np.timedelta64(3600, "s")) == 3600 // seconds - 1
    assert schedule.unit(2) == f"bars of {unit}"
    ticks = np.sort(bars + np.random.default_rng(0).integers(0, seconds * 10**9, len(bars)).astype("timedelta64[ns]"))
    assert schedule_of(ticks).following(ticks[-1], 1) is None, "the next one may come at any time"


def test_intraday_bars_are_judged_by_their_hours():
    coin = np.arange("2024-06-01T00", "2024-11-21T09", dtype="datetime64[h]").astype("datetime64[ns]")
    schedule = schedule_of(coin)
    assert isinstance(schedule, HoursOfWeek) and schedule.seconds == 3600 and schedule.exact
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
    assert "bars of 60 minutes, those of holidays and short days counted, are" in at(stock, "2024-11-27T12:00").text
    assert at(stock, "2024-11-27T12:00").stale


def test_bars_of_another_century_need_no_calendars():
    bars = sessions("24/5", "1985-01-01", "1987-12-31")
    assert schedule_of(bars) == TradingWeekdays((True, True, True, True, True, False, False))


def test_bars_of_the_future_are_not_stale():
    bars = sessions("XNYS", "2021-01-04", "2024-11-27")
    assert at(bars, "2024-01-01").missing == 0 and not at(bars, "2024-01-01").stale
