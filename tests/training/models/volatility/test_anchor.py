from __future__ import annotations

import numpy as np
import pytest

from features.bars.period import BarPeriod
from features.panel import Panel
from training.models.volatility.anchor import COMPLETE_AFTER, FALLS, LAGS, LONGEST, TERMS, anchor_inputs, log_response
from training.models.volatility.har import BASELINE_LAGS, har_design

BARS = 400
OFFSETS = np.array([0, BARS, 2 * BARS])


@pytest.fixture
def bars():
    """Variance and closes of two symbols; like a panel's, a symbol's first variance is NaN."""
    rng = np.random.default_rng(0)
    variance = 1e-4 * np.exp(rng.normal(size=2 * BARS))
    close = 50.0 * np.exp(np.cumsum(np.sqrt(variance) * rng.normal(size=2 * BARS)))
    variance[OFFSETS[:-1]] = np.nan
    return variance, close


@pytest.mark.parametrize("t", [COMPLETE_AFTER, 200, 300, BARS - 1])
def test_the_terms_are_log_means_against_the_long_one_and_falls_in_units_of_volatility(bars, t):
    v, close = (x[BARS:] for x in bars)
    long = np.nanmean(v[max(t - LAGS[-1], 0) + 1 : t + 1])
    expected = [np.log(long), 1.0]
    expected += [np.log(v[t - n + 1 : t + 1].mean() / long) for n in LAGS[:-1]]
    daily = np.sqrt(v[t - 21 : t + 1].mean())
    expected += [min(np.log(close[t] / close[t - n]), 0.0) / (daily * np.sqrt(n)) for n in FALLS]
    found = anchor_inputs(*bars, OFFSETS)
    assert found.shape == (2 * BARS, 1 + TERMS)
    np.testing.assert_allclose(found[BARS + t], expected, rtol=1e-10, atol=1e-12)


def test_all_rows_are_complete_after_the_first_bars_and_none_before(bars):
    complete = np.isfinite(anchor_inputs(*bars, OFFSETS)).all(axis=1)
    assert np.array_equal(complete, np.arange(2 * BARS) % BARS >= COMPLETE_AFTER)
    young = np.array([0, COMPLETE_AFTER])
    short = anchor_inputs(bars[0][:COMPLETE_AFTER], bars[1][:COMPLETE_AFTER], young)
    assert np.isnan(short[:, 0]).all()


def test_no_row_sees_what_follows_or_another_symbol(bars):
    before = anchor_inputs(*bars, OFFSETS)
    variance, close = bars[0].copy(), bars[1].copy()
    variance[301:] *= 9
    close[301:] *= 0.5
    after = anchor_inputs(variance, close, OFFSETS)
    assert np.array_equal(before[:301], after[:301], equal_nan=True)
    assert not np.array_equal(before[301:], after[301:], equal_nan=True)
    alone = anchor_inputs(bars[0][BARS:], bars[1][BARS:], np.array([0, BARS]))
    assert np.array_equal(alone, before[BARS:], equal_nan=True)


@pytest.mark.parametrize("scale", [1e-6, 0.3, 4.0, 1e4])
def test_a_unit_of_variance_adds_its_logarithm_to_the_mean_and_changes_nothing_else(bars, scale):
    variance, close = bars
    plain = anchor_inputs(variance, close, OFFSETS)
    # Returns are the square roots of variance, so a market that moves k times as much has close ** k.
    scaled = anchor_inputs(scale * variance, close ** np.sqrt(scale), OFFSETS)
    np.testing.assert_allclose(scaled[:, 0], plain[:, 0] + np.log(scale), rtol=1e-12)
    np.testing.assert_allclose(scaled[:, 1:], plain[:, 1:], rtol=1e-8, atol=1e-10)


def test_a_unit_of_price_changes_nothing(bars):
    variance, close = bars
    plain = anchor_inputs(variance, close, OFFSETS)
    np.testing.assert_allclose(anchor_inputs(variance, 1e-3 * close, OFFSETS), plain, rtol=1e-9, atol=1e-11)


def test_a_month_without_movement_has_no_falls_and_finite_terms(bars):
    variance, close = bars
    variance[200:240], close[200:240] = 0.0, close[199]
    found = anchor_inputs(variance, close, OFFSETS)
    assert np.array_equal(found[225:240, -len(FALLS) :], np.zeros((15, len(FALLS))))
    assert np.isfinite(found[COMPLETE_AFTER:BARS]).all()
    assert found[239, 2] == pytest.approx(np.log(0.01))
    # A close that jumps while no bar moved has no unit.
    close[239] *= 0.5
    assert np.array_equal(anchor_inputs(variance, close, OFFSETS)[239, -len(FALLS) :], np.zeros(len(FALLS)))


def test_the_response_is_against_the_long_mean_and_floored_at_a_hundredth():
    inputs = np.zeros((4, 1 + TERMS))
    inputs[:, 0] = np.log(1e-4)
    found = log_response(np.array([2e-4, 1e-9, 0.0, np.nan]), inputs)
    np.testing.assert_allclose(found, [np.log(2), np.log(0.01), np.log(0.01), np.nan])


@pytest.mark.parametrize("missing", [None, BARS + 300])
@pytest.mark.parametrize("rows", [((BARS - 1,), (BARS - 1,)), ((70,), (251, 252, 253)), ((3, 399, 90), (398, 50))])
def test_rows_of_the_parts_that_they_read_are_bit_for_bit_those_of_all_bars(bars, rows, missing):
    variance, close = bars
    if missing is not None:
        variance[missing] = np.nan
    none, periods = np.empty((2 * BARS, 0), np.float32), (BarPeriod(),) * 2
    panel = Panel(("A", "B"), (), OFFSETS, np.arange(2 * BARS).view("datetime64[ns]"), none, close, variance, close,
                  periods, 0)  # fmt: skip
    panel_rows = np.concatenate([np.array(own) + OFFSETS[i] for i, own in enumerate(rows)])
    cut, at = panel.before(panel_rows, np.repeat([0, 1], [len(own) for own in rows]), LONGEST)
    np.testing.assert_array_equal(cut.dates[at], panel.dates[panel_rows])
    assert len(cut.dates) < 2 * BARS
    found = anchor_inputs(cut.variance, cut.close, cut.offsets)[at]
    np.testing.assert_array_equal(found, anchor_inputs(variance, close, OFFSETS)[panel_rows])
    found = har_design(cut.variance, cut.offsets, BASELINE_LAGS)[at]
    np.testing.assert_array_equal(found, har_design(variance, OFFSETS, BASELINE_LAGS)[panel_rows])
