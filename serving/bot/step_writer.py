"""Write a step to the journal, and read what the next one goes on from."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from serving.bot.result import StepAlert, StepResult
from serving.bot.state import BotState

RaiseAlerts = Callable[[Any, StepResult, Sequence[StepAlert]], None]


def write_step(journal: Any, lease: Any, result: StepResult, raise_alerts: RaiseAlerts | None = None) -> bool:
    """Write all rows of a step in one transaction; return False, and write nothing, if it is in the journal already.

    Parameters
    ----------
    lease
        Its token is checked in the transaction, so that a former leader writes nothing.
    raise_alerts
        Writes the alerts in the same transaction, given its connection.
    """
    raise NotImplementedError


def read_state(journal: Any, bot: str) -> BotState | None:
    """Return the state after a bot's newest step; None before its first."""
    raise NotImplementedError
