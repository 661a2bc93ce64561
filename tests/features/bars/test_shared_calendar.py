"""Calendars are distinguished by dates alone, and missing bars do not make a calendar."""

import numpy as np
import pytest

from features.bars.sessions import ALWAYS, WEEKDAYS, session_gaps
from features.bars.shared_calendar import SAME_DAYS, UNKNOWN, SharedCalendar


def sessions(name: str, first: str = "2018-01-04", last: str = "2023-12-28") -> np.ndarray:
    ends = np.array([first, last], "datetime64[ns]")
    return np.union1d(ends, session_gaps(ends, name))


def thinned(dates: np.ndarray, share: float, seed: int = 0) -> np.ndarray:
    """Return the dates without a random share of them."""
    return dates[np.random.default_rng(seed).random(len(dates)) >= share]


def shared(*symbols: np.ndarray) -> SharedCalendar:
    calendar = SharedCalendar()
    for dates in symbols:
        calendar.add(dates)
    return calendar


NEW_YORK = sessions("XNYS")
OTHERS = ("XTKS", "XHKG", "XLON", "XETR", "XPAR", "XASX", "XBOM", WEEKDAYS, ALWAYS)
FAR_APART = (  # exchanges that close hours apart
    *(("XSHG", name) for name in ("XNYS", "XLON", "XETR", "XPAR", "XTSE", "XASX", WEEKDAYS, ALWAYS)),
    *((name, other) for name in ("BVMF", "XSES", "XMEX", "XJSE", "XIDX") for other in ("XETR", "XPAR")),
    *((name, "BVMF") for name in ("XKRX", "XTAI", "XKLS", "XBKK")),
)
UNLISTED = ("XSAU", "XBUE", "XBOG", "XLIM", "XKAR", "XBDA")
WINDOWS = (("2019-01-02", "2023-12-28"), ("2009-01-05", "2012-12-28"), ("2021-06-01", "2023-05-31"))


@pytest.mark.parametrize("other", OTHERS)
def test_one_symbol_on_another_calendar_is_found_and_named(other):
    calendar = shared(*[NEW_YORK] * 50, sessions(other))
    assert calendar.lag == 1
    assert calendar.calendars == ("XNYS", other)


@pytest.mark.parametrize("other", OTHERS)
def test_one_new_york_symbol_among_another_calendar_is_found(other):
    calendar = shared(*[sessions(other)] * 50, NEW_YORK)
    assert calendar.lag == 1
    assert set(calendar.calendars) == {"XNYS", other}


@pytest.mark.parametrize("name", ["XNYS", "XTKS", "XLON", WEEKDAYS, ALWAYS])
@pytest.mark.parametrize("share", [0.005, 0.05, 0.3, 0.6])
def test_missing_days_do_not_make_a_calendar(name, share):
    dates = sessions(name)
    assert shared(*[dates] * 3, *(thinned(dates, share, seed) for seed in range(40))).lag == 0


@pytest.mark.parametrize("name", ["XNYS", "XTKS", "XLON", "XHKG", WEEKDAYS, ALWAYS])
@pytest.mark.parametrize("bars", [2, 5, 20, 60, 120])
def test_short_histories_do_not_make_a_calendar(name, bars):
    dates = sessions(name)
    parts = [dates[start : start + bars] for start in range(0, len(dates) - bars, 37)]
    assert shared(dates, *parts).lag == 0
    assert shared(*parts[:1]).lag == 0


def test_a_year_with_missing_days_on_another_calendar_is_found():
    for name in OTHERS:
        year = thinned(sessions(name, "2022-01-04", "2023-01-30"), 0.02)
        assert shared(*[NEW_YORK] * 5, year).lag == 1, name


def test_an_illiquid_symbol_on_another_calendar_is_found_by_bars_on_closed_days():
    assert shared(NEW_YORK, thinned(sessions("XTKS"), 0.5)).lag == 1


def test_intraday_bars_share_a_calendar_with_each_other_but_not_with_daily_bars():
    hours = (NEW_YORK[:200, None] + np.arange(14, 21) * np.timedelta64(1, "h")).ravel()
    around = np.arange(np.datetime64("2021-01-01T00", "h"), np.datetime64("2021-02-01T00", "h")).astype(
        "datetime64[ns]"
    )
    assert shared(hours, around).lag == 0
    mixed = shared(hours, NEW_YORK)
    assert mixed.lag == 1
    assert mixed.calendars == ("XNYS", "intraday")
    stamped = NEW_YORK.copy()
    stamped[[5, 80]] += np.timedelta64(1, "h")
    assert shared(stamped, NEW_YORK).lag == 0


