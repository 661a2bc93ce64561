"""No label extends beyond its part, for any dates, horizon and embargo."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from configs.data import SplitConfig
from configs.errors import DataError
from features.splits import Split, SplitRows, newest_rows, resolve_split, split_rows, walk_forward

CALENDAR = np.busday_offset("2010-01-01", np.arange(2500), roll="forward").astype("datetime64[ns]")


def assert_no_leak(dates: np.ndarray, split: Split, horizon: int) -> None:
    rows = split_rows(dates, split, horizon)
    label_end = {part: dates[getattr(rows, part) + horizon] for part in rows._fields}
    window_end = {part: dates[getattr(rows, part)] for part in rows._fields}
    assert (label_end["train"] <= split.train_end).all()
    assert (window_end["valid"] >= split.valid_start).all() and (label_end["valid"] <= split.valid_end).all()
    assert (window_end["test"] >= split.test_start).all() and (label_end["test"] <= split.test_end).all()
    assert split.train_end < split.valid_start <= split.valid_end < split.test_start <= split.test_end
    all_rows = np.concatenate(rows)
    assert len(np.unique(all_rows)) == len(all_rows)


symbol_dates = st.builds(
    lambda start, length, seed, keep: CALENDAR[start : start + length][
        np.random.default_rng(seed).random(len(CALENDAR[start : start + length])) < keep
    ],
    st.integers(0, 2400),
    st.integers(1, 2500),
    st.integers(0, 99),
    st.sampled_from([0.3, 0.9, 1.0]),
)


@settings(max_examples=150, deadline=None)
@given(
    symbol_dates,
    st.integers(1, 30),
    st.integers(0, 20),
    st.floats(0.05, 0.4),
    st.floats(0.05, 0.4),
    st.booleans(),
)
def test_every_label_is_within_its_part(dates, horizon, embargo, valid, test, with_dates):
    boundaries = {"train_end": date(2013, 6, 30), "test_start": date(2017, 1, 14)} if with_dates else {}
    config = SplitConfig(valid_fraction=valid, test_fraction=test, embargo=embargo, **boundaries)
    split = resolve_split(CALENDAR, config, horizon)
    assert_no_leak(dates, split, horizon)
    rows = split_rows(dates, split, horizon)
    in_train, in_valid = (
        (dates <= split.train_end).sum(),
        ((dates >= split.valid_start) & (dates <= split.valid_end)).sum(),
    )
    assert len(rows.train) == max(in_train - horizon - embargo, 0)
    assert len(rows.valid) == max(in_valid - horizon - embargo, 0)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 60), st.integers(0, 30), st.lists(st.booleans(), max_size=200), st.integers(0, 25))
def test_the_last_fit_has_the_newest_rows_and_at_least_as_many(train, valid, usable, gap):
    places = np.flatnonzero(usable)
    train, valid = min(train, len(places)), min(valid, max(len(places) - train, 0))
    tested = SplitRows(places[:train], places[train : train + valid], places[train + valid :])
    tested = tested._replace(train=tested.train[tested.train < (tested.valid[0] if valid else 10**9) - gap])
    newest = newest_rows(tested, places, gap)
    assert len(newest.test) == 0 and len(newest.valid) == valid and len(newest.train) >= len(tested.train)
    if valid:
        assert newest.valid[-1] == places[-1], "up to the last known label"
        assert not len(newest.train) or newest.train[-1] + gap < newest.valid[0]


def test_boundaries_follow_from_fractions_of_the_unique_dates():
    split = resolve_split(np.concatenate([CALENDAR[::-1], CALENDAR]), SplitConfig(), 5)
    assert split.train_end == CALENDAR[1749] and split.valid_start == CALENDAR[1750]
    assert split.valid_end == CALENDAR[1999] and split.test_start == CALENDAR[2000]
    assert split.test_end == CALENDAR[-1] and split.purge == 5


def test_configured_dates_are_used_and_the_others_follow():
    config = SplitConfig(
        train_end=date(2013, 12, 31),
        valid_end=date(2014, 12, 31),
        test_start=date(2015, 2, 1),
        test_end=date(2018, 12, 31),
    )
    split = resolve_split(CALENDAR, config, 5)
    day = "datetime64[D]"
    assert [str(d.astype(day)) for d in (split.train_end, split.valid_start, split.valid_end, split.test_start)] == [
        "2013-12-31",
        "2014-01-01",
        "2014-12-31",
        "2015-02-02",
    ]
    only_train = resolve_split(CALENDAR, SplitConfig(train_end=date(2013, 12, 31)), 5)
    assert only_train.valid_start == split.valid_start
    assert np.searchsorted(CALENDAR, only_train.valid_end) - np.searchsorted(CALENDAR, only_train.train_end) == 250


def test_intraday_bars_of_the_last_day_are_included():
    minutes = np.datetime64("2020-01-01", "ns") + np.arange(6000) * np.timedelta64(10, "m")
    split = resolve_split(minutes, SplitConfig(train_end=date(2020, 1, 20)), 3)
    assert split.train_end == np.datetime64("2020-01-20T23:50", "ns")
    assert split.valid_start == np.datetime64("2020-01-21T00:00", "ns")


def test_a_larger_horizon_purges_more_than_the_split():
    split = resolve_split(CALENDAR, SplitConfig(), 1)
    assert_no_leak(CALENDAR, split, 7)
    assert len(split_rows(CALENDAR, split, 1).train) - len(split_rows(CALENDAR, split, 7).train) == 6


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(1, 10), st.integers(0, 5), st.floats(0.05, 0.2), st.floats(0.1, 0.6))
def test_walk_forward_tiles_the_end_with_purged_folds(folds, horizon, embargo, valid, test):
    config = SplitConfig(valid_fraction=valid, test_fraction=test, embargo=embargo)
    assume(int(2500 * test) // folds > horizon)
    splits = walk_forward(CALENDAR, folds, config, horizon)
    assert len(splits) == folds
    for split in splits:
        assert_no_leak(CALENDAR, split, horizon)
    tests = np.concatenate([CALENDAR[(CALENDAR >= s.test_start) & (CALENDAR <= s.test_end)] for s in splits])
    np.testing.assert_array_equal(tests, CALENDAR[2500 - int(2500 * test) :])
    ends = [s.train_end for s in splits]
    assert ends == sorted(set(ends))


@pytest.mark.parametrize(
    "config, dates, part",
    [
        ({"train_end": date(1999, 1, 1)}, CALENDAR, "train"),
        ({"train_end": date(2030, 1, 1)}, CALENDAR, "validation"),
        ({"train_end": date(2015, 1, 1), "valid_end": date(2015, 1, 3)}, CALENDAR, "validation"),
        ({"valid_end": date(2030, 1, 1)}, CALENDAR, "test"),
        ({}, CALENDAR[:20], "validation"),
    ],
)
def test_the_error_names_the_empty_part(config, dates, part):
    remedy = r"nothing is left\. (These dates are set: split|Add bars)"
    with pytest.raises(DataError, match=rf"the {part} part has .* of the {len(dates)} dates .*{remedy}"):
        resolve_split(dates, SplitConfig(**config), 5)


def test_no_or_too_few_dates_are_an_error():
    with pytest.raises(DataError, match="no bar is from before the end of the test"):
        resolve_split(CALENDAR[:0], SplitConfig(), 1)
    with pytest.raises(DataError, match="part has"):
        walk_forward(CALENDAR[:30], 5, SplitConfig(), 5)
