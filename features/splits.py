"""Train, validation and test splits by time, in which no label extends beyond its part."""

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
    """The dates of one fold, inclusive, ``datetime64[ns]``, the same for every symbol.

    ``purge`` (bars) prevents labels of train from using returns of validation, and those of validation returns of test:
    a row belongs to a part only if the ``purge`` bars after it do too. ``embargo`` (bars) drops further rows at the end
    of train and validation, because features of the next part's first rows still average over them.
    """

    train_end: np.datetime64
    valid_start: np.datetime64
    valid_end: np.datetime64
    test_start: np.datetime64
    test_end: np.datetime64
    purge: int
    embargo: int = 0


class SplitRows(NamedTuple):
    """Ascending int64 positions of one symbol's rows; a row stands for the window that ends with it."""

    train: Rows
    valid: Rows
    test: Rows


def resolve_split(dates: Dates, config: SplitConfig, horizon: int) -> Split:
    """Return the split of a universe's dates.

    Parameters
    ----------
    dates
        The dates of the universe, in any order, with or without duplicates.
    config
        Dates of boundaries; those that are not set follow from fractions of the universe's unique dates. Validation
        starts on the first date after ``train_end``, test on the first after ``valid_end`` or on ``test_start``.
    horizon
        Bars from a row to the end of its label; purged at every boundary.

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
        days = np.asarray(dates, "datetime64[D]")
        span = f"the bars are of {days.min()} to {days.max()}" if len(days) else "there are no bars"
        raise DataError(f"no bar is from before the end of the test: {span}. {_remedy(config)}")
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
    """Return expanding folds whose consecutive test parts cover the last ``test_fraction`` of the dates.

    A fold's validation part is the ``valid_fraction`` of dates before its test part, its train part all dates before,
    purged and embargoed as in :class:`Split`. Of the dates in ``config`` only ``test_end`` is used.

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
    """Return the rows of train, validation and test of a symbol with these ascending dates (N,).

    A row t is used only if bar t + horizon exists and is in the same part, so that its label is known and uses no bar
    of a later part. A horizon beyond the split's ``purge`` purges more; by default it is ``purge``.
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


def newest_rows(tested: SplitRows, usable: Rows, gap: int) -> SplitRows:
    """Return the rows of a last fit, which nothing is to test.

    Parameters
    ----------
    tested
        A symbol's rows of the split.
    usable
        All its rows up to the end of the split whose label is known, ascending. Validation is the newest of them, as
        many as in ``tested``.
    gap
        Bars between the last train row and the first validation row: purge and embargo.
    """
    valid = usable[len(usable) - len(tested.valid) :]
    train = usable[usable < valid[0] - gap] if len(valid) else usable
    return SplitRows(train, valid, usable[:0])


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
        return (
            f"These dates are set: {', '.join(given)}, by --set, a configuration file or the preset (demo and smoke "
            "have dates for the embedded bars). Change them, or set null to place the parts by fraction."
        )
    return "Add bars, or change split.valid_fraction, test_fraction or embargo."


def _end_of(day: date) -> np.datetime64:
    """Return the last instant of a day, so that its intraday bars are included."""
    return np.datetime64(day, "ns") + np.timedelta64(1, "D") - np.timedelta64(1, "ns")


def _count_to(known: Dates, day: date) -> int:
    return int(np.searchsorted(known, _end_of(day), side="right"))
