"""Forecasts and outcomes as a table, one row a symbol and bar, and what each row says about the model.

The columns are those of the test tables of versions. Direction: ``p_down``, ``p_sideways``, ``p_up``, ``in_set_…``,
``label``, and ``p_down_prior`` … of each baseline. Volatility, as mean variances a bar: ``forecast``, ``low``,
``high``, ``target``, and ``forecast_log_har`` … of each baseline. ``level`` is the probability with which the label set
or the interval should contain the outcome.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError, shortened
from configs.values import Kind
from features.labels import CLASSES
from serving.monitoring.losses import OUTLIER, LossGaps, direction_gaps, volatility_gaps
from training.metrics.ratio import Array

OUTCOME = {"direction": "label", "volatility": "target"}
BASELINE = {"direction": "prior", "volatility": "log_har"}
"""The baseline that tests compare with; tables show all."""
LOSS = {"direction": "log_loss", "volatility": "qlike"}


class RowEvidence(NamedTuple):
    """What each of n rows says; NaN where it says nothing.

    Attributes
    ----------
    losses
        Gaps to the baseline, each (n,); NaN without a forecast of the baseline or without an outcome.
    missed
        1 where the outcome is outside the label set or interval, else 0, (n,).
    """

    losses: LossGaps
    missed: Array


def probabilities(frame: pd.DataFrame, baseline: str = "") -> Array:
    """Return the model's or a baseline's probabilities (n, 3); NaN where there are none."""
    end = f"_{baseline}" if baseline else ""
    return _columns(frame, [f"p_{name}{end}" for name in CLASSES])


def variances(frame: pd.DataFrame, baseline: str = "") -> Array:
    """Return the model's or a baseline's mean variances a bar (n,); NaN where there are none."""
    return _columns(frame, [f"forecast_{baseline}" if baseline else "forecast"])[:, 0]


def baselines_of(kind: Kind, frame: pd.DataFrame) -> list[str]:
    """Return the baselines with a forecast in any row, in the order of the columns."""
    head = "p_up_" if kind == "direction" else "forecast_"
    names = [str(column).removeprefix(head) for column in frame.columns if str(column).startswith(head)]
    return [name for name in names if np.isfinite(_forecasts(kind, frame, name)).any()]


def has_outcome(kind: Kind, frame: pd.DataFrame, outcome: str | None = None) -> npt.NDArray[np.bool_]:
    """Return where the outcome is known (n,)."""
    values = frame[outcome or OUTCOME[kind]].to_numpy(dtype=np.float64, na_value=np.nan)
    return np.asarray(np.isfinite(values) & (values >= 0))


def row_evidence(
    kind: Kind,
    frame: pd.DataFrame,
    *,
    baseline: str | None = None,
    outcome: str | None = None,
    outlier: float = OUTLIER,
) -> RowEvidence:
    """Return what each row says about the model next to a baseline.

    Parameters
    ----------
    baseline
        By default the kind's own, :data:`BASELINE`.
    outcome
        The column of outcomes, by default ``label`` or ``target``.
    outlier
        As for :func:`serving.monitoring.losses.volatility_gaps`.

    Raises
    ------
    DataError
        A column is missing, or a forecast is none.
    """
    needed = ["p_down", "p_sideways", "p_up"] if kind == "direction" else ["forecast"]
    require_columns(frame, [*needed, outcome or OUTCOME[kind]], f"{kind} forecasts")
    name = BASELINE[kind] if baseline is None else baseline
    known = has_outcome(kind, frame, outcome)
    values = frame[outcome or OUTCOME[kind]].to_numpy(dtype=np.float64, na_value=np.nan)
    own, other = _forecasts(kind, frame), _forecasts(kind, frame, name)
    usable = known & np.isfinite(own).all(axis=1) & np.isfinite(other).all(axis=1)
    losses = LossGaps(*(np.full(len(frame), np.nan) for _ in LossGaps._fields))
    if usable.any():
        try:
            found = (
                direction_gaps(values[usable], own[usable], other[usable])
                if kind == "direction"
                else volatility_gaps(values[usable], own[usable, 0], other[usable, 0], outlier)
            )
        except ValueError as error:
            raise DataError(f"{kind} forecasts cannot be judged: {error}.") from error
        for whole, part in zip(losses, found, strict=True):
            whole[usable] = part
    return RowEvidence(losses, _missed(kind, frame, values, known))


def label_sets(frame: pd.DataFrame) -> Array:
    """Return which classes are in the label sets (n, 3), 0 or 1; NaN where there is none."""
    return _columns(frame, [f"in_set_{name}" for name in CLASSES])


def require_columns(frame: pd.DataFrame, names: Sequence[str], what: str) -> None:
    """Raise ``DataError`` if a column is missing."""
    if missing := [name for name in names if name not in frame.columns]:
        have = shortened([str(name) for name in frame.columns], 12)
        raise DataError(f"{what} lack the columns {', '.join(missing)}; they have {have}.")


def _forecasts(kind: Kind, frame: pd.DataFrame, baseline: str = "") -> Array:
    return probabilities(frame, baseline) if kind == "direction" else variances(frame, baseline)[:, None]


def _missed(kind: Kind, frame: pd.DataFrame, values: Array, known: npt.NDArray[np.bool_]) -> Array:
    out = np.full(len(frame), np.nan)
    if kind == "direction":
        sets = label_sets(frame)
        rows = np.flatnonzero(known & np.isfinite(sets).all(axis=1))
        out[rows] = 1.0 - sets[rows, values[rows].astype(np.int64)]
        return out
    low, high = (_columns(frame, [name])[:, 0] for name in ("low", "high"))
    rows = np.flatnonzero(known & np.isfinite(low) & np.isfinite(high))
    out[rows] = (values[rows] < low[rows]) | (values[rows] > high[rows])
    return out


def _columns(frame: pd.DataFrame, names: Sequence[str]) -> Array:
    missing = np.full(len(frame), np.nan)
    columns = [
        frame[name].astype("Float64").to_numpy(dtype=np.float64, na_value=np.nan) if name in frame else missing
        for name in names
    ]
    return np.stack(columns, axis=1)
