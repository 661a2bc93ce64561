"""The forecasts of baselines, which the journal stores as JSON by name, as columns of tables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from configs.values import Kind
from serving.journal.kind_columns import KIND_COLUMNS

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

Stored = Sequence[Mapping[str, Any] | None]
"""Of each of n rows a number, or a list with a number for each class, by the name of the baseline."""


def baseline_names(stored: Stored) -> list[str]:
    """Return the baselines that any row has, in the order in which they come."""
    return list(dict.fromkeys(name for one in stored if one for name in one))


def baseline_columns(kind: Kind, stored: Stored, names: Iterable[str]) -> dict[str, npt.NDArray[np.float64]]:
    """Return the columns (n,) of baselines by name, NaN in rows without one."""
    import numpy as np

    out: dict[str, npt.NDArray[np.float64]] = {}
    columns = KIND_COLUMNS[kind].forecast
    nothing: Any = np.nan if len(columns) == 1 else [np.nan] * len(columns)
    rows: list[Mapping[str, Any]] = [one or {} for one in stored]
    for name in names:
        values = [nothing if one.get(name) in (None, []) else one[name] for one in rows]
        table = np.array(values, np.float64).reshape(len(rows), len(columns))
        out |= {f"{column}_{name}": table[:, i] for i, column in enumerate(columns)}
    return out
