"""The loop: one leader, tasks in threads, failures that stop nothing else, restarts, and an orderly end."""

import logging
from datetime import UTC, datetime, timedelta
from threading import Event, Thread
from time import monotonic

import pytest
from sqlalchemy import insert, select

from configs.errors import ClusterError, DataError, LeaseLostError
from serving.bot.leader import Leader, lease_name
from serving.bot.runner import Runner
from serving.bot.runs import newest_done, newest_runs, record_end, record_start
from serving.bot.schedule import Due, parse_schedule
from serving.bot.task import TaskSpec
from serving.journal.leases import acquire
from serving.journal.schema import alerts, monitor_states, task_runs

SOON = parse_schedule("every 1s")


def spec(name: str, run, place: int = 10, **more) -> TaskSpec:
    return TaskSpec(name, name, place, "every 1s", run, **more)


class Loop:
    """A runner in a thread."""

    def __init__(self, services, *specs):
        self.stop = Event()
        self.runner = Runner(services, specs, {one.name: SOON for one in specs})
        self.thread = Thread(target=self.runner.run, args=(self.stop,))
        self.thread.start()

    def end(self) -> float:
        began = monotonic()
        self.stop.set()
        self.thread.join(120.0)
        assert not self.thread.is_alive()
        return monotonic() - began


def runs_of(journal, task: str) -> list:
    with journal.connect() as connection:
        rows = select(task_runs).where(task_runs.c.task == task).order_by(task_runs.c.due_at)
        return connection.execute(rows).all()


def newest(journal) -> dict:
    with journal.connect() as connection:
        return newest_runs(connection, "paper")


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
        assert ran.wait(120.0)
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
    assert done.wait(120.0)
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


def test_stopping_waits_for_the_run_in_progress(make_services, journal):
    begun, go_on = Event(), Event()

    def slow(services, due):
        begun.set()
        go_on.wait(120.0)
        return "finished"

    loop = Loop(make_services(), spec("slow", slow))
    assert begun.wait(120.0)
    loop.stop.set()
    go_on.set()
    loop.end()
    assert [run.outcome for run in runs_of(journal, "slow")] == ["done"]
    assert acquire(journal, lease_name("paper")) is not None  # it was given back


def test_a_run_that_does_not_finish_in_time_is_named_and_due_at_the_next_start(make_services, journal, monkeypatch):
    monkeypatch.setattr("serving.bot.runner._GRACE_S", 0.3)
    stop, go_on = Event(), Event()

    def slow(services, due):
        stop.set()
        go_on.wait(20.0)
        return "finished"

    one = spec("slow", slow)
    began = monotonic()
    left = Runner(make_services(), [one], {"slow": SOON}).run(stop)
    assert left == ("slow",) and monotonic() - began < 10.0
    assert newest_done(journal, "paper") == {} and newest(journal)["slow"]["outcome"] is None
    assert acquire(journal, lease_name("paper")) is not None, "the lease is given back"
    go_on.set()


def test_of_two_bots_one_works_and_the_other_takes_over(make_services, journal):
    first_ran, second_ran = Event(), Event()

    def one(services, due):
        first_ran.set()
        return ""

    def two(services, due):
        second_ran.set()
        return ""

    first = Loop(make_services(), spec("scan", one))
    assert first_ran.wait(120.0)
    second = Loop(make_services(), spec("scan", two))
    assert not second_ran.wait(1.2)
    first.end()
    assert second_ran.wait(120.0)
    second.end()


def test_a_former_leader_writes_nothing(make_services, journal):
    services = make_services()
    old = acquire(journal, lease_name("paper"), clock=lambda: datetime(2026, 1, 1, tzinfo=UTC), term_s=2.0)
    new = acquire(journal, lease_name("paper"))
    assert new.token == old.token + 1
    runner = Runner(services, [], {})
    ran = Event()

    def task(services, due):
        ran.set()
        return ""

    leader = Leader(old)
    ended = runner._attempt(spec("scan", task), Due(datetime(2026, 1, 1, tzinfo=UTC), 0), leader)
    assert ended.failed and "taken over" in ended.text
    assert leader.lost.is_set() and not ran.is_set()
    assert runs_of(journal, "scan") == []
    with pytest.raises(LeaseLostError), journal.begin() as connection:
        old.guard(connection)


def test_after_a_restart_an_interrupted_run_is_repeated_and_a_finished_one_is_not(make_services, journal):
    clock = datetime(2026, 1, 1, 12, 0, 5, tzinfo=UTC)
    hourly = parse_schedule("every 1h")
    services = make_services(clock=lambda: clock)
    seen = []

    def task(services, due):
        seen.append(due)
        if len(seen) == 1:
            raise DataError("interrupted")
        return ""

    one = spec("scan", task)
    services_once = Runner(services, [one], {"scan": hourly})
    (failed,) = services_once.once([one])
    assert failed.failed
    assert newest_done(journal, "paper") == {}
    (done,) = services_once.once([one])
    assert not done.failed
    assert newest_done(journal, "paper") == {"scan": clock}
    states = Runner(make_services(clock=lambda: clock + timedelta(hours=2)), [one], {"scan": hourly})._first_states()
    assert (states["scan"].last, states["scan"].pending) == (clock, None)


def test_tasks_run_once_in_order_and_not_while_another_bot_leads(make_services, journal):
    order = []
    tasks = [spec(name, lambda services, due, name=name: order.append(name) or name) for name in ("fetch", "scan")]
    runner = Runner(make_services(), tasks, {one.name: SOON for one in tasks})
    assert [ended.text for ended in runner.once(tasks)] == ["fetch", "scan"]
    assert order == ["fetch", "scan"]
    acquire(journal, lease_name("paper"), term_s=60.0)
    with pytest.raises(ClusterError, match="another process runs bot paper"):
        runner.once(tasks)


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
    assert again.wait(120.0)
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
                down.wait(10.0)  # the server stops in the middle of this transaction
            connection.execute(insert(monitor_states), {"name": due.at.isoformat(), "day": due.at.date(), "state": {}})
        again.set()
        return ""

    with caplog.at_level(logging.WARNING, "serving.bot"):
        loop = Loop(make_services(lease_s=30.0), spec("scan", writes))
        assert wrote.wait(10.0)
        server.stop()
        down.set()
        try:
            assert not again.wait(1.5)
        finally:
            server.start()
        assert again.wait(20.0)
        loop.end()
    interrupted, *others = runs_of(journal, "scan")
    assert interrupted.outcome is None and {run.outcome for run in others if run.finished_at} == {"done"}
    with journal.connect() as connection:
        written = set(connection.execute(select(monitor_states.c.name)).scalars())
    assert written == {run.due_at.isoformat() for run in others if run.outcome == "done"}
    said = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert said and all(text.startswith("journal: ") for text in said) and len(said) <= 2
    assert any("journal: works again" in record.message for record in caplog.records)
