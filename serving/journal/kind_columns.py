"""Which columns the forecasts of a kind have, in test tables of versions and in the journal's table ``predictions``."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from configs.values import Kind

_CLASSES = ("down", "sideways", "up")
_STORED = {"forecast": "variance"}  # names in the journal that differ from those in test tables


@dataclass(frozen=True, slots=True)
class KindColumns:
    """The columns of a kind, by their names in test tables.

    Attributes
    ----------
    forecast
        The k numbers of a forecast; those of a baseline end with ``_NAME``.
    interval
        Ends of an interval; not every table has them.
    label_set
        Whether each class is in the label set.
    others
        Numbers that say how to read a forecast; only the journal has them.
    has_probabilities
        Whether ``forecast`` are probabilities, which sum to 1.
    """

    forecast: tuple[str, ...]
    interval: tuple[str, ...] = ()
    label_set: tuple[str, ...] = ()
    others: tuple[str, ...] = ()
    has_probabilities: bool = False

    @property
    def values(self) -> tuple[str, ...]:
        """The forecast and its interval."""
        return (*self.forecast, *self.interval)

    @property
    def stored(self) -> tuple[str, ...]:
        """The columns of ``predictions`` that only this kind fills."""
        return tuple(stored_name(name) for name in (*self.values, *self.label_set, *self.others))


KIND_COLUMNS: Mapping[Kind, KindColumns] = {
    "direction": KindColumns(
        forecast=tuple(f"p_{name}" for name in _CLASSES),
        label_set=tuple(f"in_set_{name}" for name in _CLASSES),
        others=("band",),
        has_probabilities=True,
    ),
    "volatility": KindColumns(forecast=("forecast",), interval=("low", "high"), others=("bars_per_year",)),
}


def stored_name(name: str) -> str:
    """Return the name in ``predictions`` of a column of test tables."""
    return _STORED.get(name, name)
