"""What a task of the bot is: a module of :mod:`serving.bot.tasks` with a ``SPEC``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serving.bot.schedule import Due

if TYPE_CHECKING:
    from serving.bot.task_services import Services


@dataclass(frozen=True, slots=True)
class TaskSpec:
    """The declaration of a task.

    Parameters
    ----------
    name, title
        ``title`` says in a few words what it does.
    place
        Its position among tasks that are due at the same time.
    schedule
        When it runs, unless ``bot.schedules`` says otherwise.
    run
        Does the work for a tick and returns what it did, in words. It may be interrupted anywhere and run again for the
        same tick, so everything that it writes is identified by what it is about. It raises if it did not do its work.
    after
        Tasks whose runs it waits for.
    at_start
        Whether a bot without a past runs it as soon as it starts.
    """

    name: str
    title: str
    place: int
    schedule: str
    run: Callable[[Services, Due], str]
    after: tuple[str, ...] = ()
    at_start: bool = True
