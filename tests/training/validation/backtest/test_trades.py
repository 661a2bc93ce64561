"""Round trips, and the null of random timing."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import DataError
from training.validation import Costs, simulate
from training.validation.backtest.random_timing import moved, random_timing
from training.validation.backtest.read_market import read_market
from training.validation.backtest.trades import round_trips


def frame(price, days):
    return pd.DataFrame({name: price for name in ("Open", "High", "Low", "Close")}, index=days)


def test_a_reversal_closes_one_trip_and_opens_the_next():
    days = pd.date_range("2024-01-01", periods=7)
    bars = frame([100.0, 100, 110, 120, 110, 100, 100], days)
    targets = pd.Series([10.0, 20, 20, -10, -10, 0, 0], index=days, name="X")
    trips = round_trips(simulate(bars, targets, Costs(commission_bps=10)))
    assert trips["side"].tolist() == [1, -1]
    assert trips["bars"].tolist() == [3, 2]
    np.testing.assert_allclose(trips["invested"], [10 * 100 + 10 * 110, 10 * 110])
    np.testing.assert_allclose(trips["profit"], [2_200 - 2_100 - 4.3, 1_100 - 1_000 - 2.1])
    assert trips["exit"].tolist() == [days[4], days[6]]


@pytest.mark.slow
@given(st.integers(0, 10_000))
def test_closed_trips_add_up_to_the_profit_of_a_flat_account(seed):
    g = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=20)
    bars = {s: frame(50 * np.exp(np.cumsum(g.normal(0, 0.03, 20))), days) for s in "AB"}
    targets = pd.DataFrame(g.integers(-3, 4, (20, 2)) * 10.0, index=days, columns=list("AB"))
    targets.iloc[-2:] = 0.0
    result = simulate(bars, targets, Costs(half_spread_bps=3, commission_bps=5, commission_min=0.5))
    trips = round_trips(result)
    assert trips["profit"].sum() == pytest.approx(result.equity.iloc[-1] - 10_000, abs=1e-7)
    assert (trips["bars"] > 0).all() and trips["exit"].is_monotonic_increasing


def test_an_account_without_orders_has_no_trips():
    days = pd.date_range("2024-01-01", periods=3)
    assert len(round_trips(simulate(frame([1.0, 1, 1], days), pd.Series(0.0, index=days)))) == 0


@pytest.mark.slow
def test_timing_that_is_random_looks_random_and_foresight_does_not():
    g = np.random.default_rng(0)
    days = pd.bdate_range("2020-01-01", periods=400)
    steps = g.normal(0, 0.01, 400)
    bars = {"X": frame(100 * np.exp(np.cumsum(steps)), days)}
    market = read_market(bars)
    foresight = pd.DataFrame({"X": np.sign(np.roll(steps, -2))}, index=days)
    found = random_timing(market, foresight, Costs(), 50, unit="weight", cash=1e6)
    assert found.p_value == pytest.approx(1 / 51) and len(found.simulated) == 50
    assert abs(found.simulated.mean()) < 0.05
    noise = pd.DataFrame({"X": g.choice([-1.0, 1.0], 400)}, index=days)
    assert random_timing(market, noise, Costs(), 50, unit="weight", cash=1e6).p_value > 0.05
    with pytest.raises(DataError, match="one a bar"):
        random_timing(market, noise[:300], Costs())


@pytest.mark.slow
def test_a_symbol_that_begins_late_or_ends_early_has_other_times_among_its_own_bars():
    """With foresight, or at random, in three symbols of 400, 150 and 250 bars."""
    g = np.random.default_rng(1)
    days = pd.bdate_range("2020-01-01", periods=400)
    own = {"X": slice(0, 400), "Y": slice(250, 400), "Z": slice(0, 250)}
    steps = g.normal(0, 0.01, (400, 3))
    market = read_market(
        {n: frame(100 * np.exp(np.cumsum(steps[rows, s])), days[rows]) for s, (n, rows) in enumerate(own.items())}
    )
    listed = np.column_stack([np.isin(np.arange(400), np.arange(400)[rows]) for rows in own.values()])
    foresight, noise = (
        pd.DataFrame(np.where(listed, side, 0.0), index=days, columns=list(own))
        for side in (np.sign(np.roll(steps, -2, axis=0)), g.choice([-1.0, 1.0], steps.shape))
    )
    found = random_timing(market, foresight / 3, Costs(), 50, unit="weight", cash=1e6)
    assert found.p_value == pytest.approx(1 / 51) and abs(found.simulated.mean()) < 0.05
    assert random_timing(market, noise / 3, Costs(), 50, unit="weight", cash=1e6).p_value > 0.05
    numbers = pd.DataFrame(np.where(listed, np.arange(1.0, 401.0)[:, None], 0.0), index=days, columns=list(own))
    for shift in (1, 130, 399):
        later = moved(market, numbers, shift)
        assert later["Y"].iloc[:250].isna().all()
        for name, rows in own.items():
            assert sorted(later[name].iloc[rows]) == sorted(numbers[name].iloc[rows]), "the same exposure"
        np.testing.assert_array_equal(later["X"], np.roll(numbers["X"], shift))
        together = slice(250 + shift, 400)
        np.testing.assert_array_equal(later["Y"].iloc[together], later["X"].iloc[together])
