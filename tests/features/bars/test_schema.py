"""Every row of a frame becomes a valid bar or is quarantined under the rule that it breaks."""

import numpy as np
import pandas as pd
import pytest
from bar_tables import assert_valid, ohlcv, only
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import DataError
from features.bars.quarantine import HARMLESS, KEPT, RULES
from features.bars.schema import bars_from_frame


def test_valid_bars_are_unchanged():
    frame = ohlcv()
    bars, quarantine = only(frame)
    assert len(quarantine) == 0
    for name in ("open", "high", "low", "close", "volume"):
        np.testing.assert_array_equal(getattr(bars, name), frame[name])
    assert bars.has_range and bars.has_volume


BREAKS = {
    "unparsable_date": {"date": "not a day"},
    "unparsable_number": {"close": "12,5"},
    "missing_price": {"open": None},
    "non_finite_price": {"high": np.inf},
    "non_positive_price": {"low": 0.0},
    "high_low_violation": {"high": 1.0},
    "negative_volume": {"volume": -5},
    "future_date": {"date": "2099-01-01"},
    "placeholder_date": {"date": "1899-12-30"},
    "extreme_jump": {"open": 1e6, "high": 1e6, "low": 1e6, "close": 1e6},
}


@pytest.mark.parametrize("rule", BREAKS)
def test_a_row_that_breaks_a_rule_is_quarantined_under_its_name(rule):
    frame = ohlcv().astype(object)
    for column, value in BREAKS[rule].items():
        frame.loc[3, column] = value
    bars, quarantine = only(frame)
    assert quarantine.counts() == {rule: 1}
    assert quarantine.lost() == {"X": 1}
    expected, _ = only(ohlcv().drop(index=3))
    np.testing.assert_array_equal(bars.close, expected.close)


# Tested in tests/features/sources/test_undecided_files.py, tests/features/bars/test_steps.py, or below.
ELSEWHERE = {"duplicate_date", "unfinished_bar", "ragged_row", "spike"}


def test_every_rule_that_loses_a_bar_has_a_test():
    assert set(RULES) - HARMLESS == {*BREAKS, *ELSEWHERE}


