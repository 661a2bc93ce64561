"""Forecasts and outcomes as a table, one row a symbol and bar, and what each row says about the model.

The columns are those of the test tables of versions. Direction: ``p_down``, ``p_sideways``, ``p_up``, ``in_set_…``,
``label``, and ``p_down_prior`` … of each baseline. Volatility, as mean variances a bar: ``forecast``, ``low``,
``high``, ``target``, and ``forecast_log_har`` … of each baseline. ``level`` is the probability with which the label set
or the interval should contain the outcome.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError, shortened
from configs.values import Kind
from serving.monitoring.judged_direction import JudgedDirection
from serving.monitoring.judged_kind import JudgedKind
from serving.monitoring.judged_volatility import JudgedVolatility
from serving.monitoring.losses import OUTLIER, LossGaps
from training.metrics.ratio import Array
from training.tasks import task_of

JUDGED_KINDS: Mapping[Kind, JudgedKind] = {one.kind: one for one in (JudgedDirection(), JudgedVolatility())}
"""What differs between kinds."""
OUTCOME = {kind: one.outcome for kind, one in JUDGED_KINDS.items()}
BASELINE = {kind: task_of(kind).baseline for kind in JUDGED_KINDS}
"""The baseline that tests compare with; tables show all."""
LOSS = {kind: task_of(kind).loss for kind in JUDGED_KINDS}


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


def has_outcome(kind: Kind, frame: pd.DataFrame, outcome: str | None = None) -> npt.NDArray[np.bool_]:
    """Return where the outcome is known (n,)."""
    return JUDGED_KINDS[kind].is_known(frame, outcome)


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
    judged = JUDGED_KINDS[kind]
    require_columns(frame, [*judged.columns, outcome or judged.outcome], f"{kind} forecasts")
    known, values = judged.is_known(frame, outcome), judged.outcomes(frame, outcome)
    own, other = judged.forecasts(frame), judged.forecasts(frame, BASELINE[kind] if baseline is None else baseline)
    usable = known & np.isfinite(own).all(axis=1) & np.isfinite(other).all(axis=1)
    losses = LossGaps(*(np.full(len(frame), np.nan) for _ in LossGaps._fields))
    if usable.any():
        try:
            found = judged.gaps(values[usable], own[usable], other[usable], outlier)
        except ValueError as error:
            raise DataError(f"{kind} forecasts cannot be judged: {error}.") from error
        for all_rows, part in zip(losses, found, strict=True):
            all_rows[usable] = part
    return RowEvidence(losses, judged.missed(frame, np.where(known, values, np.nan)))


def require_columns(frame: pd.DataFrame, names: Sequence[str], what: str) -> None:
    """Raise ``DataError`` if a column is missing."""
    if missing := [name for name in names if name not in frame.columns]:
        have = shortened([str(name) for name in frame.columns], 12)
        raise DataError(f"{what} lack the columns {', '.join(missing)}; they have {have}.")
