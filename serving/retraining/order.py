"""The order in which symbols are trained again: staleness × drift × exposure, each with a floor. Pure functions."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from configs.retrain import RetrainConfig

_MOST = 100.0  # a factor above it orders no better, and the product stays readable


@dataclass(frozen=True, slots=True)
class SymbolFacts:
    """What the order of a symbol depends on.

    Attributes
    ----------
    symbol
        Its name.
    age_days
        Days since the last outcome that its model has seen; infinite for a symbol without a model.
    drift
        A measure of how much worse its forecasts, or stranger its features, have become, over the value that raises an
        alert: 1 is that value.
    exposure
        Size of its position as a share of equity.
    """

    symbol: str
    age_days: float = math.inf
    drift: float = 0.0
    exposure: float = 0.0


@dataclass(frozen=True, slots=True)
class Priority:
    """A symbol's factors after their floors, and their product."""

    symbol: str
    staleness: float
    drift: float
    exposure: float

    @property
    def priority(self) -> float:
        """The product of the factors."""
        return self.staleness * self.drift * self.exposure


def order_symbols(facts: Iterable[SymbolFacts], settings: RetrainConfig) -> list[Priority]:
    """Return the symbols, the most urgent first; equal ones by name.

    Raises
    ------
    ValueError
        A number is negative or NaN.
    """
    found = [
        Priority(
            one.symbol,
            _factor(one.age_days / settings.every_days, settings.staleness_floor),
            _factor(one.drift, settings.drift_floor),
            _factor(one.exposure, settings.exposure_floor),
        )
        for one in facts
    ]
    return sorted(found, key=lambda one: (-one.priority, one.symbol))


def within_budget(
    blocks: Mapping[str, Sequence[str]], order: Sequence[str], budget: int | None
) -> tuple[list[str], list[str]]:
    """Return the blocks that a run fits, the most urgent first, and those that are left.

    A block is as urgent as its most urgent symbol. Symbols that the order does not name come first: nothing is known of
    them. The first block is always fitted, even if it has more symbols than the budget.

    Parameters
    ----------
    blocks
        The symbols of each block that is not fitted yet.
    order
        Symbols, the most urgent first.
    budget
        Most symbols; None for all.
    """
    rank = {symbol: place for place, symbol in enumerate(order)}
    urgent = sorted(blocks, key=lambda name: (min((rank.get(one, -1) for one in blocks[name]), default=-1), name))
    taken, used = 0, 0
    for name in urgent:
        if taken and budget is not None and used + len(blocks[name]) > budget:
            break
        taken, used = taken + 1, used + len(blocks[name])
    return urgent[:taken], urgent[taken:]


def _factor(value: float, floor: float) -> float:
    if not value >= 0.0:
        raise ValueError(f"a factor is {value!r}; expected a number of at least 0")
    return min(max(value, floor), _MOST)
