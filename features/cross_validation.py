"""scikit-learn's cross-validation protocol, ``split(X)``, by time and purged."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import ConfigError, DataError, shown
from features.bars.reading.names import field_of
from features.bars.reading.session_dates import parse_dates

Rows = npt.NDArray[np.int64]


class PurgedWalkForward:
    """Expanding folds by date: train on the past, leave a gap, test on what follows; the same dates for all symbols.

    Parameters
    ----------
    n_splits
        Number of folds. Their test parts cover the last ``test_fraction`` of the dates.
    horizon
        Bars to the end of a label. A row whose label ends in or after the test part is not in train: its label uses
        returns of the test part. Bars are counted per symbol, so symbols may have different calendars; the last
        ``horizon`` rows of a symbol whose label ends after its last row are in no train part.
    embargo
        Further dates to leave out there, because features of the first test rows still average over them.
    test_fraction
        The share of the dates in test parts.

    Examples
    --------
    >>> X = pd.DataFrame({"x": range(100)}, pd.bdate_range("2024-01-01", periods=100))
    >>> [(len(train), int(test[0]), len(test)) for train, test in PurgedWalkForward(2, horizon=5).split(X)]
    [(45, 50, 25), (70, 75, 25)]
    """

    def __init__(self, n_splits: int = 5, *, horizon: int = 1, embargo: int = 0, test_fraction: float = 0.5) -> None:
        for name, value, least in (("n_splits", n_splits, 1), ("horizon", horizon, 1), ("embargo", embargo, 0)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ConfigError(f"{name} has value {shown(value)}; expected a whole number of at least {least}.")
        if not isinstance(test_fraction, (int, float)) or not 0.0 < test_fraction < 1.0:
            raise ConfigError(f"test_fraction has value {shown(test_fraction)}; expected a share between 0 and 1.")
        self.n_splits, self.horizon, self.embargo, self.test_fraction = n_splits, horizon, embargo, test_fraction

    def get_n_splits(self, X: Any = None, y: Any = None, groups: Any = None) -> int:
        """Return the number of folds."""
        return self.n_splits

    def split(self, X: Any, y: Any = None, groups: Any = None) -> Iterator[tuple[Rows, Rows]]:
        """Yield the positions of train and test rows of each fold.

        Parameters
        ----------
        X
            A frame or series indexed by date or by ``(symbol, date)``, or with a column of dates, in any order; an
            array or another index is taken to be in order of time, a row a bar.
        y, groups
            Ignored.

        Raises
        ------
        DataError
            There are too few dates for the folds.
        """
        dates, symbols = _dates(X), _symbols(X)
        known, place = np.unique(dates, return_inverse=True)
        label_end, total = _label_ends(place, symbols, self.horizon, len(known)), len(known)
        edges = np.linspace(total - int(total * self.test_fraction), total, self.n_splits + 1).astype(int).tolist()
        for start, stop in pairwise(edges):
            train = np.flatnonzero(label_end < start - self.embargo)
            if not len(train) or stop <= start:
                raise DataError(
                    f"{total} dates are too few for {self.n_splits} folds with {self.horizon + self.embargo} dates of "
                    "purge and embargo. Lower n_splits, or give more rows."
                )
            yield train, np.flatnonzero((place >= start) & (place < stop))


def _label_ends(place: Rows, symbols: Rows, horizon: int, never: int) -> Rows:
    """Return the place of the date on which each row's label ends; ``never`` where its symbol has no such row.

    ``place`` (n,) are the rows' places among all dates, ``symbols`` (n,) the rows' symbols as numbers. Rows of one
    symbol and date are one bar.
    """
    bars, bar = np.unique(symbols * never + place, return_inverse=True)  # by symbol, then by time
    owner, when = np.divmod(bars, never)
    ends = np.full(len(bars), never, np.int64)
    same = owner[horizon:] == owner[:-horizon]
    ends[:-horizon][same] = when[horizon:][same]
    return ends[bar]


def _dates(X: Any) -> npt.NDArray[Any]:
    if not isinstance(X, (pd.DataFrame, pd.Series)):
        if not hasattr(X, "__len__"):
            raise DataError(f"X is a {type(X).__name__}; expected rows: a frame indexed by date, or an array.")
        return np.arange(len(X))
    levels = [X.index.get_level_values(level) for level in range(X.index.nlevels)]
    for level in levels:
        if _is_dates(level):
            return parse_dates(pd.Series(level), "the index of X")
    if isinstance(X, pd.DataFrame):
        column = next((name for name in X.columns if field_of(name) == "date"), None)
        if column is not None:
            return parse_dates(X[column].reset_index(drop=True), "X")
    return np.arange(len(X))


def _symbols(X: Any) -> Rows:
    """Return each row's symbol as a number; zeros where X names no symbols."""
    if isinstance(X, (pd.DataFrame, pd.Series)):
        levels = [X.index.get_level_values(level) for level in range(X.index.nlevels)]
        dated = next((i for i, level in enumerate(levels) if _is_dates(level)), None)
        others = [level for i, level in enumerate(levels) if i != dated]
        named = [level for level in others if field_of(level.name) == "symbol"]
        if named or (dated is not None and len(others) == 1):
            return pd.factorize((named or others)[0])[0].astype(np.int64)
        columns = list(X.columns) if isinstance(X, pd.DataFrame) else []
        column = next((name for name in columns if field_of(name) == "symbol"), None)
        if column is not None:
            return pd.factorize(X[column])[0].astype(np.int64)
    return np.zeros(len(X), np.int64)


def _is_dates(level: pd.Index) -> bool:
    return level.dtype.kind == "M" or field_of(level.name) == "date"
