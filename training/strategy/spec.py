"""What a strategy is, and how a module declares one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, NamedTuple, Protocol

from configs.strategy import SizeMethod
from training.strategy.reasons import Flags
from training.strategy.series import Float
from training.strategy.view import ForecastView

Need = Literal["direction", "volatility"]


class Targets(NamedTuple):
    """Wanted positions (D, S) from −1 to 1, as shares of the full size; and :class:`~.reasons.Reason` where one is 0.

    A 0 without a reason is reported as not chosen by the strategy.
    """

    position: Float
    reason: Flags | None = None


class Strategy(Protocol):
    """Says which positions it wants."""

    def targets(self, view: ForecastView) -> Targets | Float:
        """Return wanted positions (D, S) from −1 to 1; row t from rows ≤ t of the view only. NaN counts as 0."""


@dataclass(frozen=True, slots=True)
class StrategySpec:
    """A strategy: its name, what it needs, and its sizing unless the configuration names one.

    ``needs`` are the forecasts without which a symbol has no position. A strategy that needs directions is filtered by
    confidence and net edge; ``relative`` measures both against the other symbols of the date. ``of_date`` is true if
    the positions of a date need no other row of the view, so that a bot need not compute the others.
    """

    name: str
    title: str
    build: Callable[..., Strategy]
    needs: frozenset[Need]
    size: SizeMethod
    relative: bool = False
    of_date: bool = False
