"""Folds of a walk-forward run: fit on a window of the past, test on the bars that follow, move on."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from configs.data import SplitConfig
from configs.errors import DataError
from configs.validation import WalkForwardConfig
from features.bars.period import bar_period
from features.panel import Panel
from features.splits import Split

Dates = npt.NDArray[np.datetime64]

_LAST = np.datetime64("2262-01-01", "ns")


@dataclass(frozen=True, slots=True)
class Fold:
    """One fit of a walk-forward run and the bars that test it.

    ``train_start`` is the first date of the train part. The train and validation parts of ``split`` are the train
    window; the test part is the following test window, or ``refit_every`` of them.
    """

    number: int
    train_start: np.datetime64
    split: Split


def folds_of(dates: Dates, config: WalkForwardConfig, split: SplitConfig, horizon: int) -> tuple[list[Fold], int]:
    """Return the folds of a universe's unique, ascending dates (D,), and how many of the last dates no fold tests.

    Windows are counted from the first date, so that later dates change no earlier fold. Validation is the end of the
    train window, with the share of it that it has in ``split``. Labels of ``horizon`` bars are purged at its end and at
    the end of training; ``config.purge`` purges more.

    Raises
    ------
    DataError
        There are too few dates for one window, or purge and embargo leave nothing of a part.
    """
    train, test = config.train_window, config.test_window
    windows, left_over = divmod(len(dates) - train, test)
    if windows < 1:
        raise DataError(
            f"{len(dates)} dates are given; one train window of {train} and one test window of {test} need "
            f"{train + test}. Give more bars, or set walk_forward.train_window and walk_forward.test_window."
        )
    purge, embargo = max(horizon, config.purge or 0), split.embargo if config.embargo is None else config.embargo
    valid = round(train * split.valid_fraction / (1.0 - split.test_fraction))
    for part, length in (("train", train - valid), ("validation", valid)):
        if length <= purge + embargo:
            raise DataError(
                f"a train window of {train} dates has {length} for the {part} part and loses {purge + embargo} of them "
                "to purge and embargo. Set a longer walk_forward.train_window, or another split.valid_fraction."
            )
    folds = []
    for number, first in enumerate(range(0, windows, config.refit_every)):
        start = train + first * test
        stop = start + min(config.refit_every, windows - first) * test
        parts = Split(
            train_end=dates[start - valid - 1],
            valid_start=dates[start - valid],
            valid_end=dates[start - 1],
            test_start=dates[start],
            test_end=dates[stop - 1],
            purge=purge,
            embargo=embargo,
        )
        folds.append(Fold(number, dates[0 if config.expanding else start - train], parts))
    return folds, left_over


def fold_panel(panel: Panel, fold: Fold, horizon: int, before: int) -> tuple[Panel, Split]:
    """Return the bars of a panel that a fold reads, and the split by which all its test rows have their outcome.

    Parameters
    ----------
    panel
        Of whole histories. Features are causal, so those of a fold's bars do not depend on later ones.
    horizon
        Bars from a row to the end of its label: so many bars after the test window tell its last outcomes.
    before
        Bars before the train window that its first row reads.

    Returns
    -------
    tuple
        The panel of the symbols with bars to fit on, whose periods follow from those bars; and
        the split.
    """
    pieces, symbols, periods = [], [], []
    for i, symbol in enumerate(panel.symbols):
        dates = panel.dates[panel.rows(i)]
        start, known = max(int(np.searchsorted(dates, fold.train_start)) - before, 0), known_to(dates, fold)
        if known - start > before:
            pieces.append(np.arange(start, stop_of(dates, fold, horizon)) + panel.offsets[i])
            symbols.append(symbol)
            periods.append(bar_period(dates[:known]))
    rows = np.concatenate(pieces) if pieces else np.zeros(0, np.int64)
    lengths = [len(piece) for piece in pieces]
    found = replace(
        panel,
        symbols=tuple(symbols),
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        dates=panel.dates[rows],
        features=panel.features[rows],
        close=panel.close[rows],
        variance=panel.variance[rows],
        ewma_vol=panel.ewma_vol[rows],
        periods=tuple(periods),
    )
    return found, replace(fold.split, test_end=_LAST)


def known_to(dates: Dates, fold: Fold) -> int:
    """Return how many of a symbol's first bars the fit of a fold may see."""
    return int(np.searchsorted(dates, fold.split.valid_end, side="right"))


def stop_of(dates: Dates, fold: Fold, horizon: int) -> int:
    """Return how many of a symbol's first bars a fold sees, outcomes of its last test rows included."""
    tested = int(np.searchsorted(dates, fold.split.test_end, side="right"))
    return min(tested + max(horizon, fold.split.purge), len(dates))
