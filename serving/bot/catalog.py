"""The catalog of tasks: every module of :mod:`serving.bot.tasks`, and when each runs."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Mapping
from functools import cache

from configs.errors import ConfigError, did_you_mean
from serving.bot import tasks
from serving.bot.schedule import Schedule, parse_schedule
from serving.bot.task import TaskSpec

OFF = "off"


@cache
def catalog() -> dict[str, TaskSpec]:
    """Return every task by name, in the order in which they run at one time."""
    names = [module.name for module in pkgutil.iter_modules(tasks.__path__)]
    specs: list[TaskSpec] = [importlib.import_module(f"{tasks.__name__}.{name}").SPEC for name in names]
    return {spec.name: spec for spec in sorted(specs, key=lambda spec: (spec.place, spec.name))}


def choose_task(name: str) -> TaskSpec:
    """Return the task of this name; ``ConfigError`` if there is none."""
    found = catalog().get(name)
    if found is None:
        raise ConfigError(
            f"there is no task {name!r}. {did_you_mean(name, catalog())}Choose from {', '.join(catalog())}."
        )
    return found


def schedules(given: Mapping[str, str]) -> dict[str, Schedule]:
    """Return when each task runs, without those that are off.

    Parameters
    ----------
    given
        ``bot.schedules``, by task.

    Raises
    ------
    ConfigError
        There is no such task, or its schedule is not understood.
    """
    for name in given:
        choose_task(name)
    texts = {name: given.get(name, spec.schedule) for name, spec in catalog().items()}
    found: dict[str, Schedule] = {}
    for name, text in texts.items():
        if text.strip() != OFF:
            try:
                found[name] = parse_schedule(text)
            except ConfigError as error:
                raise ConfigError(f"bot.schedules.{name}: {error}") from error
    return found
