"""Schedules: known answers around clock changes, and the laws of catching up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import ConfigError
from serving.bot.schedule import Due, Every, advance, parse_schedule

START = datetime(2026, 1, 1, tzinfo=UTC)
SCHEDULES = ["every 10m", "every 7h", "every 90s", "*/5 * * * *", "30 2 * * * America/New_York", "0 6 * * sat"]
OFFSETS = st.integers(0, 400 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds))


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "day", "run"),
    [
        ("30 2 * * * America/New_York", utc(2026, 3, 8), utc(2026, 3, 8, 7, 0)),
        ("30 1 * * * America/New_York", utc(2026, 11, 1), utc(2026, 11, 1, 5, 30)),
    ],
)
def test_one_run_a_day_where_clocks_change(text, day, run):
    schedule = parse_schedule(text)
    local_day = [day + timedelta(hours=hour) for hour in (4, 28)]
    newest, count = schedule.passed(*local_day)
    assert (newest, count) == (run, 1)
    assert schedule.after(run - timedelta(seconds=1)) == run
    for minutes in range(0, 180, 10):  # also between the two equal local hours
        assert schedule.after(run + timedelta(minutes=minutes)) > run + timedelta(hours=22)


def test_a_slow_run_is_followed_by_one_run_and_missed_ticks_are_counted():
    schedule, begin = parse_schedule("every 10m"), utc(2026, 1, 1, 12)
    assert advance(schedule, begin, begin + timedelta(minutes=25)) == (begin, Due(begin + timedelta(minutes=20), 1))
    after = begin + timedelta(minutes=20)
    assert advance(schedule, after, begin + timedelta(minutes=25)).due is None
    assert advance(schedule, after, begin + timedelta(minutes=30)).due == Due(begin + timedelta(minutes=30), 0)


@pytest.mark.slow
@given(text=st.sampled_from(SCHEDULES), last=OFFSETS, now=OFFSETS)
def test_every_tick_is_run_or_counted_once(text, last, now):
    schedule = parse_schedule(text)
    due = advance(schedule, last, now).due
    if now <= last:
        assert due is None
        return
    newest, count = schedule.passed(last, now)
    if due is None:
        assert schedule.after(last) > now
    else:
        assert last < due.at <= now < schedule.after(due.at)
        assert (newest, count) == (due.at, due.missed + 1)
        middle = last + (now - last) / 2
        assert (
            schedule.passed(last, middle)[1] + schedule.passed(middle, now)[1] == min(count, 10_000) or count >= 10_000
        )


@given(text=st.sampled_from(SCHEDULES), last=OFFSETS, back_s=st.integers(1, 40 * 86_400))
def test_a_clock_that_is_set_back_neither_repeats_the_newest_tick_nor_stops_the_schedule(text, last, back_s):
    schedule = parse_schedule(text)
    last = schedule.after(last)
    now = last - timedelta(seconds=back_s)
    progress = advance(schedule, last, now)
    assert progress.due is None
    soon = schedule.after(schedule.after(schedule.after(now)))
    assert advance(schedule, progress.last, soon).due is not None
    if schedule.after(now) >= last:  # set back by less than a tick
        assert advance(schedule, progress.last, last).due is None


def test_a_clock_far_ahead_counts_at_most_ten_thousand_cron_ticks():
    minutely = parse_schedule("* * * * *")
    due = advance(minutely, START, START + timedelta(days=30, seconds=7)).due
    assert due == Due(START + timedelta(days=30), 9_999)


def test_periods_are_aligned_to_the_clock():
    assert Every(600).after(utc(2026, 1, 1, 9, 0)) == utc(2026, 1, 1, 9, 10)
    assert Every(600).after(utc(2026, 1, 1, 9, 9, 59)) == utc(2026, 1, 1, 9, 10)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is not understood"),
        ("every 0m", "no period from 1s"),
        ("every ten minutes", "no period from 1s"),
        ("every 400d", "no period from 1s"),
        ("61 * * * *", "Bad minute"),
        ("0 0 30 2 *", "cron expression"),
        ("0 0 * * * Mars/Olympus", "time zone 'Mars/Olympus'"),
        ("10m", "is not understood"),
    ],
)
def test_bad_schedules(text, message):
    with pytest.raises(ConfigError, match=message):
        parse_schedule(text)
