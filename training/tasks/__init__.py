"""Tasks: what kinds of models forecast. Each module with a ``TASK`` is one kind; everything that differs is there."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from configs.errors import ModelError
from training.tasks.task import Evaluated, Layout, Task

__all__ = ["Evaluated", "Layout", "Task", "catalog", "task_of"]


@cache
def catalog() -> dict[str, Task]:
    """Return every task by the name of its kind."""
    modules = [importlib.import_module(f"{__name__}.{found.name}") for found in pkgutil.iter_modules(__path__)]
    tasks: list[Task] = [module.TASK for module in modules if hasattr(module, "TASK")]
    return {task.kind: task for task in tasks}


def task_of(kind: str) -> Task:
    """Return the task of a kind.

    Raises
    ------
    ModelError
        There is no such kind.
    """
    if kind not in catalog():
        raise ModelError(f"kind {kind!r} does not exist. Choose one of: {', '.join(catalog())}.")
    return catalog()[kind]
