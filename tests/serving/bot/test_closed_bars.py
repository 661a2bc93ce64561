"""Which bars are complete: known closes of exchanges, partial bars, late and stale symbols, calendars that end."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import select

from configs.alerts import AlertsConfig
from features.alternative.stopped import StoppedSource
from features.bars.closes import bar_close
from features.bars.schedule import HoursOfWeek, Months, Period, Sessions, TradingWeekdays
from features.bars.schedule_fit import schedule_of
from features.bars.sessions import is_known, session_close, sessions_between
from serving.bot.closed_bars import closed_bars, ready_rows
from serving.bot.scan_alerts import DataState, settle_data
from serving.journal.leases import acquire
from serving.journal.schema import alerts

NEW_YORK, TOKYO = Sessions("XNYS"), Sessions("XTKS")
CRYPTO = Sessions("24/7")
WAIT = timedelta(hours=1)


def day(text: str) -> np.datetime64:
    return np.datetime64(text, "ns")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def days(calendar: str, first: str, last: str) -> np.ndarray:
    return sessions_between(calendar, np.datetime64(first), np.datetime64(last)).astype("datetime64[ns]")


@pytest.mark.parametrize(
    ("schedule", "date", "close"),
    [
        (NEW_YORK, "2026-11-27", "2026-11-27T18:00"),  # the day after Thanksgiving: an early close
        (NEW_YORK, "2026-03-06", "2026-03-06T21:00"),
        (NEW_YORK, "2026-03-09", "2026-03-09T20:00"),  # summer time
        (TOKYO, "2026-03-09", "2026-03-09T06:30"),
        (NEW_YORK, "2026-11-26", "2026-11-27T00:00"),  # no session: the end of the day
        (CRYPTO, "2026-11-28", "2026-11-29T00:00"),
        (Sessions("24/5"), "2026-11-27", "2026-11-28T00:00"),
        (Sessions("XNYS", exact=False), "2026-11-27", "2026-11-28T00:00"),
        (TradingWeekdays((True,) * 5 + (False, False)), "2026-11-27", "2026-11-28T00:00"),
        (Period(7), "2026-11-23", "2026-11-30T00:00"),
        (Months(1), "2026-11-01", "2026-12-01T00:00"),
        (Months(3), "2026-10-01", "2027-01-01T00:00"),
        (HoursOfWeek(tuple(range(0, 10_080, 60)), 3600.0), "2026-11-27T17:00", "2026-11-27T18:00"),
    ],
)
def test_closes(schedule, date, close):
    assert bar_close(schedule, day(date)) == utc(close)


def test_a_day_without_session_has_no_close():
    assert session_close("XNYS", np.datetime64("2026-11-26")) is None
    assert session_close("XNYS", np.datetime64("2026-11-27")) == np.datetime64("2026-11-27T18:00")


@pytest.mark.parametrize(("now", "last"), [("2026-11-27T17:59", "2026-11-25"), ("2026-11-27T18:01", "2026-11-27")])
def test_a_daily_bar_is_used_after_its_early_close_only(now, last):
    dates = days("XNYS", "2024-01-01", "2026-11-27")
    schedule = schedule_of(dates)
    assert schedule == NEW_YORK
    found = closed_bars("IBM", schedule, dates, utc(now))
    assert (found.problem, found.date) == (None, day(last))
    assert dates[found.count - 1] == day(last)


def test_a_bar_within_the_day_is_used_when_its_period_has_ended():
    dates = np.arange(day("2026-10-01"), day("2026-11-27T18:00"), np.timedelta64(1, "h"))  # the last begins at 17:00
    schedule = schedule_of(dates)
    assert closed_bars("BTC", schedule, dates, utc("2026-11-27T17:59:59")).date == day("2026-11-27T16:00")
    assert closed_bars("BTC", schedule, dates, utc("2026-11-27T18:00")).date == day("2026-11-27T17:00")


def test_stale_bars_and_no_bars_have_a_reason():
    dates = days("XNYS", "2024-01-01", "2026-11-16")
    found = closed_bars("IBM", NEW_YORK, dates, utc("2026-11-27T18:01"))
    assert found.problem == "stale" and "7 sessions of XNYS are missing" in found.reason
    assert closed_bars("IBM", NEW_YORK, dates[:0], utc("2026-11-27T18:01")).problem == "no_bars"
    only_today = closed_bars("IBM", NEW_YORK, days("XNYS", "2026-11-27", "2026-11-27"), utc("2026-11-27T17:00"))
    assert only_today.problem == "no_bars"


def test_past_the_end_of_a_calendar_nothing_is_traded():
    last = _last_known("XSHG")
    dates = days("XSHG", "2024-01-01", str(last))
    now = datetime.fromisoformat(str(last + 20)).replace(tzinfo=UTC)
    assert not is_known("XSHG", last + 20)
    found = closed_bars("600519", Sessions("XSHG"), dates, now)
    assert found.problem == "calendar_unknown"
    assert "sessions of XSHG are not known" in found.reason
    beyond = np.append(dates, (last + 20).astype("datetime64[ns]"))
    assert closed_bars("600519", Sessions("XSHG"), beyond, now + timedelta(days=2)).problem == "calendar_unknown"


def _last_known(name: str) -> np.datetime64:
    at = np.datetime64("2026-01-01")
    while is_known(name, at + 1):
        at += 1
    return at


def _symbols(now: datetime, **dates: np.ndarray):
    schedules = {"NY": NEW_YORK, "TK": TOKYO, "BTC": CRYPTO}
    return {name: (closed_bars(name, schedules[name[:3].rstrip("0123")], one, now), one) for name, one in dates.items()}


def test_a_date_is_ready_when_the_last_market_has_closed():
    ny, btc = days("XNYS", "2026-01-01", "2026-11-27"), days("24/7", "2026-01-01", "2026-11-27")
    after = day("2026-11-25")

    def rows(now: str):
        at = utc(now)
        return [
            (str(row.date)[:10], row.instant, row.late)
            for row in ready_rows(_symbols(at, NY=ny, BTC=btc), after, at, WAIT)
        ]

    thanksgiving = ("2026-11-26", utc("2026-11-27T00:00"), {})
    assert rows("2026-11-27T18:01") == [thanksgiving]  # the 27th waits for the market that closes at midnight
    assert rows("2026-11-28T00:00") == [thanksgiving, ("2026-11-27", utc("2026-11-28T00:00"), {})]
    assert rows("2026-11-26T23:00") == []


def test_late_symbols_are_waited_for_and_then_left_out():
    ny, late = days("XNYS", "2026-01-01", "2026-11-27"), days("XNYS", "2026-01-01", "2026-11-25")
    short, after = utc("2026-11-27T18:59"), day("2026-11-25")
    assert ready_rows(_symbols(short, NY=ny, NY1=late), after, short, WAIT) == []
    long = utc("2026-11-27T19:00")
    (row,) = ready_rows(_symbols(long, NY=ny, NY1=late), after, long, WAIT)
    assert row.instant == utc("2026-11-27T18:00")
    assert row.late == {"NY1": "no bar of 2026-11-27, due at 2026-11-27 18:00Z"}


def test_a_bot_without_a_past_begins_with_the_newest_date_and_a_stale_symbol_stops_no_other():
    now = utc("2026-11-27T18:01")
    found = _symbols(now, NY=days("XNYS", "2026-01-01", "2026-11-27"), NY1=days("XNYS", "2026-01-01", "2026-11-10"))
    assert found["NY1"][0].problem == "stale"
    assert [str(row.date)[:10] for row in ready_rows(found, None, now, WAIT)] == ["2026-11-27"]


def test_rows_after_an_outage_come_in_order():
    now, ny = utc("2026-11-27T18:01"), days("XNYS", "2026-01-01", "2026-11-27")
    rows = ready_rows(_symbols(now, NY=ny), day("2026-11-20"), now, WAIT)
    assert [str(row.date)[:10] for row in rows] == ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27"]


def test_a_stopped_source_is_an_alert_until_it_comes_again(journal):
    now, lease, settings = utc("2026-11-27T18:01"), acquire(journal, "bot:paper"), AlertsConfig(repeat_hours=72.0)
    stopped = [StoppedSource("options_iv30", ("IBM",), "2026-10-01", 3.0)]
    for hours, sources in enumerate((stopped, None, [])):
        settle_data(journal, lease, "paper", DataState({}, sources), now + timedelta(hours=hours), settings)
    with journal.connect() as connection:
        found = connection.execute(select(alerts).order_by(alerts.c.created_at)).all()
    keys = [(row.event, row.key, row.phase) for row in found]
    assert keys == [("dead_data", "source options_iv30", phase) for phase in ("raised", "resolved")]
    assert found[0].title.startswith("the source options_iv30 of IBM has stopped: its newest row is of 2026-10-01")
    assert found[1].created_at == now + timedelta(hours=2), "a scan that judged no source leaves it"


def test_an_unknown_calendar_and_dead_data_are_one_alert_each_until_they_end(journal):
    last = _last_known("XSHG")
    now = datetime.fromisoformat(str(last + 20)).replace(tzinfo=UTC)
    lease = acquire(journal, "bot:paper")
    dates = days("XSHG", "2024-01-01", str(last))
    verdicts = {
        "600519": (closed_bars("600519", Sessions("XSHG"), dates, now), dates),
        "IBM": (closed_bars("IBM", NEW_YORK, days("XNYS", "2024-01-01", "2024-12-31"), now), dates),
    }
    settings = AlertsConfig(repeat_hours=72.0)
    for hours in (0, 1, 71):
        settle_data(journal, lease, "paper", DataState(verdicts), now + timedelta(hours=hours), settings)
    settle_data(journal, lease, "paper", DataState({}), now + timedelta(hours=71.5), settings)
    with journal.connect() as connection:
        found = connection.execute(select(alerts).order_by(alerts.c.event, alerts.c.created_at)).all()
    keys = [(row.event, row.key, row.phase) for row in found]
    assert keys == [
        ("calendar_unknown", "600519", "raised"),
        ("calendar_unknown", "600519", "resolved"),
        ("dead_data", "IBM", "raised"),
        ("dead_data", "IBM", "resolved"),
    ]
    assert "sessions of XSHG are not known" in found[0].title
