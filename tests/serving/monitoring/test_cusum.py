"""The run lengths of the control chart are those of the literature, and those of simulated charts."""

import numpy as np
import pytest

from serving.monitoring.cusum import limit_of, next_sum, run_length


@pytest.mark.parametrize(("limit", "expected"), [(4.0, 335.4), (5.0, 930.9), (6.678, 5040.0)])
def test_run_lengths_in_control(limit, expected):
    assert run_length(limit) == pytest.approx(expected, rel=1e-3)


def test_a_shift_of_one_standard_deviation_is_found_in_two_weeks():
    assert run_length(6.678, shift=1.0) == pytest.approx(13.7, abs=0.05)


def test_twenty_years_of_days():
    assert limit_of(20 * 252) == pytest.approx(6.677, abs=1e-3)
    for observations in (2.0, 50.0, 252_000.0):
        assert run_length(limit_of(observations)) == pytest.approx(max(observations, 3.5), rel=1e-6)


def test_a_simulated_chart_signals_as_often_as_computed():
    rng = np.random.default_rng(0)
    total, runs = np.zeros(2000), np.zeros(2000)
    running = np.ones(2000, bool)
    while running.any():
        total = np.maximum(0.0, total + rng.normal(size=2000) - 0.5)
        runs += running
        running &= total < 2.0
    assert runs.mean() == pytest.approx(run_length(2.0), rel=0.06)


def test_one_outlier_is_bounded():
    assert next_sum(0.0, 100.0) == next_sum(0.0, 3.0) == 2.5
    assert next_sum(1.0, -100.0) == 0.0


def test_a_limit_must_be_positive():
    with pytest.raises(ValueError, match="above 0"):
        run_length(0.0)
