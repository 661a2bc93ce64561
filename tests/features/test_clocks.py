"""One trading day or several: told from dates alone, and not by what dates happen to lack."""

import numpy as np
import pytest

from features.clocks import TradingClocks
from features.sessions import ALWAYS, WEEKDAYS, session_gaps


def sessions(name: str, first: str = "2018-01-04", last: str = "2023-12-28") -> np.ndarray:
    ends = np.array([first, last], "datetime64[ns]")
    return np.union1d(ends, session_gaps(ends, name))


def thinned(dates: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Return dates of which this share is missing."""
    return dates[np.random.default_rng(seed).random(len(dates)) >= share]


def clocks_of(*symbols: np.ndarray) -> TradingClocks:
    clocks = TradingClocks()
    for dates in symbols:
        clocks.note(dates)
    return clocks


NEW_YORK = sessions("XNYS")
OTHERS = ("XTKS", "XHKG", "XLON", "XETR", "XPAR", "XASX", "XBOM", WEEKDAYS, ALWAYS)


@pytest.mark.parametrize("other", OTHERS)
def test_one_symbol_of_another_calendar_is_enough_and_is_named(other):
    clocks = clocks_of(*[NEW_YORK] * 50, sessions(other))
    assert clocks.lag == 1
    assert clocks.calendars == ("XNYS", other)


@pytest.mark.parametrize("other", OTHERS)
def test_the_other_way_round_too(other):
    clocks = clocks_of(*[sessions(other)] * 50, NEW_YORK)
    assert clocks.lag == 1
    assert set(clocks.calendars) == {"XNYS", other}


@pytest.mark.parametrize("name", ["XNYS", "XTKS", "XLON", WEEKDAYS, ALWAYS])
@pytest.mark.parametrize("share", [0.005, 0.05, 0.3, 0.6])
def test_missing_days_make_no_calendar(name, share):
    every = sessions(name)
    assert clocks_of(*[every] * 3, *(thinned(every, share, seed) for seed in range(40))).lag == 0


@pytest.mark.parametrize("name", ["XNYS", "XTKS", "XLON", "XHKG", WEEKDAYS, ALWAYS])
@pytest.mark.parametrize("bars", [2, 5, 20, 60, 120])
def test_short_histories_make_no_calendar(name, bars):
    every = sessions(name)
    parts = [every[start : start + bars] for start in range(0, len(every) - bars, 37)]
    assert clocks_of(every, *parts).lag == 0
    assert clocks_of(*parts[:1]).lag == 0


def test_a_year_with_missing_days_of_another_calendar_is_told():
    for name in OTHERS:
        year = thinned(sessions(name, "2022-01-04", "2023-01-30"), 0.02)
        assert clocks_of(*[NEW_YORK] * 5, year).lag == 1, name


def test_an_illiquid_symbol_of_another_calendar_is_told_by_bars_on_closed_days():
    assert clocks_of(NEW_YORK, thinned(sessions("XTKS"), 0.5)).lag == 1


def test_intraday_bars_share_a_clock_that_is_not_that_of_daily_ones():
    hours = (NEW_YORK[:200, None] + np.arange(14, 21) * np.timedelta64(1, "h")).ravel()
    around = np.arange(np.datetime64("2021-01-01T00", "h"), np.datetime64("2021-02-01T00", "h")).astype(
        "datetime64[ns]"
    )
    assert clocks_of(hours, around).lag == 0
    mixed = clocks_of(hours, NEW_YORK)
    assert mixed.lag == 1
    assert mixed.calendars == ("XNYS", "intraday")
    stamped = NEW_YORK.copy()
    stamped[[5, 80]] += np.timedelta64(1, "h")
    assert clocks_of(stamped, NEW_YORK).lag == 0


def test_too_little_to_tell_is_one_clock():
    assert clocks_of().lag == clocks_of(NEW_YORK[:0], NEW_YORK[:1]).lag == 0
    assert clocks_of().calendars == ()
