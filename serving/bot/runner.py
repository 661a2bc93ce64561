"""The loop of the bot: leads, starts tasks when they are due, and records how they ended."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from queue import Empty, SimpleQueue
from threading import Event, Thread

from configs.errors import (
    BotError,
    ClusterError,
    DatabaseError,
    DatabaseUnavailableError,
    FleetcastError,
    LeaseLostError,
)
from serving.alerts.events import one_line
from serving.bot.clock_watch import ClockWatch
from serving.bot.leader import Leader, lead, lease_name
from serving.bot.missed_runs import MissedRuns
from serving.bot.planner import BackOff, TaskState, next_tick, plan
from serving.bot.registration import register, register_single_run, register_stop, registration_of
from serving.bot.runs import DONE, FAILED, LONGEST_TEXT, newest_done, record_end, record_start
from serving.bot.schedule import Due, Schedule
from serving.bot.task import TaskSpec
from serving.bot.task_services import Services
from serving.journal.leases import acquire

_LONGEST_SLEEP_S = 2.0  # after which a changed clock is noticed
_GRACE_S = 8.0  # for the tasks in progress when the bot is stopped; a block of a training may take longer
_JOURNAL = "journal"
_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ended:
    """How an attempt ended: ``text`` is what it did, or why it ``failed``, with its ``error``."""

    task: str
    due: Due
    text: str
    failed: bool
    error: Exception | None = None


class Runner:
    """Runs tasks on their schedules, each in a thread, while this process leads the bots of its name.

    Parameters
    ----------
    services
        What tasks work with.
    specs
        The tasks, in the order in which they start.
    schedules
        When each runs; a task without one does not.
    """

    def __init__(self, services: Services, specs: Sequence[TaskSpec], schedules: Mapping[str, Schedule]) -> None:
        self.services = services
        self._specs = {spec.name: spec for spec in specs if spec.name in schedules}
        self._schedules = {name: schedules[name] for name in self._specs}
        self._after = {name: spec.after for name, spec in self._specs.items()}
        config = services.config.bot
        self._wait = BackOff(config.retry_s, config.longest_retry_s)
        self._ended: SimpleQueue[Ended] = SimpleQueue()
        self._troubles: dict[str, str] = {}
        self._stop = Event()
        self._missed = MissedRuns(self.services.bot, config.missed_s, None)

    def run(self, stop: Event) -> tuple[str, ...]:
        """Work until ``stop`` is set. The tasks in progress then have some seconds to finish.

        Return those that did not: they still run, and the next start does again what they have not done. Without the
        lease it waits to take over; without the database it tries again.
        """
        self._stop, left = stop, tuple[str, ...]()
        while not stop.is_set():
            leader = lead(self.services.journal, self.services.bot, self.services.config.bot.lease_s, stop)
            if leader is None:
                return ()
            with leader:
                _log.info("bot %s leads with token %d", self.services.bot, leader.lease.token)
                try:
                    left = self._work(leader, stop)
                except LeaseLostError as error:  # the process was paused meanwhile
                    leader.lost.set()
                    _log.warning("%s", error)
                except DatabaseUnavailableError as error:
                    self._report(_JOURNAL, f"{error} Trying again.")
                    stop.wait(_LONGEST_SLEEP_S)
        return left

    def once(self, tasks: Sequence[TaskSpec]) -> list[Ended]:
        """Run each of these tasks once, in order, whether due or not; a failure does not stop the others.

        Raises
        ------
        ClusterError
            Another process leads this bot.
        """
        bot = self.services.bot
        lease = acquire(self.services.journal, lease_name(bot), term_s=self.services.config.bot.lease_s)
        if lease is None:
            raise ClusterError(
                f"another process runs bot {bot}. Stop it, or name another bot: --set bot.name=NAME. If it was killed, "
                f"wait until its lease ends, within {self.services.config.bot.lease_s:g} s."
            )
        with Leader(lease) as leader:
            began = self.services.clock()
            due = Due(began.replace(microsecond=0), 0)
            ended = [self._attempt(spec, due, leader) for spec in tasks]
            try:
                register_single_run(self.services.journal, lease, bot, began, self.services.clock())
            except DatabaseError as error:
                _log.warning("that bot %s has ended is not recorded: %s", bot, error)
            return ended

    def _work(self, leader: Leader, stop: Event) -> tuple[str, ...]:
        self._register(leader)
        states, watch = self._first_states(), ClockWatch()
        while not stop.is_set() and not leader.lost.is_set():
            now = self.services.clock()
            watch.look(now, time.monotonic())
            start, states = plan(now, self._schedules, states, self._after)
            for name, due in start.items():
                silent_since = self._missed.silent_since(name, states[name].last, due)
                states[name] = states[name].started(due, now)
                self._start(self._specs[name], due, leader, states[name].failures, silent_since)
            pause = (next_tick(now, self._schedules, states) - self.services.clock()).total_seconds()
            states = self._collect(states, min(max(pause, 0.0), _LONGEST_SLEEP_S), stop)
        end = time.monotonic() + _GRACE_S
        while any(state.running_since for state in states.values()) and time.monotonic() < end:
            states = self._collect(states, 0.2, Event())
        if stop.is_set() and not leader.lost.is_set():
            self._record_stop(leader)
        return tuple(name for name, state in states.items() if state.running_since)

    def _record_stop(self, leader: Leader) -> None:
        """Record that the bot was stopped on purpose; without the database, the next start reports missed runs."""
        try:
            register_stop(self.services.journal, leader.lease, self.services.bot, self.services.clock())
        except DatabaseError as error:
            _log.warning("that bot %s was stopped is not recorded: %s", self.services.bot, error)

    def _register(self, leader: Leader) -> None:
        """Record that this process leads, and when the one before was stopped."""
        journal, bot = self.services.journal, self.services.bot
        with journal.connect() as connection:
            before = registration_of(connection, bot)
        stopped_at = None if before is None else before.stopped_at
        self._missed = MissedRuns(bot, self.services.config.bot.missed_s, stopped_at)
        register(journal, leader.lease, bot, self._schedules, self.services.clock())

    def _first_states(self) -> dict[str, TaskState]:
        """Return where tasks are after the past runs."""
        now, done = self.services.clock(), newest_done(self.services.journal, self.services.bot)
        self._missed.since_the_process_before(self._schedules, done, now)
        states: dict[str, TaskState] = {}
        for name, spec in self._specs.items():
            first = Due(now.replace(microsecond=0), 0) if spec.at_start and name not in done else None
            states[name] = TaskState(last=done.get(name, now), pending=first)
        return states

    def _start(
        self, spec: TaskSpec, due: Due, leader: Leader, failures: int, silent_since: datetime | None = None
    ) -> None:
        def work() -> None:
            self._ended.put(self._attempt(spec, due, leader, failures, silent_since))

        Thread(target=work, name=f"task-{spec.name}", daemon=True).start()

    def _attempt(
        self, spec: TaskSpec, due: Due, leader: Leader, failures: int = 0, silent_since: datetime | None = None
    ) -> Ended:
        """Run a task for a tick, after so many failures, and record it; no error leaves this function."""
        ending = (leader.lost, self._stop)
        services = replace(self.services, lease=leader.lease, stopped=lambda: any(event.is_set() for event in ending))
        journal, clock, bot, began = services.journal, services.clock, services.bot, time.monotonic()
        text, failed = "", False
        known: Exception | None = None
        try:
            record_start(journal, leader.lease, bot, spec.name, due, clock(), silent_since)
            text = spec.run(services, due)
        except LeaseLostError as error:
            leader.lost.set()
            return Ended(spec.name, due, str(error), True, error)
        except FleetcastError as error:
            text, failed, known = str(error), True, error
        except (Exception, SystemExit) as error:  # neither a bug nor sys.exit() in one task may stop the others
            _log.exception("task %s failed", spec.name)
            text, failed = f"{type(error).__name__}: {error}", True
            known = error if isinstance(error, Exception) else BotError(f"task {spec.name} ended by {text}.")
        text = one_line(text, LONGEST_TEXT)
        if services.metrics is not None:
            services.metrics.task(spec.name, FAILED if failed else DONE, time.monotonic() - began, due.missed)
        try:
            why = text if failed else None
            record_end(journal, leader.lease, bot, spec.name, due, clock(), why, failures + failed, services.repeat)
        except Exception as problem:  # without an end, the task would count as running for ever
            return Ended(
                spec.name, due, text if failed else one_line(str(problem), LONGEST_TEXT), True, known or problem
            )
        return Ended(spec.name, due, text, failed, known)

    def _collect(self, states: dict[str, TaskState], wait_s: float, stop: Event) -> dict[str, TaskState]:
        """Wait for the end of a task, at most so long, and return the states after all that have ended."""
        states, deadline = dict(states), time.monotonic() + wait_s
        while True:
            left = deadline - time.monotonic()
            try:
                ended = self._ended.get(timeout=min(max(left, 0.0), 0.2)) if left > 0 else self._ended.get_nowait()
            except Empty:
                if left <= 0 or stop.is_set():
                    return states
                continue
            state = states[ended.task]
            if ended.failed:
                states[ended.task] = state.failed(ended.due, self.services.clock(), self._wait)
                no_journal = isinstance(ended.error, DatabaseUnavailableError)
                self._report(_JOURNAL if no_journal else ended.task, ended.text)
            else:
                states[ended.task] = state.succeeded()
                _log.info("%s: %s", ended.task, ended.text)
                for name in (ended.task, _JOURNAL):
                    self._report(name, "")
            deadline = time.monotonic()  # others may be waiting for it

    def _report(self, name: str, trouble: str) -> None:
        """Log the trouble of a task once, until it changes or ends."""
        before = self._troubles.get(name, "")
        if trouble and trouble != before:
            _log.error("%s: %s", name, trouble)
        elif before and not trouble:
            _log.warning("%s: works again", name)
        self._troubles[name] = trouble
