"""The loop where tasks or the database fail: what failed is recorded and tried again, and nothing else stops."""

import logging
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from bot_loop import SOON, Loop, newest, runs_of, spec
from sqlalchemy import insert, select
from waiting import BOUND_S

from configs.errors import DataError
from serving.bot.leader import lease_name
from serving.bot.runner import Runner
from serving.bot.runs import record_end, record_start
from serving.bot.schedule import Due
from serving.journal.leases import acquire
from serving.journal.schema import alerts, monitor_states

pytestmark = pytest.mark.slow


def test_a_failure_stops_no_other_task_and_is_recorded(make_services, journal, caplog):
    ran = Event()

    def fails(services, due):
        raise DataError("no bars of any symbol. Check the source.")

    def works(services, due):
        with services.journal.begin() as connection:
            services.the_lease().guard(connection)
        ran.set()
        return "3 steps"

    with caplog.at_level(logging.ERROR, "serving.bot.runner"):
        loop = Loop(make_services(retry_s=60.0), spec("bad", fails), spec("good", works, after=("bad",)))
        assert ran.wait(BOUND_S)
        loop.end()
    (bad,) = runs_of(journal, "bad")
    assert (bad.outcome, bad.error) == ("failed", "no bars of any symbol. Check the source.")
    assert {run.outcome for run in runs_of(journal, "good")} == {"done"}
    assert [record.message for record in caplog.records] == ["bad: no bars of any symbol. Check the source."]


def test_a_bug_in_a_task_is_a_failure_of_this_task(make_services, journal):
    done = Event()

    def bug(services, due):
        done.set()
        raise KeyError("symbol")

    loop = Loop(make_services(retry_s=60.0), spec("bug", bug))
    assert done.wait(BOUND_S)
    loop.end()
    assert newest(journal)["bug"]["error"] == "KeyError: 'symbol'"


def test_a_task_that_goes_on_failing_is_reported_again_after_the_hours_of_the_settings(make_services, journal):
    begin = datetime(2026, 1, 5, tzinfo=UTC)
    lease = acquire(journal, lease_name("paper"), term_s=60.0)
    for hours in range(5):
        now = begin + timedelta(hours=hours)
        record_start(journal, lease, "paper", "fetch", Due(now, 0), now)
        record_end(journal, lease, "paper", "fetch", Due(now, 0), now, "no bars", 3, timedelta(hours=2))
    with journal.connect() as connection:
        rows = connection.execute(select(alerts.c.created_at, alerts.c.phase).order_by("created_at")).all()
    assert [(row.created_at - begin, row.phase) for row in rows] == [
        (timedelta(hours=0), "raised"),
        (timedelta(hours=2), "repeated"),
        (timedelta(hours=4), "repeated"),
    ]


@pytest.mark.parametrize(
    ("text", "stored"),
    [
        ("a\x00b \ud800 <img src=x>\nof two lines", "ValueError: a b ? <img src=x> of two lines"),
        ("x" * 10_000, "ValueError: " + "x" * 1_987 + "…"),
    ],
    ids=["odd", "long"],
)
def test_an_error_of_any_text_is_recorded_on_both_engines(make_services, journal, caplog, text, stored):
    caplog.set_level(logging.CRITICAL, "serving.bot.runner")  # pytest's workers cannot send the odd text

    def bad(services, due):
        raise ValueError(text)

    task = spec("bad", bad)
    (ended,) = Runner(make_services(), [task], {"bad": SOON}).once([task])
    assert ended.failed and ended.text == stored
    assert newest(journal)["bad"]["error"] == stored


def test_a_task_that_ends_its_thread_is_tried_again(make_services, journal):
    seen, again = [], Event()

    def leaves(services, due):
        seen.append(due)
        again.set() if len(seen) > 1 else None
        raise SystemExit(3)

    loop = Loop(make_services(), spec("leaves", leaves))
    assert again.wait(BOUND_S)
    loop.end()
    assert {run.error for run in runs_of(journal, "leaves")} >= {"SystemExit: 3"}


def test_a_database_server_that_restarts_stops_no_task_for_good(make_services, journal, engine_name, request, caplog):
    """Each tick writes a row; what the restart interrupted is not written, and the same process goes on."""
    if engine_name == "sqlite":
        pytest.skip("SQLite has no server")
    server, wrote, down, again = request.getfixturevalue("postgres_server"), Event(), Event(), Event()

    def writes(services, due):
        with services.journal.begin() as connection:
            services.the_lease().guard(connection)
            if not wrote.is_set():
                wrote.set()
                down.wait(BOUND_S)  # the server stops in the middle of this transaction
            connection.execute(insert(monitor_states), {"name": due.at.isoformat(), "day": due.at.date(), "state": {}})
        again.set()
        return ""

    with caplog.at_level(logging.WARNING, "serving.bot"):
        loop = Loop(make_services(lease_s=30.0), spec("scan", writes))
        assert wrote.wait(BOUND_S)
        server.stop()
        down.set()
        try:
            assert not again.wait(1.5)
        finally:
            server.start()
        assert again.wait(BOUND_S)
        loop.end()
    interrupted, *others = runs_of(journal, "scan")
    assert interrupted.outcome is None and {run.outcome for run in others if run.finished_at} == {"done"}
    with journal.connect() as connection:
        written = set(connection.execute(select(monitor_states.c.name)).scalars())
    assert written == {run.due_at.isoformat() for run in others if run.outcome == "done"}
    said = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert said and all(text.startswith("journal: ") for text in said)
    assert len(said) <= 4, "a line for each change of the reason, not for each attempt"
    assert any("journal: works again" in record.message for record in caplog.records)
