"""A bot's own schedule in its status, stops on purpose, and runs that were missed because of neither."""

import logging
import re
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from time import monotonic

import pytest
from sqlalchemy import select
from waiting import BOUND_S

from serving.bot.leader import lease_name
from serving.bot.registration import register, register_single_run, register_stop, registration_of
from serving.bot.runner import Runner
from serving.bot.runs import record_end, record_start
from serving.bot.schedule import Due, parse_schedule
from serving.bot.status import bot_status
from serving.bot.task import TaskSpec
from serving.journal.leases import acquire
from serving.journal.schema import alerts, registrations, task_runs

FRIDAY = datetime(2026, 10, 30, 20, 30, tzinfo=UTC)  # 16:30 in New York; clocks go back on Sunday
AFTER_CLOSE = "30 16 * * mon-fri America/New_York"


@pytest.fixture
def lease(journal):
    return acquire(journal, lease_name("paper"), term_s=3600.0)


def scanned(journal, lease, at: datetime) -> None:
    record_start(journal, lease, "paper", "scan", Due(at, 0), at)
    record_end(journal, lease, "paper", "scan", Due(at, 0), at + timedelta(seconds=5))


@pytest.mark.parametrize(
    ("schedule", "after", "silent"),
    [
        (AFTER_CLOSE, timedelta(days=2), 0),  # a weekend
        (AFTER_CLOSE, timedelta(days=3, minutes=59), 0),
        (AFTER_CLOSE, timedelta(days=3, minutes=61), 1),
        (AFTER_CLOSE, timedelta(days=4, minutes=61), 2),
        ("every 10m", timedelta(minutes=19), 1),
        ("every 10m", timedelta(minutes=21), 2),
    ],
)
def test_the_status_counts_scans_by_the_bots_own_schedule(journal, lease, schedule, after, silent):
    register(journal, lease, "paper", {"scan": parse_schedule(schedule)}, FRIDAY)
    scanned(journal, lease, FRIDAY)
    found = bot_status(journal, "paper", FRIDAY + after)
    assert (found.schedule, found.silent_periods) == (schedule, silent)
    assert any("no scan for 2 periods" in text for text in found.problems) == (silent == 2)
    now = bot_status(journal, "paper", datetime.now(UTC))
    assert now.next_scan == parse_schedule(schedule).after(now.at)


def test_a_bot_that_does_not_scan_by_itself_misses_no_scan(journal, lease):
    register(journal, lease, "paper", {"alerts": parse_schedule("every 1m")}, FRIDAY)
    scanned(journal, lease, FRIDAY)
    found = bot_status(journal, "paper", FRIDAY + timedelta(days=9))
    assert (found.schedule, found.silent_periods, found.next_scan) == (None, 0, None)


def test_a_stop_on_purpose_is_said_to_be_one(journal, lease):
    register(journal, lease, "paper", {"scan": parse_schedule("every 10m")}, FRIDAY)
    scanned(journal, lease, FRIDAY)
    register_stop(journal, lease, "paper", FRIDAY + timedelta(hours=1))
    lease.release()
    found = bot_status(journal, "paper", FRIDAY + timedelta(days=1))
    assert found.problems == ("no process runs bot paper: it was stopped at 2026-10-30 21:30Z",)
    assert not found.is_healthy and found.silent_periods == 144
    again = acquire(journal, lease_name("paper"))
    register_single_run(journal, again, "paper", FRIDAY, FRIDAY)
    again.release()
    after = bot_status(journal, "paper", FRIDAY + timedelta(days=1))
    assert (after.schedule, after.stopped_at) == (None, None)
    assert "no scan for 143 periods" in after.problems[1], "whole periods since its end"


@pytest.mark.parametrize(("on_purpose", "silent"), [(True, 1), (False, 61)])
def test_no_scan_is_due_while_a_bot_is_stopped_on_purpose(journal, lease, on_purpose, silent):
    register(journal, lease, "paper", {"scan": parse_schedule("every 1h")}, FRIDAY)
    scanned(journal, lease, FRIDAY)
    if on_purpose:
        register_stop(journal, lease, "paper", FRIDAY + timedelta(minutes=1))
    start = FRIDAY + timedelta(minutes=60)
    register(journal, lease, "paper", {"scan": parse_schedule("every 1m")}, start)
    found = bot_status(journal, "paper", start + timedelta(minutes=1))
    assert (found.silent_periods, found.stopped_at) == (silent, None)
    assert any("no scan for" in text for text in found.problems) != on_purpose
    late = bot_status(journal, "paper", start + timedelta(minutes=3))
    assert any("no scan for" in text for text in late.problems), "it scans too late since its start"
    register(journal, lease, "paper", {"scan": parse_schedule("every 1m")}, start + timedelta(minutes=2))  # was killed
    assert bot_status(journal, "paper", start + timedelta(minutes=3)).silent_periods == 63


