"""The loop: one leader, tasks in threads, restarts, and an orderly end."""

from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
from bot_loop import SOON, Loop, newest, runs_of, spec
from waiting import BOUND_S

from configs.errors import ClusterError, DataError, LeaseLostError
from serving.bot.leader import Leader, lease_name
from serving.bot.runner import Runner
from serving.bot.runs import newest_done
from serving.bot.schedule import Due, parse_schedule
from serving.journal.leases import acquire

pytestmark = pytest.mark.slow


def test_stopping_waits_for_the_run_in_progress(make_services, journal):
    begun, go_on = Event(), Event()

    def slow(services, due):
        begun.set()
        go_on.wait(BOUND_S)
        return "finished"

    loop = Loop(make_services(), spec("slow", slow))
    assert begun.wait(BOUND_S)
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
        go_on.wait(BOUND_S)
        return "finished"

    one = spec("slow", slow)
    left = Runner(make_services(), [one], {"slow": SOON}).run(stop)
    assert left == ("slow",)
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
    assert first_ran.wait(BOUND_S)
    second = Loop(make_services(), spec("scan", two))
    assert not second_ran.wait(1.2)
    first.end()
    assert second_ran.wait(BOUND_S)
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
