"""Rows of a body become the bars that the validation rules give, on the fast path or the slow one."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.bars.merge import fingerprint
from features.bars.schema import SymbolBars, bars_from_frame
from serving.web.rows import bars_of_rows

COLUMNS = ["date", "open", "high", "low", "close", "volume"]


def rows(count=40, seed=0):
    rng = np.random.default_rng(seed)
    close = 50 * np.exp(np.cumsum(0.02 * rng.normal(size=count)))
    opened = close * np.exp(0.01 * rng.normal(size=count))
    high, low = np.maximum(opened, close) * 1.01, np.minimum(opened, close) / 1.01
    days = np.busday_offset("2020-01-01", np.arange(count), roll="forward").astype(str)
    columns = (opened, high, low, close, rng.integers(0, 9, count).astype(float))
    return [list(row) for row in zip(days.tolist(), *(c.tolist() for c in columns), strict=True)]


@pytest.mark.parametrize("change", ["none", "flat", "no volume", "stamps"])
def test_valid_rows_give_the_same_bars_on_the_fast_path(change):
    given_rows = rows()
    for row in given_rows:
        if change == "flat":
            row[1] = row[2] = row[3] = row[4]
        if change == "no volume":
            row[5] = 0.0
        if change == "stamps":
            row[0] += "T00:00:00"
    fast = bars_of_rows("X", given_rows)
    assert isinstance(fast, SymbolBars)
    (slow,), quarantine = bars_from_frame(pd.DataFrame(given_rows, columns=COLUMNS), default_symbol="X")
    assert len(quarantine) == 0 and fingerprint(fast) == fingerprint(slow)
    assert (fast.has_range, fast.has_volume) == (slow.has_range, slow.has_volume)


CHANGES = {
    "text": (0, "yesterday"),
    "no day": (0, "2020-02-30"),
    "future": (0, "2099-01-01"),
    "repeated": (0, "2020-01-02"),
    "other spelling": (0, "02/03/2020"),
    "high": (2, 1.0),
    "low": (3, 900.0),
    "jump": (4, 5000.0),
}


@pytest.mark.parametrize("change", CHANGES)
def test_other_rows_are_left_to_the_validation_rules(change):
    given_rows, (column, value) = rows(), CHANGES[change]
    given_rows[20][column] = value
    if change == "jump":
        given_rows[20][1:5] = [5000.0] * 4
    assert isinstance(bars_of_rows("X", given_rows), pd.DataFrame)


@pytest.mark.slow
@settings(max_examples=200, deadline=None)
@given(st.integers(0, 1000), st.integers(0, 39), st.integers(1, 4), st.floats(0.01, 1e4))
def test_no_single_change_makes_the_paths_differ(seed, row, column, value):
    given_rows = rows(seed=seed)
    given_rows[row][column] = value
    found = bars_of_rows("X", given_rows)
    if isinstance(found, SymbolBars):
        (slow,), quarantine = bars_from_frame(pd.DataFrame(given_rows, columns=COLUMNS), default_symbol="X")
        assert len(quarantine) == 0 and fingerprint(found) == fingerprint(slow)
