"""What every member keeps: plain arrays, most of them with a leading symbol axis."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from configs.errors import ModelError

Float = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Arrays = dict[str, npt.NDArray[Any]]

_TOGETHER = 65_536  # rows, so that intermediate results stay small

SHARED = {"shared": True}  # metadata of a dataclass field that holds one array for all symbols, not a row for each


class FleetState:
    """A frozen dataclass of arrays that can be stored, gathered and joined by symbol."""

    def __len__(self) -> int:
        """Return S, the number of symbols."""
        return len(getattr(self, self._names(shared=False)[0]))

    @classmethod
    def _names(cls, *, shared: bool) -> list[str]:
        return [f.name for f in fields(cls) if bool(f.metadata.get("shared")) == shared]  # type: ignore[arg-type]

    def to_arrays(self) -> Arrays:
        """Return the state by field name, ready for safetensors."""
        return {f.name: getattr(self, f.name) for f in fields(self)}  # type: ignore[arg-type]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]]) -> Self:
        """Rebuild a state from :meth:`to_arrays`; other keys are ignored.

        Raises
        ------
        ModelError
            An array is missing, or the arrays disagree on the number of symbols.
        """
        names = cls._names(shared=False) + cls._names(shared=True)
        missing = [name for name in names if name not in arrays]
        if missing:
            raise ModelError(f"{cls.__name__} lacks the array {missing[0]!r}. The version is corrupt: train again.")
        if len({len(arrays[name]) for name in cls._names(shared=False)}) != 1:
            raise ModelError(f"{cls.__name__} holds arrays of different lengths. The version is corrupt: train again.")
        return cls(**{name: arrays[name] for name in names})

    def take(self, symbols: npt.ArrayLike) -> Self:
        """Return the fleet of the symbols at these positions, in this order."""
        rows = np.asarray(symbols)
        values = {name: getattr(self, name)[rows] for name in self._names(shared=False)}
        return type(self)(**values, **{name: getattr(self, name) for name in self._names(shared=True)})

    @classmethod
    def concat(cls, fleets: Sequence[Self]) -> Self:
        """Join fleets along the symbol axis; what they share must be equal.

        Raises
        ------
        ModelError
            The fleets were fitted with different shared settings.
        """
        for name in cls._names(shared=True):
            if any(not np.array_equal(getattr(fleet, name), getattr(fleets[0], name)) for fleet in fleets):
                raise ModelError(f"{cls.__name__}s with different {name} cannot be joined. Train them with one config.")
        values = {name: np.concatenate([getattr(f, name) for f in fleets]) for name in cls._names(shared=False)}
        return cls(**values, **{name: getattr(fleets[0], name) for name in cls._names(shared=True)})


def symbol_index(offsets: Ints) -> Ints:
    """Return each row's symbol (rows,) from ragged offsets (S + 1,)."""
    return np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))


def rows_by_length(offsets: Ints) -> Iterator[Ints]:
    """Yield the rows (N, S) of S symbols with N bars each, from ragged offsets, until every row was yielded once.

    A function of series along the first axis then takes one pass over S symbols.
    """
    lengths = np.diff(offsets)
    for bars in np.unique(lengths[lengths > 0]).tolist():
        starts, size = offsets[:-1][lengths == bars], max(_TOGETHER // bars, 1)
        for first in range(0, len(starts), size):
            yield np.arange(bars)[:, None] + starts[first : first + size]
