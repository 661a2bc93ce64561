"""The calendar of a series is recognised from its dates, and its missing sessions are found."""

import numpy as np
import pytest

from features.bars.sessions import (
    ALWAYS,
    EXCHANGES,
    WEEKDAYS,
    _exchange_hours,
    fitting_calendar,
    session_gaps,
    sessions_between,
)


def days(first: str, last: str) -> np.ndarray:
    return np.arange(np.datetime64(first), np.datetime64(last) + 1).astype("datetime64[ns]")


def weekdays(first: str, last: str) -> np.ndarray:
    all_days = days(first, last)
    return all_days[np.is_busday(all_days.astype("datetime64[D]"))]


def new_york_2021() -> np.ndarray:
    closed = ["01-01", "01-18", "02-15", "04-02", "05-31", "07-05", "09-06", "11-25", "12-24"]
    return np.setdiff1d(
        weekdays("2021-01-01", "2021-12-31"), np.array([f"2021-{day}" for day in closed], "datetime64[ns]")
    )


def test_missing_sessions_are_gaps_and_holidays_are_not():
    sessions = new_york_2021()
    assert fitting_calendar(sessions) == "XNYS"
    assert len(session_gaps(sessions)) == 0
    missing = sessions[[10, 100]]
    np.testing.assert_array_equal(session_gaps(np.setdiff1d(sessions, missing)), missing)


def test_seven_day_and_five_day_weeks_are_recognised():
    assert fitting_calendar(days("2021-01-01", "2021-12-31")) == ALWAYS
    assert fitting_calendar(weekdays("2021-01-01", "2021-12-31")) == WEEKDAYS
    crypto = np.delete(days("2021-01-01", "2021-03-31"), 40)
    np.testing.assert_array_equal(session_gaps(crypto), np.array(["2021-02-10"], "datetime64[ns]"))


def test_sessions_before_the_default_span_of_calendars_are_known():
    dates = np.array(["1987-10-16", "1987-10-19", "1987-10-21"], "datetime64[ns]")
    np.testing.assert_array_equal(session_gaps(dates, "XNYS"), np.array(["1987-10-20"], "datetime64[ns]"))


@pytest.mark.parametrize("dates", [[], ["2021-01-04"], ["2021-01-04T14:30", "2021-01-04T14:35"]])
def test_too_few_or_intraday_dates_have_no_calendar_and_no_gaps(dates):
    array = np.array(dates, "datetime64[ns]")
    assert fitting_calendar(array) is None and len(session_gaps(array)) == 0


@pytest.mark.parametrize("name", [*EXCHANGES, ALWAYS, WEEKDAYS])
def test_every_calendar_is_distinguished_from_the_others(name):
    ends = np.array(["2018-01-04", "2023-12-28"], "datetime64[ns]")
    sessions = np.union1d(ends, session_gaps(ends, name))
    assert fitting_calendar(sessions) == name
    incomplete = np.delete(sessions, np.random.default_rng(0).integers(0, len(sessions), 60))
    assert fitting_calendar(incomplete) == name


def test_a_complete_series_needs_no_calendar_but_its_own_and_all_its_decades_one():
    # Computing all calendars takes seconds, which every command with bars would wait for.
    computed = _exchange_hours.cache_info().misses
    sessions = sessions_between("XNYS", np.datetime64("1965-01-04"), np.datetime64("1979-12-31")).astype(
        "datetime64[ns]"
    )
    assert fitting_calendar(sessions) == "XNYS"
    assert _exchange_hours.cache_info().misses <= computed + 1
