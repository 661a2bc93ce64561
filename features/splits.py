"""Train, validation and test by time, without a label reaching across a boundary."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from configs.data import SplitConfig
from configs.errors import DataError

Dates = npt.NDArray[np.datetime64]
Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Split:
    """The dates of one fold, all inclusive, ``datetime64[ns]``, the same for every symbol.

    ``purge`` (bars) keeps a training label's future out of validation, and validation's out of test: a row belongs to a
    part only if the ``purge`` bars after it do too. ``embargo`` (bars) drops as many more at the end of train and
    validation, against what lingers: features of the next part's first rows that still average over those bars.
    """

    train_end: np.datetime64
    valid_start: np.datetime64
    valid_end: np.datetime64
    test_start: np.datetime64
    test_end: np.datetime64
    purge: int
    embargo: int = 0


class SplitRows(NamedTuple):
    """Positions of one symbol's rows, int64, ascending; a row stands for the window that ends there."""

    train: Rows
    valid: Rows
    test: Rows


def resolve_split(dates: Dates, config: SplitConfig, horizon: int) -> Split:
    """Return the split of a universe's dates.

    Parameters
    ----------
    dates
        Every date of the universe; order and repetition do not matter.
    config
        Ends that are given are kept; the others are placed by fraction of the universe's unique dates. Validation
        starts on the first date after ``train_end``, test (unless ``test_start`` is given) on the first after
        ``valid_end``.
    horizon
        Bars ahead that labels look; purged at every boundary.

    Raises
    ------
    DataError
        A part has no date, or too few for one label of ``horizon`` bars.
    """
    known = np.unique(np.asarray(dates, "datetime64[ns]"))
    if config.test_end is not None:
        known = known[known <= _end_of(config.test_end)]
    total = len(known)
    if total == 0:
        raise DataError("there is no date to split: the bars are empty or all after split.test_end. Check the dates.")
    test_size = int(total * config.test_fraction)
    valid_size = int(total * config.valid_fraction)
    # Positions count dates up to and including the end of each part.
    if config.valid_end is not None:
        valid_stop = _count_to(known, config.valid_end)
    elif config.test_start is not None:
        valid_stop = int(np.searchsorted(known, np.datetime64(config.test_start, "ns"), side="left"))
    elif config.train_end is not None:
        valid_stop = min(_count_to(known, config.train_end) + valid_size, total)
    else:
        valid_stop = total - test_size
    train_stop = _count_to(known, config.train_end) if config.train_end is not None else max(valid_stop - valid_size, 0)
    test_first = valid_stop
    if config.test_start is not None:
        test_first = max(test_first, int(np.searchsorted(known, np.datetime64(config.test_start, "ns"), side="left")))
    return _fold(known, train_stop, valid_stop, test_first, total, horizon, config)


def walk_forward(dates: Dates, n_folds: int, config: SplitConfig, horizon: int) -> list[Split]:
    """Return expanding folds whose test parts, in order, tile the last ``test_fraction`` of the dates.

    Each fold validates on the ``valid_fraction`` of dates before its test part and trains on all before that, purged
    and embargoed as :class:`Split` says. Dates in ``config`` other than ``test_end`` are not used.

    Raises
    ------
    DataError
        There are too few dates for ``n_folds`` folds.
    """
    known = np.unique(np.asarray(dates, "datetime64[ns]"))
    if config.test_end is not None:
        known = known[known <= _end_of(config.test_end)]
    total = len(known)
    valid_size = int(total * config.valid_fraction)
    edges = np.linspace(total - int(total * config.test_fraction), total, n_folds + 1).astype(int).tolist()
    return [_fold(known, start - valid_size, start, start, stop, horizon, config) for start, stop in pairwise(edges)]


def split_rows(dates: Dates, split: Split, horizon: int | None = None) -> SplitRows:
    """Return which of a symbol's rows belong to train, validation and test.

    ``dates`` (N,) are the symbol's own, ascending. A row t is used only if bar t + horizon (by default the split's
    ``purge``) exists and lies in the same part, so its label uses no bar of a later part and is known. A larger
    horizon than the split's purges more.
    """
    reach = max(horizon or 0, split.purge)
    first_valid = int(np.searchsorted(dates, split.valid_start, side="left"))
    first_test = int(np.searchsorted(dates, split.test_start, side="left"))
    train_stop = int(np.searchsorted(dates, split.train_end, side="right"))
    valid_stop = int(np.searchsorted(dates, split.valid_end, side="right"))
    test_stop = int(np.searchsorted(dates, split.test_end, side="right"))
    return SplitRows(
        np.arange(0, max(train_stop - reach - split.embargo, 0)),
        np.arange(first_valid, max(valid_stop - reach - split.embargo, first_valid)),
        np.arange(first_test, max(test_stop - reach, first_test)),
    )


def _fold(known: Dates, train: int, valid: int, test_first: int, test: int, horizon: int, config: SplitConfig) -> Split:
    embargo = config.embargo
    lengths = {"train": train, "validation": valid - train, "test": test - test_first}
    lost = {"train": horizon + embargo, "validation": horizon + embargo, "test": horizon}
    for part, length in lengths.items():
        if length <= lost[part]:
            span = (
                f"{known[0].astype('datetime64[D]')} to {known[-1].astype('datetime64[D]')}" if len(known) else "none"
            )
            raise DataError(
                f"the {part} part has {max(length, 0)} of the {len(known)} dates ({span}) and loses {lost[part]} to "
                f"purge and embargo; nothing is left. {_remedy(config)}"
            )
    return Split(
        train_end=known[train - 1],
        valid_start=known[train],
        valid_end=known[valid - 1],
        test_start=known[test_first],
        test_end=known[test - 1],
        purge=horizon,
        embargo=embargo,
    )


def _remedy(config: SplitConfig) -> str:
    names = ("train_end", "valid_end", "test_start", "test_end")
    given = [f"split.{name}={value}" for name in names if (value := getattr(config, name)) is not None]
    if given:
        return f"The preset or configuration sets {', '.join(given)}: choose others, or null to place them by fraction."
    return "Add bars, or change split.valid_fraction, test_fraction or embargo."


def _end_of(day: date) -> np.datetime64:
    """Return the last instant of a day, so that intraday bars of it belong to it."""
    return np.datetime64(day, "ns") + np.timedelta64(1, "D") - np.timedelta64(1, "ns")


def _count_to(known: Dates, day: date) -> int:
    return int(np.searchsorted(known, _end_of(day), side="right"))
