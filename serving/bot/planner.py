"""Which tasks to start: pure decisions from schedules, past runs and failures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import NamedTuple, Self

from serving.bot.schedule import Due, Schedule, advance


@dataclass(frozen=True, slots=True)
class TaskState:
    """Where a task is.

    Attributes
    ----------
    last
        The newest tick that needs no first attempt any more.
    pending
        A tick whose run failed and is to be tried again.
    running_since
        When the run in progress began.
    failures
        Failed attempts in succession; ``failed_at`` is when the newest one ended, ``retry_at`` the earliest time of the
        next one.
    """

    last: datetime
    pending: Due | None = None
    running_since: datetime | None = None
    failures: int = 0
    failed_at: datetime | None = None
    retry_at: datetime | None = None

    def started(self, due: Due, now: datetime) -> Self:
        """Return the state of a task whose run has begun."""
        return replace(self, last=max(self.last, due.at), pending=None, running_since=now)

    def succeeded(self) -> Self:
        """Return the state after a run."""
        return replace(self, running_since=None, failures=0, failed_at=None, retry_at=None)

    def failed(self, due: Due, now: datetime, wait: BackOff) -> Self:
        """Return the state after a failed attempt, which is repeated after a delay that doubles."""
        failures = self.failures + 1
        retry_at = now + timedelta(seconds=wait.delay_s(failures))
        return replace(self, running_since=None, failures=failures, failed_at=now, retry_at=retry_at, pending=due)

    def rests(self, now: datetime) -> bool:
        """Return whether the delay after a failure is not over; a clock that was set back since ends it."""
        return self.failed_at is not None and self.retry_at is not None and self.failed_at <= now < self.retry_at


class BackOff(NamedTuple):
    """Seconds before a failed task is tried again: the ``first_s``, twice as many each time, at most ``longest_s``."""

    first_s: float
    longest_s: float

    def delay_s(self, failures: int) -> float:
        """Return the delay after so many failures in succession."""
        return float(min(self.longest_s, self.first_s * 2.0 ** min(failures - 1, 60)))


class Plan(NamedTuple):
    """Tasks to start now, in order, and the states of all."""

    start: dict[str, Due]
    states: dict[str, TaskState]


def plan(
    now: datetime,
    schedules: Mapping[str, Schedule],
    states: Mapping[str, TaskState],
    after: Mapping[str, tuple[str, ...]],
) -> Plan:
    """Return what to start at ``now``: at most one run of a task at a time, and one for all ticks that had none.

    Parameters
    ----------
    schedules
        Of the tasks, in the order in which they are to be started.
    after
        Tasks that a task waits for if they are running or start now, as a scan waits for new bars; for at most one of
        its own periods, so that a task which hangs delays the others and does not stop them.
    """
    start, found = dict[str, Due](), dict[str, TaskState]()
    for name, schedule in schedules.items():
        progress = advance(schedule, states[name].last, now)
        state = found[name] = replace(states[name], last=progress.last)
        due = progress.due or state.pending
        if due is None or state.running_since is not None:
            continue
        if state.rests(now):
            continue
        patient = now < schedule.after(due.at)
        busy = [one for one in after.get(name, ()) if one in start or _is_running(states.get(one))]
        if not (busy and patient):
            start[name] = due
    return Plan(start, found)


def next_tick(now: datetime, schedules: Mapping[str, Schedule], states: Mapping[str, TaskState]) -> datetime:
    """Return the next time at which a task that is not running becomes due."""
    times = [schedule.after(max(states[name].last, now)) for name, schedule in schedules.items()]
    times += [state.retry_at for state in states.values() if state.retry_at is not None and state.rests(now)]
    return min(times)


def _is_running(state: TaskState | None) -> bool:
    return state is not None and state.running_since is not None
