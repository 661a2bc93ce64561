"""From a series of labels, scikit-learn's y, to the examples of a fit on features.

The labels are those that are given. Nothing in them may be guessed: how far they look ahead decides which rows of train
are purged, and the last rows must be unknown, as :class:`features.FeatureEngineer` leaves them.
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError, shortened
from configs.models import DirectionConfig, LabelConfig
from features.engineered import horizon_of, label_of
from features.labels import CLASSES, DOWN, UNKNOWN, UP
from features.panel import Panel
from features.splits import Split, SplitRows, split_rows
from training.data.examples import Examples
from training.predictors.feature_frames import frame_rows

Int64 = npt.NDArray[np.int64]

_CODES: dict[Any, int] = {
    **{name: code for code, name in enumerate(CLASSES)},
    **{code: code for code in range(len(CLASSES))},
    **{UNKNOWN: UNKNOWN, str(UNKNOWN): UNKNOWN},  # an array of names and -1 is one of strings
}


def examples_of_features(
    frame: Any, target: Any, direction: DirectionConfig, split: Split, panel: Panel, first_row: int, horizon_given: bool
) -> Examples:
    """Return the examples of a panel of features and its labels, purged by the horizon; see :func:`labels_of`.

    Warns
    -----
    UserWarning
        Nothing shows how far the labels look ahead: neither the series, nor its last rows, nor ``horizon_given``.
    """
    labels = labels_of_panel(target, frame, direction, panel, fitting=True)
    unknown, rows = 0, []
    for i, name in enumerate(panel.symbols):
        own = labels[panel.rows(i)]
        known = np.flatnonzero(own != UNKNOWN)
        inner = own[known[0] : known[-1] + 1] if len(known) else own
        if (inner == UNKNOWN).any():
            raise DataError(
                f"the labels of {name} are unknown in {int((inner == UNKNOWN).sum())} rows between known ones; "
                "expected that only at the beginning and in the last rows. Drop these rows from features and labels."
            )
        unknown = max(unknown, len(own) - 1 - int(known[-1]) if len(known) else 0)
        chosen = split_rows(panel.dates[panel.rows(i)], split, direction.horizon)
        rows.append(SplitRows(*(part[(part >= first_row) & (own[part] != UNKNOWN)] for part in chosen)))
    if not horizon_given and horizon_of(target) is None and unknown < direction.horizon:
        warnings.warn(
            f"the labels do not say how many bars they look ahead: horizon={direction.horizon} is assumed. If they "
            "look further, labels of train use prices of validation. Give the predictor horizon=.",
            stacklevel=4,
        )
    return Examples(panel, labels.astype(np.float64), tuple(rows))


def labels_of_panel(
    target: Any, frame: Any, direction: DirectionConfig, panel: Panel, *, fitting: bool = False
) -> Int64:  # fmt: skip
    """Return the labels (n,) of a frame's rows in the order of the panel that it made; see :func:`labels_of`."""
    _, codes, symbols = frame_rows(frame, panel.symbols[0])
    labels = labels_of(target, frame, direction, fitting=fitting)[np.argsort(codes, kind="stable")]
    offsets = np.searchsorted(np.sort(codes), np.arange(len(symbols) + 1))
    if horizon_of(target) is None:
        for i in range(len(symbols)):
            _refuse_further(labels[offsets[i] : offsets[i + 1]], direction.horizon)
    if tuple(symbols) == panel.symbols:
        return labels
    positions = [symbols.index(name) for name in panel.symbols]
    return np.concatenate([labels[offsets[i] : offsets[i + 1]] for i in positions])