@pytest.mark.parametrize("value", [-1.0, 0.0, np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["open", "high", "low", "close", "adj_close"])
def test_a_row_with_an_invalid_price_is_quarantined(column, value):
    frame = ohlcv().assign(adj_close=lambda f: f.close / 2)
    frame.loc[2, column] = value
    bars, quarantine = only(frame)
    kept = column == "open" and value == 0.0  # a placeholder
    assert len(bars) == 5 + kept and len(quarantine) == 1 and bool(quarantine.lost()) != kept
    assert_valid(bars)


def test_rounding_errors_widen_the_range_instead_of_losing_the_bar():
    frame = ohlcv()
    frame.loc[2, "high"] = max(frame.open[2], frame.close[2]) * (1 - 5e-5)
    frame.loc[3, "low"] = min(frame.open[3], frame.close[3]) * (1 + 5e-5)
    bars, quarantine = only(frame)
    assert len(quarantine) == 0
    assert_valid(bars)


def test_the_first_of_duplicates_is_used_and_copies_differ_from_conflicts():
    frame = ohlcv(3)
    conflict = frame.iloc[[1]].assign(close=lambda f: f.close * 1.001)
    bars, quarantine = only(pd.concat([frame, frame.iloc[[0]], conflict]))
    np.testing.assert_array_equal(bars.close, frame.close)
    assert quarantine.counts() == {"duplicate_date": 1, "repeated_row": 1}
    assert quarantine.summary() == "duplicate_date 1; nothing lost by repeated_row 1"
    assert quarantine.lost() == {"X": 1}


def test_a_valid_row_is_used_if_an_invalid_one_has_the_same_date():
    frame = ohlcv(3)
    broken = frame.iloc[[1]].assign(close=np.nan)
    bars, quarantine = only(pd.concat([broken, frame]))
    np.testing.assert_array_equal(bars.close, frame.close)
    assert quarantine.counts() == {"missing_price": 1}


def test_a_bar_without_volume_is_used_and_reported():
    frame = ohlcv()
    frame["volume"] = frame["volume"].astype(float)
    frame.loc[2, "volume"] = np.nan
    bars, quarantine = only(frame)
    assert len(bars) == 6 and bars.volume[2] == 0
    assert quarantine.counts() == {"missing_volume": 1} and quarantine.lost() == {}


def test_series_without_volume_or_range_are_flagged():
    bars, quarantine = only(ohlcv()[["date", "close"]].assign(volume=np.nan))
    assert not bars.has_range and not bars.has_volume and len(quarantine) == 0
    np.testing.assert_array_equal(bars.open, bars.close)
    np.testing.assert_array_equal(bars.volume, 0)


def test_a_frame_may_mix_close_only_symbols_with_others():
    frame = pd.concat([ohlcv().assign(symbol="A"), ohlcv()[["date", "close"]].assign(symbol="B")])
    (a, b), quarantine = bars_from_frame(frame)
    assert a.has_range and not b.has_range and len(b) == 6 and len(quarantine) == 0


def test_adjusted_close_adjusts_prices_and_not_the_money_traded():
    frame = ohlcv()
    frame["Adj Close"] = frame.close * np.where(np.arange(6) < 3, 0.5, 1.0)
    bars, _ = only(frame)
    np.testing.assert_allclose(bars.open[:3], frame.open[:3] / 2)
    np.testing.assert_array_equal(bars.close, frame["Adj Close"])
    np.testing.assert_allclose(bars.close * bars.volume, frame.close * frame.volume)


def test_adj_factor_adjusts_volume_only():
    frame = ohlcv().assign(adj_factor=0.5)
    bars, _ = only(frame)
    np.testing.assert_array_equal(bars.close, frame.close)
    np.testing.assert_array_equal(bars.volume, frame.volume * 2)


@pytest.mark.parametrize(
    ("frame", "words"),
    [
        (pd.DataFrame(), "no rows"),
        (ohlcv().iloc[:0], "no rows"),
        (ohlcv().drop(columns="high"), "no column for high"),
        (ohlcv().drop(columns="date"), "no column for date"),
        (ohlcv()[["date", "volume"]], "no column for close"),
        (ohlcv().assign(date="yesterday"), "no date can be read"),
        (ohlcv().assign(close=np.nan), "missing_price"),
        (ohlcv().assign(Close=1.0), "twice"),
        (ohlcv(2).assign(symbol=["A", ""]), "symbol ''"),
        (ohlcv(2).assign(symbol=["A", None]), "no symbol in 1 rows"),
        (ohlcv(2).assign(symbol=["A", "x" * 65]), "65 characters"),
        (ohlcv(2).assign(symbol=["A", "a\nb"]), "printable"),
        (ohlcv(2).assign(date=["01/02/2024", "02/03/2024"]), "day and month are ambiguous"),
        (ohlcv(2).assign(date=["13/02/2024", "02/13/2024"]), "day-first"),
        (ohlcv(2).assign(date=["2024-01-02 10:00", "2024-01-02 10:00+01:00"]), "with a zone"),
    ],
)
def test_an_invalid_frame_is_a_one_line_error_that_names_its_origin(frame, words):
    with pytest.raises(DataError, match=words) as caught:
        bars_from_frame(frame, None if "symbol" in frame else "X", place="'prices.csv'")
    assert str(caught.value).startswith("'prices.csv'") and "\n" not in str(caught.value)


def test_one_name_for_two_symbols_or_none_is_an_error():
    frame = ohlcv(2).assign(symbol=["A", "B"])
    with pytest.raises(DataError, match="2 symbols"):
        bars_from_frame(frame, "C")
    with pytest.raises(DataError, match="names no symbol"):
        bars_from_frame(ohlcv())


def test_a_column_whose_type_changes_gives_the_same_bars():
    frame = ohlcv(200)
    mixed = frame.astype(object)
    mixed.loc[100:, "close"] = mixed.loc[100:, "close"].map(repr)
    mixed.loc[50:, "volume"] = mixed.loc[50:, "volume"].map(str)
    np.testing.assert_array_equal(only(mixed)[0].close, only(frame)[0].close)
    np.testing.assert_array_equal(only(mixed)[0].volume, only(frame)[0].volume)


@settings(max_examples=40, deadline=None)
@given(st.randoms(use_true_random=False), st.integers(2, 40))
def test_the_order_of_rows_does_not_matter(random, rows):
    frame = pd.concat([ohlcv(rows, 1).assign(symbol="A"), ohlcv(rows, 2).assign(symbol="B")], ignore_index=True)
    order = list(range(2 * rows))
    random.shuffle(order)
    for left, right in zip(bars_from_frame(frame)[0], bars_from_frame(frame.iloc[order])[0], strict=True):
        assert left.symbol == right.symbol
        np.testing.assert_array_equal(left.dates, right.dates)
        np.testing.assert_array_equal(left.close, right.close)


cell = st.one_of(st.floats(width=32), st.sampled_from([None, "7", "1,000.5", "x", "", -1, 10**20]))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 8), cell, cell, cell, cell, cell), min_size=1, max_size=12))
def test_every_row_of_any_frame_is_a_valid_bar_or_quarantined(rows):
    frame = pd.DataFrame(rows, columns=["day", "open", "high", "low", "close", "volume"], dtype=object)
    frame["date"] = [f"2024-01-{day:02d}" for day in frame.pop("day")]  # day 00 does not exist
    try:
        (bars,), quarantine = bars_from_frame(frame, "X")
    except DataError:
        return
    assert_valid(bars)
    in_both = sum(quarantine.counts().get(rule, 0) for rule in KEPT)
    assert len(bars) + len(quarantine) - in_both == len(frame)
