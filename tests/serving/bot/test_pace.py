"""How often a bot scans, from the record of its scans."""

from datetime import UTC, datetime, timedelta

import pytest

from serving.bot.leader import lease_name
from serving.bot.pace import Pace, pace_of
from serving.bot.runs import record_end, record_start
from serving.bot.schedule import Due, parse_schedule
from serving.journal.leases import acquire

START = datetime(2026, 3, 2, 8, tzinfo=UTC)  # a Monday


@pytest.fixture
def scanned(journal):
    """Return a function that records scans for these ticks, and returns the pace that they show."""
    lease = acquire(journal, lease_name("paper"))

    def record(*ticks: tuple[datetime, int], error: str | None = None) -> Pace:
        for at, missed in ticks:
            record_start(journal, lease, "paper", "scan", Due(at, missed), at)
            record_end(journal, lease, "paper", "scan", Due(at, missed), at + timedelta(seconds=2), error)
        with journal.connect() as connection:
            return pace_of(connection, "paper")

    return record


def test_missed_ticks_count_as_scans(scanned):
    assert scanned().period_s == 600.0, "the default of the catalog"
    hour = timedelta(hours=1)
    assert scanned((START, 0), (START + hour, 0), (START + 10 * hour, 8)).period_s == 3600.0
    assert scanned((START + 30 * hour, 0), error="the source is down").period_s == 3600.0, "no scan ended well"


def test_a_schedule_of_working_days_has_its_weekend_as_the_period(scanned):
    schedule, tick, ticks = parse_schedule("30 16 * * mon-fri America/New_York"), START, []
    for _ in range(8):
        tick = schedule.after(tick)
        ticks.append((tick, 0))
    pace = scanned(*ticks)
    assert pace.period_s == pytest.approx(3 * 86_400, abs=3600)  # clocks change on the weekend
    (last, _), end = ticks[-1], schedule.after(ticks[-1][0])
    assert pace.passed(last, end)[1] < 2


def test_whole_periods_are_counted_from_the_last_scan():
    pace = Pace(600.0)
    assert pace.after(START) == START + timedelta(minutes=10)
    assert pace.passed(START, START + timedelta(minutes=9)) == (None, 0)
    assert pace.passed(START, START + timedelta(minutes=25)) == (START + timedelta(minutes=20), 2)
    assert pace.passed(START, START - timedelta(minutes=25)) == (None, 0)
