"""Which tasks start: no overlap, one catch-up, waiting for other tasks, and back-off after failures."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from serving.bot.planner import BackOff, TaskState, next_tick, plan
from serving.bot.schedule import Due, parse_schedule

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
SCHEDULES = {"fetch": parse_schedule("every 10m"), "scan": parse_schedule("every 10m")}
AFTER = {"scan": ("fetch",)}
WAIT = BackOff(30.0, 900.0)


def at(minutes: float) -> datetime:
    return START + timedelta(minutes=minutes)


def states(**given_: TaskState) -> dict[str, TaskState]:
    return {name: given_.get(name, TaskState(START)) for name in SCHEDULES}


def test_a_scan_starts_after_the_fetch_of_the_same_tick():
    first = plan(at(10), SCHEDULES, states(), AFTER)
    assert first.start == {"fetch": Due(at(10), 0)}
    fetching = {**first.states, "fetch": first.states["fetch"].started(Due(at(10), 0), at(10))}
    assert plan(at(12), SCHEDULES, fetching, AFTER).start == {}
    fetched = {**fetching, "fetch": fetching["fetch"].succeeded()}
    assert plan(at(12), SCHEDULES, fetched, AFTER).start == {"scan": Due(at(10), 0)}


def test_a_fetch_that_hangs_delays_a_scan_by_one_period_only():
    hangs = states(fetch=TaskState(at(10), running_since=at(10)))
    assert plan(at(19), SCHEDULES, hangs, AFTER).start == {}
    late = plan(at(20), SCHEDULES, hangs, AFTER)
    assert late.start == {}  # the tick of minute 20 may wait again
    scan = {**hangs, "scan": TaskState(at(0), pending=Due(at(0), 0), retry_at=None)}
    assert plan(at(9), {"scan": SCHEDULES["scan"]}, {"scan": scan["scan"]}, {}).start == {"scan": Due(at(0), 0)}


def test_a_task_that_runs_is_not_started_again_and_its_missed_ticks_are_counted():
    busy = states(scan=TaskState(at(0), running_since=at(0)), fetch=TaskState(at(40)))
    assert plan(at(25), SCHEDULES, busy, AFTER).start == {}
    free = {**busy, "scan": busy["scan"].succeeded()}
    assert plan(at(25), SCHEDULES, free, AFTER).start == {"scan": Due(at(20), 1)}


def test_failures_are_repeated_with_a_growing_delay_until_the_next_tick():
    due = Due(at(10), 0)
    state = TaskState(START).started(due, at(10)).failed(due, at(10), WAIT)
    only = {"scan": SCHEDULES["scan"]}
    assert plan(at(10.4), only, {"scan": state}, {}).start == {}
    assert plan(at(10.5), only, {"scan": state}, {}).start == {"scan": due}
    again = state.started(due, at(10.5)).failed(due, at(10.5), WAIT)
    assert again.retry_at == at(11.5)
    assert plan(at(20), only, {"scan": again}, {}).start == {"scan": Due(at(20), 0)}
    well = again.started(Due(at(20), 0), at(20)).succeeded()
    assert (well.failures, well.retry_at, well.pending) == (0, None, None)


@given(failures=st.integers(1, 10_000))
def test_delays_are_bounded(failures):
    assert 30.0 <= WAIT.delay_s(failures) <= WAIT.delay_s(failures + 1) <= 900.0


@given(durations=st.lists(st.floats(0.1, 45.0), min_size=1, max_size=12))
def test_every_tick_has_one_run_or_is_missed(durations):
    """A task of any durations: runs never overlap, and runs + missed ticks are all ticks of the time."""
    only, state, now = {"scan": SCHEDULES["scan"]}, TaskState(START), START
    runs = missed = 0
    for minutes in durations:
        now = max(now, next_tick(now, only, {"scan": state})) if not plan(now, only, {"scan": state}, {}).start else now
        (due,) = plan(now, only, {"scan": state}, {}).start.values()
        state = state.started(due, now)
        assert plan(now, only, {"scan": state}, {}).start == {}
        runs, missed = runs + 1, missed + due.missed
        now += timedelta(minutes=minutes)
        state = state.succeeded()
    assert runs + missed == (state.last - START) / timedelta(minutes=10)


def test_a_clock_that_is_set_back_ends_the_delay_after_a_failure():
    due, only = Due(at(10), 0), {"scan": SCHEDULES["scan"]}
    state = TaskState(START).started(due, at(10)).failed(due, at(10), WAIT)
    for back_min in (1, 60, 24 * 60):
        now = at(10 - back_min)
        assert list(plan(now, only, {"scan": state}, {}).start) == ["scan"]
