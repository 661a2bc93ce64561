"""Scores as sums per day, which can be added over blocks of symbols and give errors clustered by day.

A block of symbols reduces its test rows to a few numbers per day; adding the blocks' numbers gives the
universe's metrics and their standard errors. Memory depends on the days, not on the symbols.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
import numpy.typing as npt

from training.metrics.calibration import CALIBRATION_GRID
from training.metrics.clustered import day_jackknife
from training.metrics.ratio import Array, Ints

MODEL = "model"


@dataclass(frozen=True, slots=True)
class DailySums:
    """Sums over the rows of each day, for the model and the baselines that it is compared with.

    Attributes
    ----------
    dates
        Distinct days in order, datetime64[D], shape (D,). Intraday rows belong to their UTC day.
    names
        Forecasters in the order of the arrays' second axis; the first is ``"model"``.
    sums
        Arrays (D, …) that add up over rows.
    """

    dates: npt.NDArray[np.datetime64]
    names: tuple[str, ...]
    sums: dict[str, Array]

    sparse: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def merge(cls, *parts: Self) -> Self:
        """Return the sums of several blocks with the same forecasters; days may differ.

        Raises
        ------
        ValueError
            No parts, or parts with different forecasters.
        """
        if not parts or any(part.names != parts[0].names for part in parts):
            raise ValueError(
                f"cannot add daily sums of {[part.names for part in parts]}; expected one set of forecasters"
            )
        dates = np.unique(np.concatenate([part.dates for part in parts]))
        sums = {key: np.zeros((len(dates), *value.shape[1:])) for key, value in parts[0].sums.items()}
        for part in parts:
            rows = np.searchsorted(dates, part.dates)
            for key, total in sums.items():
                total[rows] += part.sums[key]
        return cls(dates=dates, names=parts[0].names, sums=sums)

    def to_arrays(self) -> dict[str, npt.NDArray[np.generic]]:
        """Return numeric arrays that :meth:`from_arrays` reads back exactly; counts use the smallest integer type."""
        arrays: dict[str, npt.NDArray[np.generic]] = {
            "dates": self.dates.astype(np.int64),
            "names": np.frombuffer("\n".join(self.names).encode(), dtype=np.uint8).copy(),
        }
        for key, value in self.sums.items():
            if key in self.sparse:
                cells = np.flatnonzero(value.any(axis=tuple(range(value.ndim - 1))))
                arrays[f"{key}.cells"], arrays[key] = cells, _narrow(np.ascontiguousarray(value[..., cells]))
            else:
                arrays[key] = _narrow(value)
        return arrays

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[np.generic]]) -> Self:
        """Invert :meth:`to_arrays`."""
        sums = {}
        for key in (k for k in arrays if k not in ("dates", "names") and not k.endswith(".cells")):
            sums[key] = np.asarray(arrays[key], dtype=np.float64)
            if key in cls.sparse:
                sums[key] = np.zeros((*arrays[key].shape[:-1], CALIBRATION_GRID))
                sums[key][..., arrays[f"{key}.cells"].astype(np.int64)] = arrays[key]
        names = tuple(bytes(arrays["names"].astype(np.uint8)).decode().split("\n"))
        return cls(dates=arrays["dates"].astype("datetime64[D]"), names=names, sums=sums)

    def put(
        self, out: dict[str, float], key: str, statistic: Callable[..., Array], sums: tuple[str, ...], overlap: int
    ) -> None:
        """Add to ``out`` a statistic of each forecaster and the model's paired differences, with standard errors."""

        def with_differences(*totals: Array) -> Array:
            value = statistic(*totals)
            return np.concatenate([value, value[..., :1] - value[..., 1:]], axis=-1)

        value, error = day_jackknife(with_differences, tuple(self.sums[name] for name in sums), overlap)
        others = self.names[1:]
        keys = (key, *(f"{key}_{name}" for name in others), *(f"{key}_vs_{name}" for name in others))
        for name, v, e in zip(keys, value.tolist(), error.tolist(), strict=True):
            out[name], out[f"{name}_se"] = v, e


class DayTotals:
    """Sums over the rows of each day; with ``keep`` (n,), values are given for those rows only."""

    def __init__(self, row: Ints, days: int, keep: npt.NDArray[np.bool_] | None = None) -> None:
        self.row, self.days = (row if keep is None else row[keep]), days

    def __call__(self, values: npt.NDArray[np.generic]) -> Array:
        """Return the sums (D,) of values (n,)."""
        sums = np.bincount(self.row, weights=values.astype(np.float64), minlength=self.days)
        return np.asarray(sums, dtype=np.float64)

    def stack(self, columns: Iterable[Array]) -> Array:
        """Return the sums (D, M) of M columns (n,)."""
        return np.stack([self(column) for column in columns], axis=1)

    def counts(self, cells: Ints, width: int, weights: Array | None = None) -> Array:
        """Return the counts, or sums of weights, (D, width) by cell (n,) in [0, width)."""
        flat = np.bincount(self.row * width + cells, weights=weights, minlength=self.days * width)
        return flat.reshape(self.days, width).astype(np.float64)


def _narrow(values: Array) -> npt.NDArray[np.generic]:
    """Return counts in the smallest unsigned type that can hold them, other sums unchanged."""
    is_count = values.size > 0 and bool(((values >= 0) & (values < 2**32) & (values == np.floor(values))).all())
    return values.astype(np.min_scalar_type(int(values.max()))) if is_count else values


def day_index(dates: npt.ArrayLike, rows: int) -> tuple[npt.NDArray[np.datetime64], Ints]:
    """Return the distinct days (D,) and the position (n,) of each row's day."""
    stamps = np.asarray(dates)
    if stamps.shape != (rows,) or rows == 0 or stamps.dtype.kind != "M" or np.isnat(stamps).any():
        raise ValueError(
            f"dates have shape {stamps.shape} and dtype {stamps.dtype}; expected {rows} ≥ 1 valid datetime64"
        )
    day = stamps.astype("datetime64[D]").astype(np.int64)
    present = np.bincount(day - day.min()) > 0
    days = (np.flatnonzero(present) + day.min()).astype("datetime64[D]")
    position = np.cumsum(present, dtype=np.int64) - 1
    return days, position[day - day.min()]
