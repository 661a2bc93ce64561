"""Numbers through windows: their spread, the order that they make, and which are among the largest."""

import math

import numpy as np
import pytest

from training.validation.stability import rank_correlation, stability, top_counts


def test_a_number_that_some_windows_lack_counts_in_the_others():
    found = stability([{"a": 1.0, "b": 2.0}, {"a": 3.0}, {"a": 5.0, "b": 6.0}])
    assert found.loc["a"].tolist() == [3.0, 2.0, 1.0, 5.0, 3.0]
    assert found.loc["b", ["first", "last", "windows"]].tolist() == [2.0, 6.0, 2.0]
    assert math.isnan(stability([{"a": 1.0}]).loc["a", "sd"]) and len(stability([])) == 0


def test_the_order_of_features_is_compared_by_rank():
    rng = np.random.default_rng(0)
    same = [{name: i + 0.1 * rng.random() for i, name in enumerate("abcdefgh")} for _ in range(4)]
    assert rank_correlation(same) == pytest.approx(1.0)
    chance = [{str(i): rng.random() for i in range(50)} for _ in range(30)]
    assert abs(rank_correlation(chance)) < 0.1
    assert rank_correlation([{"a": 1.0, "b": 2.0}, {"a": 2.0, "b": 1.0}]) == pytest.approx(-1.0)
    assert math.isnan(rank_correlation([{"a": 1.0, "b": 1.0}] * 2)) and math.isnan(rank_correlation(same[:1]))


def test_the_largest_of_each_window_are_counted():
    counts = top_counts([{"a": 3.0, "b": 2.0, "c": 1.0}, {"a": 1.0, "b": 2.0, "c": 3.0}], size=2)
    assert counts == {"a": 1, "b": 2, "c": 1}
