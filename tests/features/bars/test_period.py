"""The period of a series and its bars a year, whatever its market, holidays, holes and length."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import DataError
from features.bars.gaps import missing_bars
from features.bars.period import BarPeriod, bar_period, common_period, other_periods
from features.bars.sessions import session_gaps


def every(freq: str, first: str = "2020-01-01", last: str = "2021-12-31") -> np.ndarray:
    return pd.date_range(first, last, freq=freq).to_numpy().astype("datetime64[ns]")


def sessions(name: str, first: str = "2014-01-02", last: str = "2021-12-30") -> np.ndarray:
    ends = np.array([first, last], "datetime64[ns]")
    return np.union1d(ends, session_gaps(ends, name))


def within_days(days: np.ndarray, start: str, end: str, freq: str, zone: str) -> np.ndarray:
    """Return the UTC times of bars between two hours of the local day, on these days."""
    clock = np.arange(*(pd.Timedelta(text).to_timedelta64() for text in (start, end, freq)))
    local = pd.DatetimeIndex((days[:, None] + clock).ravel()).tz_localize(zone)
    return local.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[ns]")


def currencies(freq: str) -> np.ndarray:
    """Return the times from Sunday 22:00 to Friday 22:00 UTC."""
    times = pd.date_range("2020-01-05 22:00", "2021-12-31", freq=freq)
    day, hour = times.day_of_week, times.hour
    return times[(day < 4) | ((day == 4) & (hour < 22)) | ((day == 6) & (hour >= 22))].to_numpy("datetime64[ns]")


NEW_YORK = sessions("XNYS")
YEAR = sessions("XNYS", "2021-01-04", "2021-12-30")

SERIES = {
    "New York": (NEW_YORK, "daily", 252),
    "New York, four months": (NEW_YORK[:80], "daily", 252),
    "Tokyo": (sessions("XTKS"), "daily", 245),
    "Shanghai": (sessions("XSHG"), "daily", 244),
    "Frankfurt": (sessions("XETR"), "daily", 253.5),
    "currencies": (every("B"), "daily", 260),
    "currencies with Sundays": (every("D")[pd.DatetimeIndex(every("D")).day_of_week != 5], "daily", 312),
    "crypto": (every("D"), "daily", 365),
    "crypto, a quarter": (every("D")[:90], "daily", 365),
    "daily at the close, UTC": (within_days(NEW_YORK, "16h", "17h", "1h", "America/New_York"), "daily", 252),
    "weekly on Fridays": (every("W-FRI"), "weekly", 52.2),
    "weekly on Mondays": (every("W-MON"), "weekly", 52.2),
    "monthly": (every("BME", "2000-01-01"), "monthly", 12),
    "first of the month": (every("MS", "2000-01-01"), "monthly", 12),
    "quarterly": (every("QE", "2000-01-01"), "quarterly", 4),
    "yearly": (every("YE", "1980-01-01"), "yearly", 1),
    "hourly": (within_days(YEAR, "9.5h", "16h", "1h", "America/New_York"), "hourly", 1764),
    "hourly, a month": (within_days(YEAR[:22], "9.5h", "16h", "1h", "America/New_York"), "hourly", 1764),
    "hourly, extended hours": (within_days(YEAR, "4h", "20h", "1h", "America/New_York"), "hourly", 4032),
    "hourly in Sydney": (within_days(YEAR, "10h", "16h", "1h", "Australia/Sydney"), "hourly", 1512),
    "half hours": (within_days(YEAR, "9.5h", "16h", "30min", "America/New_York"), "30-minute", 3276),
    "5 minutes": (within_days(YEAR, "9.5h", "16h", "5min", "America/New_York"), "5-minute", 19656),
    "minutes": (within_days(YEAR[:60], "9.5h", "16h", "1min", "America/New_York"), "1-minute", 98280),
    "two a day": (within_days(YEAR, "9.5h", "16h", "4h", "America/New_York"), "4-hour", 504),
    "hourly currencies": (currencies("1h"), "hourly", 6240),
    "hourly crypto": (every("h"), "hourly", 8766),
    "15 minutes of crypto": (every("15min", "2021-06-01"), "15-minute", 35064),
    "4 hours of crypto": (every("4h"), "4-hour", 2191),
    "every third day": (every("3D"), "3-day", 121.75),
}


@pytest.mark.parametrize(("dates", "name", "bars_per_year"), SERIES.values(), ids=SERIES)
def test_period_and_bars_a_year(dates, name, bars_per_year):
    found = bar_period(dates)
    assert found.name == name
    assert found.bars_per_year == pytest.approx(bars_per_year, rel=0.01)


@pytest.mark.parametrize("name", ["New York", "crypto", "hourly", "hourly currencies", "weekly on Fridays", "monthly"])
def test_halts_holes_and_missing_bars_do_not_shorten_the_year(name):
    dates, period, bars_per_year = SERIES[name]
    rng, middle = np.random.default_rng(0), len(dates) // 2
    halted = np.delete(dates, slice(middle, middle + len(dates) // 5))
    holes = np.delete(dates, rng.integers(0, len(dates), len(dates) // 50))
    late = np.append(np.datetime64("1999-12-30", "ns"), dates)
    for series in (halted, holes, late):
        found = bar_period(series)
        assert found.name == period and found.bars_per_year == pytest.approx(bars_per_year, rel=0.03)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    week=st.sampled_from([(0, 1, 2, 3, 4), (6, 0, 1, 2, 3), (0, 1, 2, 3, 4, 5), tuple(range(7))]),
    holidays=st.integers(2, 14),
    bars_a_day=st.integers(1, 8),
    years=st.integers(2, 8),
)
def test_any_calendar(seed, week, holidays, bars_a_day, years):
    rng = np.random.default_rng(seed)
    days = np.arange(np.datetime64("2012-01-01"), np.datetime64(f"{2012 + years}-01-01"))
    open_days = days[np.isin((days.astype(int) + 3) % 7, week)]
    per_year = 365.25 * len(week) / 7
    if len(week) < 7:  # a market around the clock has no holidays
        of_year = rng.choice(366, round(holidays * 366 / per_year), replace=False)
        open_days = open_days[~np.isin((open_days - open_days.astype("datetime64[Y]")).astype(int), of_year)]
    true = len(open_days) / years * bars_a_day
    clock = np.arange(bars_a_day) * np.timedelta64(3_600, "s")
    dates = (open_days.astype("datetime64[s]")[:, None] + np.timedelta64(36_000, "s") + clock).ravel()
    found = bar_period(dates.astype("datetime64[ns]"))
    assert found.name == ("daily" if bars_a_day == 1 else "hourly")
    # Within 1.5 % of it a year is 252 sessions by convention, and a short series is drawn to them.
    assert found.bars_per_year == pytest.approx(true, rel=0.023)


def test_too_few_bars_tell_no_period():
    assert bar_period(every("W-FRI")[:7]) == BarPeriod() == bar_period(every("h")[:0])
    assert bar_period(every("W-FRI")[:8]).name == "weekly"


def test_a_horizon_in_words():
    words = {name: bar_period(dates).in_words(5) for name, (dates, *_) in SERIES.items()}
    assert words["New York"] == "5 trading days" and words["weekly on Fridays"] == "5 weeks"
    assert (
        words["hourly"] == "5 hours" and words["5 minutes"] == "25 minutes" and words["4 hours of crypto"] == "20 hours"
    )
    assert words["monthly"] == "5 months" and words["every third day"] == "5 bars"
    assert bar_period(NEW_YORK).in_words(1) == "1 trading day" and BarPeriod().in_words(5) == "5 bars"


def test_symbols_of_different_periods_are_not_used_together():
    daily, weekly = bar_period(NEW_YORK), bar_period(every("W-FRI"))
    assert common_period({"A": daily, "B": BarPeriod(), "C": bar_period(every("D"))}).name == "daily"
    with pytest.raises(DataError, match=r"daily bars \(A, B\) and weekly bars \(C\)"):
        common_period({"A": daily, "B": daily, "C": weekly})
    assert list(other_periods({"A": daily, "B": daily, "C": weekly})) == ["C"]
    with pytest.raises(DataError, match="one period"):
        other_periods({"A": daily, "C": weekly})


def test_gaps_are_missing_bars_of_the_period():
    weekly = every("W-FRI")
    moved = weekly.copy()
    moved[10] -= np.timedelta64(1, "D")  # Good Friday
    assert len(missing_bars(moved, bar_period(moved))[1]) == 0
    np.testing.assert_array_equal(missing_bars(np.delete(weekly, 20), bar_period(weekly))[1], weekly[20:21])
    monthly = every("BME", "2000-01-01")
    found = missing_bars(np.delete(monthly, 5), bar_period(monthly))[1]
    np.testing.assert_array_equal(found, np.array(["2000-06-01"], "datetime64[ns]"))
    hourly = SERIES["hourly"][0]
    assert missing_bars(hourly, bar_period(hourly)) == (None, pytest.approx([]))
    riyadh = every("D")[np.isin(pd.DatetimeIndex(every("D")).day_of_week, (6, 0, 1, 2, 3))]
    calendar, missing = missing_bars(riyadh, bar_period(riyadh))
    assert calendar is None and len(missing) == 0
