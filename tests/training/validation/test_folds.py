"""Windows of a walk-forward run: how many there are, that nothing leaks across them, and that later dates move none."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.data import SplitConfig
from configs.errors import DataError
from configs.validation import WalkForwardConfig
from features.splits import split_rows
from training.validation.folds import folds_of, stop_of

SPLIT = SplitConfig()


def days(count):
    return np.busday_offset("2010-01-04", np.arange(count), roll="forward").astype("datetime64[ns]")


@pytest.mark.parametrize(("dates", "windows", "left_over"), [(315, 1, 0), (1000, 11, 55), (2520, 36, 0)])
def test_windows_of_252_and_63_dates(dates, windows, left_over):
    folds, rest = folds_of(days(dates), WalkForwardConfig(train_window=252, test_window=63), SPLIT, 5)
    assert (len(folds), rest) == (windows, left_over)


def test_too_few_dates_for_one_window_are_refused():
    with pytest.raises(DataError, match=r"314 dates are given; .*252.*63 need 315"):
        folds_of(days(314), WalkForwardConfig(train_window=252, test_window=63), SPLIT, 5)
    with pytest.raises(DataError, match="20 dates has 2 for the validation part and loses 5"):
        folds_of(days(314), WalkForwardConfig(train_window=20, test_window=63), SPLIT, 5)


@given(
    st.integers(60, 400),
    st.integers(1, 90),
    st.integers(0, 300),
    st.integers(1, 6),
    st.none() | st.integers(0, 8),
    st.integers(0, 4),
    st.integers(1, 4),
    st.booleans(),
)
def test_no_label_reaches_the_part_that_follows(train, test, more, horizon, purge, embargo, refit_every, expanding):
    dates = days(train + test + more)
    config = WalkForwardConfig(
        train_window=train, test_window=test, purge=purge, embargo=embargo, refit_every=refit_every, expanding=expanding
    )
    try:
        folds, left_over = folds_of(dates, config, SPLIT, horizon)
    except DataError as error:
        assert "walk_forward.train_window" in str(error)
        return
    tested = np.concatenate([dates[(dates >= f.split.test_start) & (dates <= f.split.test_end)] for f in folds])
    np.testing.assert_array_equal(tested, dates[train : len(dates) - left_over], "each date is tested once")
    assert left_over < test and len(folds) == -(-((train + more + test - train) // test) // refit_every)
    for fold in folds:
        rows, split = split_rows(dates, fold.split, horizon), fold.split
        first = 0 if expanding else np.searchsorted(dates, split.test_start) - train
        assert fold.train_start == dates[first]
        reach = max(horizon, purge or 0)
        for part, after in ((rows.train, split.valid_start), (rows.valid, split.test_start)):
            assert dates[part[-1] + reach + embargo] < after
        seen = stop_of(dates, fold, horizon)
        assert dates[seen - 1] >= split.test_end and seen <= np.searchsorted(dates, split.test_end) + 1 + reach


@given(st.integers(0, 200))
def test_later_dates_change_no_fold(more):
    config = WalkForwardConfig(train_window=252, test_window=63)
    before, _ = folds_of(days(700), config, SPLIT, 5)
    after, _ = folds_of(days(700 + more), config, SPLIT, 5)
    assert after[: len(before)] == before