def labels_of(target: Any, frame: pd.DataFrame, direction: DirectionConfig, *, fitting: bool = False) -> Int64:
    """Return the classes 0, 1, 2 or −1 (unknown) of labels as they are given (n,), in the order of the frame's rows.

    ``fitting`` demands that numbers have both 0 and 2: labels 0 and 1 alone may mean down and up. A fold that is scored
    may lack a class.

    Raises
    ------
    DataError
        Labels of another length, index, horizon or band, missing ones, or classes that could mean something else.
    """
    if isinstance(target, pd.DataFrame) and target.shape[1] == 1:
        target = target.iloc[:, 0]
    values = np.asarray(target)
    if values.ndim != 1 or len(values) != len(frame):
        given = f"shape {values.shape}" if values.ndim else f"type {type(target).__name__}"
        raise DataError(f"features have {len(frame)} rows and the labels {given}; expected one label per row.")
    if isinstance(target, pd.Series) and not target.index.equals(frame.index):
        raise DataError("features and labels have different indices; expected the same rows in the same order.")
    if (theirs := horizon_of(target)) is not None and theirs != direction.horizon:
        raise _of_another_horizon(f"the labels are of the next {theirs} bars", theirs, direction.horizon)
    if (label := label_of(target)) is not None and (paths := _other_band(label, direction.label)):
        raise DataError(
            f"the labels were made with {paths}, and the model has another band of sideways moves. Give the predictor "
            f"a configuration with {paths}, or make the labels with engineer_features(bars, "
            "label=config.direction.label)."
        )
    return _classes(values, fitting)


def _classes(values: npt.NDArray[Any], fitting: bool) -> Int64:
    if values.dtype.kind in "UT":
        values = values.astype(object)
    if values.dtype.kind == "b" or (values.dtype == object and any(isinstance(v, (bool, np.bool_)) for v in values)):
        raise DataError("the labels are booleans; expected 0 down, 1 sideways, 2 up, or these names.")
    if missing := int(pd.isna(values).sum()):
        raise DataError(
            f"the labels are missing in {missing} of {len(values)} rows. Drop these rows from features and labels; "
            "engineer_features marks the last ones, whose future is not known, by -1."
        )
    try:
        code_index, unique = pd.factorize(values)
    except TypeError:
        raise DataError("the labels are objects; expected 0 down, 1 sideways, 2 up, or these names.") from None
    found = unique.tolist()
    codes = [_CODES.get(value) for value in found]
    only_numbers = not any(isinstance(value, str) for value in found)
    if None in codes or (fitting and only_numbers and not {DOWN, UP} <= set(codes)):
        numbers_first = sorted(found, key=lambda v: (0, v, "") if isinstance(v, (int, float)) else (1, 0, str(v)))
        raise DataError(
            f"the labels are {shortened([str(value) for value in numbers_first])}; expected 0 down, 1 sideways, 2 up "
            f"(-1 unknown), or the names {', '.join(CLASSES)}. Rename them, so that none is mistaken for another."
        )
    return np.array(codes, np.int64)[code_index]


def _refuse_further(labels: Int64, horizon: int) -> None:
    """Raise where more rows at a symbol's end are unknown than the horizon has bars."""
    known = np.flatnonzero(labels != UNKNOWN)
    if len(known) and (unknown := len(labels) - 1 - int(known[-1])) > horizon:
        raise _of_another_horizon(
            f"the last {unknown} labels are unknown, as of {unknown} bars ahead,", unknown, horizon,
            " Or, if they are unknown for another reason, drop these rows from features and labels.",
        )  # fmt: skip


def _of_another_horizon(what: str, theirs: int, ours: int, otherwise: str = "") -> DataError:
    return DataError(
        f"{what} and the model forecasts {ours}. Give the predictor horizon={theirs}, or make the labels with "
        f"engineer_features(bars, horizon={ours}).{otherwise}"
    )


def _other_band(label: LabelConfig, ours: LabelConfig) -> str:
    """Return the settings of the labels' band that differ from the model's, as overrides; empty if none that counts."""
    used = ("mode", "k", "ewma_lambda") if label.mode == "volatility" else ("mode", "threshold")
    return ", ".join(
        f"direction.label.{name}={getattr(label, name)}"
        for name in used
        if getattr(label, name) != getattr(ours, name)
    )  # fmt: skip