def test_no_or_one_bar_is_one_calendar():
    assert shared().lag == shared(NEW_YORK[:0], NEW_YORK[:1]).lag == 0
    assert shared().calendars == ()


@pytest.mark.parametrize("first, last", WINDOWS)
@pytest.mark.parametrize("name, other", FAR_APART)
def test_exchanges_that_close_hours_apart_are_distinguished(name, other, first, last):
    calendar = shared(*[sessions(name, first, last)] * 4, *[sessions(other, first, last)] * 4)
    assert calendar.lag == 1


@pytest.mark.parametrize("name", UNLISTED)
@pytest.mark.parametrize("other", ["XNYS", "XTKS", "XLON", "XPAR", "XASX", WEEKDAYS, ALWAYS])
def test_an_exchange_that_is_not_listed_shares_no_calendar(name, other):
    """One such symbol with missing days among nine of another exchange."""
    assert shared(*[sessions(other)] * 9, thinned(sessions(name), 0.02)).lag == 1


def test_a_market_on_no_listed_calendar_is_unknown():
    calendar = shared(*(thinned(sessions("XSAU"), 0.02, seed) for seed in range(5)))  # Sundays to Thursdays
    assert (calendar.lag, calendar.calendars) == (1, (UNKNOWN,))
    assert shared(*[sessions("XSAU")] * 5).lag == 0, "their days are identical"
    assert shared(NEW_YORK, NEW_YORK, sessions("XSAU")).calendars == ("XNYS", UNKNOWN)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_stocks_with_missing_days_share_no_calendar_with_crypto_or_currencies(share):
    stocks = [thinned(NEW_YORK, share, seed) for seed in range(5)]
    for other in (ALWAYS, WEEKDAYS):
        dates = sessions(other)
        assert shared(*stocks, dates).lag == 1
        assert shared(*[dates] * 5, stocks[0]).lag == 1
    assert shared(*stocks, sessions(ALWAYS), sessions(WEEKDAYS)).lag == 1


@pytest.mark.parametrize("name", ["XNYS", "XSHG", "XTKS", WEEKDAYS, ALWAYS])
def test_suspensions_and_outages_do_not_make_a_calendar(name):
    dates, rng = sessions(name), np.random.default_rng(3)
    symbols = [dates]
    for _ in range(60):
        keep = np.ones(len(dates), bool)
        for start in rng.integers(0, len(dates), 8):
            keep[start : start + rng.integers(2, 120)] = False
        symbols.append(dates[keep])
    assert shared(*symbols).lag == 0


def test_weekly_and_monthly_bars_share_a_calendar():
    days = np.arange(np.datetime64("2000-01-01"), np.datetime64("2024-01-01"))
    for weekday in range(7):
        weekly = days[weekday::7].astype("datetime64[ns]")
        assert shared(weekly, weekly[300:]).lag == 0
    months = np.arange(np.datetime64("2000-01"), np.datetime64("2024-01"))
    for dates in (months.astype("datetime64[ns]"), (months + 1).astype("datetime64[D]").astype("datetime64[ns]") - 1):
        assert shared(dates.astype("datetime64[D]").astype("datetime64[ns]")).lag == 0


@pytest.mark.parametrize("name", ["XSHG", "XBOM", "XSES"])
@pytest.mark.parametrize("first, last", [("1996-01-02", "2002-12-27"), ("2024-01-02", "2028-12-29")])
def test_years_without_known_holidays_contradict_no_calendar(name, first, last):
    """Holidays of China, India and Singapore are known from the 1990s to the end of next year only."""
    known = sessions(name, max(first, "1997-01-02"), min(last, "2026-12-30"))
    days = np.arange(np.datetime64(first), np.datetime64(last)).astype("datetime64[ns]")
    unknown = days[np.is_busday(days.astype("datetime64[D]")) & ((days < known[0]) | (days > known[-1]))]
    assert shared(known, np.union1d(known, unknown)).lag == 0


def test_symbols_with_identical_days_need_no_calendar():
    recent = NEW_YORK[-400:]
    calendar = shared(NEW_YORK, recent, NEW_YORK[:700], recent)
    assert (calendar.lag, calendar.calendars) == (0, (SAME_DAYS,))
    calendar.add(sessions("XTKS")[-300:])
    assert (calendar.lag, calendar.calendars) == (1, ("XNYS", "XTKS"))
    assert shared(NEW_YORK[:100]).calendars == ("XNYS",), "a few months are too short"


def test_more_histories_than_the_buffer_holds_give_the_same_answer():
    symbols = [NEW_YORK[start : start + 600] for start in range(0, 800, 8)]
    assert shared(*symbols).lag == 0
    assert shared(*symbols, sessions("XTKS")).lag == 1
