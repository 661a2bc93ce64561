"""One trading day or several: told from dates alone, and not by what dates happen to lack."""

import numpy as np
import pytest

from features.bars.clocks import SAME_DAYS, UNKNOWN, TradingClocks
from features.bars.sessions import ALWAYS, WEEKDAYS, session_gaps


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
FAR_APART = (  # whose closes lie hours apart
    *(("XSHG", name) for name in ("XNYS", "XLON", "XETR", "XPAR", "XTSE", "XASX", WEEKDAYS, ALWAYS)),
    *((name, other) for name in ("BVMF", "XSES", "XMEX", "XJSE", "XIDX") for other in ("XETR", "XPAR")),
    *((name, "BVMF") for name in ("XKRX", "XTAI", "XKLS", "XBKK")),
)
UNLISTED = ("XSAU", "XBUE", "XBOG", "XLIM", "XKAR", "XBDA")
WINDOWS = (("2019-01-02", "2023-12-28"), ("2009-01-05", "2012-12-28"), ("2021-06-01", "2023-05-31"))


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


@pytest.mark.parametrize("first, last", WINDOWS)
@pytest.mark.parametrize("name, other", FAR_APART)
def test_markets_hours_apart_are_told_whatever_fits_them(name, other, first, last):
    clocks = clocks_of(*[sessions(name, first, last)] * 4, *[sessions(other, first, last)] * 4)
    assert clocks.lag == 1


@pytest.mark.parametrize("name", UNLISTED)
@pytest.mark.parametrize("other", ["XNYS", "XTKS", "XLON", "XPAR", "XASX", WEEKDAYS, ALWAYS])
def test_an_exchange_without_a_calendar_of_its_own_shares_no_clock(name, other):
    """One symbol of it, with lost days, among many of another exchange."""
    assert clocks_of(*[sessions(other)] * 9, thinned(sessions(name), 0.02)).lag == 1


def test_a_market_on_no_known_calendar_is_in_doubt():
    clocks = clocks_of(*(thinned(sessions("XSAU"), 0.02, seed) for seed in range(5)))  # Sundays to Thursdays
    assert (clocks.lag, clocks.calendars) == (1, (UNKNOWN,))
    assert clocks_of(*[sessions("XSAU")] * 5).lag == 0, "all their days are the same"
    assert clocks_of(NEW_YORK, NEW_YORK, sessions("XSAU")).calendars == ("XNYS", UNKNOWN)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5])
def test_stocks_with_lost_days_share_no_clock_with_weekends_or_currencies(share):
    stocks = [thinned(NEW_YORK, share, seed) for seed in range(5)]
    for other in (ALWAYS, WEEKDAYS):
        dates = sessions(other)
        assert clocks_of(*stocks, dates).lag == 1
        assert clocks_of(*[dates] * 5, stocks[0]).lag == 1
    assert clocks_of(*stocks, sessions(ALWAYS), sessions(WEEKDAYS)).lag == 1


@pytest.mark.parametrize("name", ["XNYS", "XSHG", "XTKS", WEEKDAYS, ALWAYS])
def test_suspensions_and_outages_make_no_calendar(name):
    every, rng = sessions(name), np.random.default_rng(3)
    symbols = [every]
    for _ in range(60):
        keep = np.ones(len(every), bool)
        for start in rng.integers(0, len(every), 8):
            keep[start : start + rng.integers(2, 120)] = False
        symbols.append(every[keep])
    assert clocks_of(*symbols).lag == 0


def test_weekly_and_monthly_bars_share_a_clock():
    every = np.arange(np.datetime64("2000-01-01"), np.datetime64("2024-01-01"))
    for weekday in range(7):
        weekly = every[weekday::7].astype("datetime64[ns]")
        assert clocks_of(weekly, weekly[300:]).lag == 0
    months = np.arange(np.datetime64("2000-01"), np.datetime64("2024-01"))
    for dates in (months.astype("datetime64[ns]"), (months + 1).astype("datetime64[D]").astype("datetime64[ns]") - 1):
        assert clocks_of(dates.astype("datetime64[D]").astype("datetime64[ns]")).lag == 0


@pytest.mark.parametrize("name", ["XSHG", "XBOM", "XSES"])
@pytest.mark.parametrize("first, last", [("1996-01-02", "2002-12-27"), ("2024-01-02", "2028-12-29")])
def test_years_that_a_calendar_does_not_know_speak_against_nobody(name, first, last):
    """Holidays of China, India and Singapore are known up to the end of next year, and not from long ago."""
    known = sessions(name, max(first, "1997-01-02"), min(last, "2026-12-30"))
    days = np.arange(np.datetime64(first), np.datetime64(last)).astype("datetime64[ns]")
    unknown = days[np.is_busday(days.astype("datetime64[D]")) & ((days < known[0]) | (days > known[-1]))]
    assert clocks_of(known, np.union1d(known, unknown)).lag == 0


def test_symbols_with_all_days_in_common_need_no_calendar():
    recent = NEW_YORK[-400:]
    clocks = clocks_of(NEW_YORK, recent, NEW_YORK[:700], recent)
    assert (clocks.lag, clocks.calendars) == (0, (SAME_DAYS,))
    clocks.note(sessions("XTKS")[-300:])
    assert (clocks.lag, clocks.calendars) == (1, ("XNYS", "XTKS"))
    assert clocks_of(NEW_YORK[:100]).calendars == ("XNYS",), "a few months do not tell"


def test_many_different_histories_are_told_apart_as_few_are():
    symbols = [NEW_YORK[start : start + 600] for start in range(0, 800, 8)]
    assert clocks_of(*symbols).lag == 0
    assert clocks_of(*symbols, sessions("XTKS")).lag == 1
