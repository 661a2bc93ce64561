"""Results of equal dates are computed once, and the dates are not kept."""

import sys

import numpy as np

from features.bars.by_content import ByContent


def test_equal_dates_are_computed_once_and_others_again():
    calls = []

    def compute(dates):
        calls.append(len(dates))
        return dates[-1]

    known = ByContent(compute, most=2)
    days = np.arange("2026-01-01", "2026-04-01", dtype="datetime64[D]")
    assert known(days) == known(days.astype("datetime64[ns]").copy()) == days[-1]
    assert known(days[::2]) == days[::2][-1] and known(days[:3]) == days[2]  # the third removes the first two
    assert known(days[:3]) == days[2] and known(days) == days[-1]
    assert calls == [90, 45, 3, 90]


def test_a_result_is_kept_without_its_dates():
    known = ByContent(len, most=100)
    for count in range(1, 50):
        known(np.arange(count * 1000).view("datetime64[ns]"))
    assert sum(sys.getsizeof(key) for key in known._known) < 50 * 64