@pytest.mark.parametrize(
    "text", ["every 1s", "every 10m", "every 90m", "every 366d", "every 1.5s", AFTER_CLOSE, "0 2 1 * * UTC"]
)
def test_a_schedule_is_stored_as_the_text_that_it_is_read_from(text):
    assert str(parse_schedule(text)) == text and parse_schedule(str(parse_schedule(text))) == parse_schedule(text)


class Past:
    """A bot that scanned once at noon, and whose process ended; ``restart`` lets another one scan."""

    def __init__(self, make_services, journal, ended: str, **settings) -> None:
        self.now = datetime(2026, 1, 5, 12, 0, 1, tzinfo=UTC)
        self.journal, self.ran, self.stop = journal, Event(), Event()
        self.services = make_services(clock=lambda: self.now, **settings)
        if ended == "once":
            self.runner().once([self.spec()])
        else:
            self.runner().run(self.stop)
        if ended == "killed":
            with journal.begin() as connection:
                connection.execute(registrations.update().values(stopped_at=None))

    def spec(self) -> TaskSpec:
        return TaskSpec("scan", "scan", 10, "every 10m", self.scan)

    def runner(self) -> Runner:
        return Runner(self.services, [self.spec()], {"scan": parse_schedule("every 10m")})

    def scan(self, services, due) -> str:
        self.stop.set()
        return ""

    def restart(self, **later: float) -> None:
        self.now += timedelta(**later)
        self.stop.clear()
        self.runner().run(self.stop)

    def raised(self) -> list[str]:
        with self.journal.connect() as connection:
            return list(connection.execute(select(alerts.c.title)).scalars())

    def missed(self) -> int:
        with self.journal.connect() as connection:
            return int(
                connection.execute(select(task_runs.c.missed).order_by(task_runs.c.due_at.desc())).scalars().first()
            )


@pytest.mark.parametrize(
    ("ended", "hours", "line", "title"),
    [
        ("stopped", 5, "bot paper was stopped on purpose at 2026-01-05 12:00:01+00:00; missed since: scan 29", None),
        ("once", 5, "bot paper was stopped on purpose at 2026-01-05 12:00:01+00:00; missed since: scan 29", None),
        ("killed", 0.5, "without having been stopped; missed: scan 2", None),
        (
            "killed",
            5,
            "without having been stopped; missed: scan 29",
            "29 scans between 2026-01-05 12:00Z and 2026-01-05 17:00Z did not run",
        ),
    ],
)
def test_missed_scans_are_counted_and_are_an_alert_after_a_crash_only(
    make_services, journal, caplog, ended, hours, line, title
):
    past = Past(make_services, journal, ended)
    with caplog.at_level(logging.INFO, "serving.bot"):
        past.restart(hours=hours)
    (said,) = (record for record in caplog.records if "missed" in record.message)
    assert line in said.message and (said.levelname == "WARNING") == (title is not None)
    assert past.missed() == 6 * hours - 1
    assert past.raised() == ([] if title is None else [title])
    with journal.connect() as connection:
        found = registration_of(connection, "paper")
    assert found.schedules == {"scan": "every 10m"} and found.stopped_at == past.now


def test_a_setting_says_after_how_long_missed_scans_are_an_alert(make_services, journal):
    past = Past(make_services, journal, "killed", missed_s=86_400.0)
    past.restart(hours=23)
    assert past.raised() == [] and past.missed() == 137


def said_back(caplog) -> list[str]:
    return [record.message for record in caplog.records if "set back" in record.message]


@pytest.mark.slow
def test_a_clock_that_was_a_day_ahead_repeats_no_scan_and_is_one_line(make_services, journal, caplog):
    past, seen = Past(make_services, journal, "stopped"), list[datetime]()
    noon = past.now

    def scan(services, due) -> str:
        seen.append(due.at)
        past.now = noon + timedelta(minutes=15 if len(seen) == 1 else 35)  # it is set back, then goes on
        if len(seen) == 2:
            past.stop.set()
        return ""

    past.scan = scan
    with caplog.at_level(logging.WARNING, "serving.bot"):
        runner = Thread(target=lambda: past.restart(days=1))
        runner.start()
        deadline = monotonic() + BOUND_S
        while not said_back(caplog) and monotonic() < deadline:
            runner.join(0.02)
        past.now = noon + timedelta(minutes=21)
        runner.join(BOUND_S)
    assert not runner.is_alive()
    assert seen == [at.replace(second=0) for at in (noon + timedelta(days=1), noon + timedelta(minutes=20))]
    (line,) = said_back(caplog)
    assert re.search(r"the clock was set back by 855\d\d s: no run is repeated", line)


def test_a_scan_that_ended_in_the_future_is_not_the_last_one(journal, lease):
    register(journal, lease, "paper", {"scan": parse_schedule("every 10m")}, FRIDAY)
    for at in (FRIDAY, FRIDAY + timedelta(days=1)):
        scanned(journal, lease, at)
    found = bot_status(journal, "paper", FRIDAY + timedelta(minutes=30))
    assert (found.last_scan, found.silent_periods) == (FRIDAY + timedelta(seconds=5), 3)
