"""The published numbers: Kelly, volatility target, costs, stops; to their last digit."""

import numpy as np
import pandas as pd
import pytest

from configs.strategy import StrategyConfig
from training.metrics.kelly import kelly_leverage
from training.strategy.caps import Limits
from training.strategy.class_returns import normal_class_returns
from training.strategy.correlation import portfolio_volatility
from training.strategy.edge import edges, expected_return_of
from training.strategy.pipeline import decide
from training.strategy.sizing import (
    equal_risk_size,
    kelly_leverage_of_returns,
    kelly_shrinkage,
    kelly_size,
    risk_budget_size,
    volatility_target_size,
)
from training.strategy.skill import Skill
from training.strategy.stops import level, stop_distance, touch_multiple, trailing
from training.validation import simulate

SIGMA = 0.20 / np.sqrt(252)
P = np.array([0.30, 0.30, 0.40])
CERTAIN = Skill(np.ones(1), np.zeros(1), np.full(1, np.inf))
ASSUMED = {"skill": "assumed", "level": 0.5}


def edge(p, cost):
    moments = normal_class_returns(0.43)
    promised = expected_return_of(p, moments.mean) * SIGMA
    second = (p * moments.second).sum() * SIGMA**2
    return edges(np.full((1, 1), promised), np.full((1, 1), second), np.ones((1, 1)), CERTAIN, cost, 0.5)


def test_kelly_of_a_move_of_two_percent_and_its_worst_cases():
    """Check 14."""
    assert kelly_leverage(0.40 / 0.70, 0.02, 0.02) == pytest.approx(7.1429, abs=5e-5)
    assert kelly_leverage(0.37 / 0.70, 0.02, 0.02) == pytest.approx(2.857, abs=5e-4)
    assert kelly_leverage(0.35 / 0.70, 0.02, 0.02) == pytest.approx(0.0, abs=1e-9)


def test_moments_of_classes():
    mean, second = normal_class_returns(0.43)
    assert mean == pytest.approx([-1.090, 0.0, 1.090], abs=5e-4)
    assert second == pytest.approx([1.469, 0.060, 1.469], abs=5e-4)
    narrow = normal_class_returns(np.array([0.0, 1e-9, np.nan]))
    assert np.isfinite(narrow.second[:2]).all() and np.isnan(narrow.mean[2]).any()


def test_edge_and_kelly_of_a_daily_forecast():
    """Check 15."""
    free, costly = edge(P, 0.0), edge(P, 10e-4)
    assert free.net[0, 0] * 1e4 == pytest.approx(13.74, abs=0.005)
    assert kelly_leverage_of_returns(free.net, free.second)[0, 0] == pytest.approx(8.367, abs=0.0015)
    assert kelly_size(free.net, free.second, free.error, 0.25)[0, 0] == pytest.approx(2.092, abs=0.0005)
    assert kelly_leverage_of_returns(costly.net, costly.second)[0, 0] == pytest.approx(2.252, abs=0.001)
    assert kelly_size(costly.net, costly.second, costly.error, 0.25)[0, 0] == pytest.approx(0.563, abs=0.0005)
    assert volatility_target_size(0.10, 0.20) == pytest.approx(0.50)


def test_the_cap_binds(view_of):
    """Check 15: whatever sizes it, the cap of a name is what is held."""
    for method in ("kelly", "volatility_target"):
        settings = StrategyConfig(name="direction", size={"method": method}, filter=ASSUMED)
        (signal,) = decide(view_of([[P]]), settings).signals()
        assert signal.position_size == pytest.approx(0.10) and signal.reasons == () and signal.action == "buy"
        assert signal.direction == "up" and signal.confidence == pytest.approx(0.40)


def test_costs_stop_a_small_edge(view_of):
    """Check 16."""
    p = np.array([0.31, 0.37, 0.32])
    assert edge(p, 0.0).net[0, 0] * 1e4 == pytest.approx(1.37, abs=0.005)
    settings = StrategyConfig(name="direction", filter=ASSUMED)
    (signal,) = decide(view_of([[p]]), settings).signals()
    assert signal.position_size == 0.0 and signal.reasons == ("costs",) and signal.action == "none"
    assert signal.stop is None


def test_volatility_target_takes_the_upper_end(view_of):
    """Check 17."""
    caps = {"name": 1.0, "volatility": None, "gross": 3.0, "group": 3.0, "net": 3.0}
    sized = decide(view_of([[P] * 3], sigma=[0.25, 0.25, 0.04], high=[0.25, 0.32, 0.04]), StrategyConfig(caps=caps))
    assert sized.weights[0] == pytest.approx([0.40, 0.3125, 1.0])
    assert volatility_target_size(0.10, [0.25, 0.32, 0.04], 1.0) == pytest.approx([0.40, 0.3125, 1.0])


def test_two_correlated_names_exceed_the_target_together():
    """Check 17."""
    w, sigma, correlation = np.full(2, 0.4), np.full(2, 0.25), np.array([[1.0, 0.5], [0.5, 1.0]])
    assert portfolio_volatility(w, sigma, correlation) == pytest.approx(0.1732, abs=5e-5)
    caps = StrategyConfig(caps={"name": 1.0, "volatility": 0.10, "group": 1.0}).caps
    assert Limits(caps, True, np.arange(2), correlation, sigma, np.zeros(2))(w) / w == pytest.approx(0.5774, abs=5e-5)


def test_stops_of_a_ten_percent_touch():
    assert touch_multiple(0.10) == pytest.approx(1.645, abs=5e-4)
    distance = stop_distance(np.array([0.20, 0.30]), 5, 252.0, 0.10)
    assert level(np.full(2, 100.0), -np.ones(2), distance) == pytest.approx([95.47, 93.29], abs=0.005)
    assert level(np.full(2, 100.0), np.ones(2), distance) == pytest.approx(100.0 * np.exp(distance))
    assert risk_budget_size(0.005, distance[0]) == pytest.approx(0.108, abs=5e-4)


def test_a_gap_below_the_stop_fills_at_the_open(view_of):
    """Check 24: the stop of a signal, in a bar that opens below it, and in one that reaches stop and target."""
    view = view_of([[P]], close=100.0, dates=3)
    made = decide(view, StrategyConfig(stops={"touch_probability": 0.10, "profit_probability": 0.10}))
    stops, takes = made.stop_levels(), made.take_profit_levels()
    assert stops.to_numpy() == pytest.approx(95.47, abs=0.005) and takes.to_numpy() == pytest.approx(104.74, abs=0.005)
    assert made.signals()[0].stop == stops.iloc[-1, 0] and made.signals()[0].take_profit == takes.iloc[-1, 0]
    for last, price in (((93.0, 96.0, 92.0, 94.0), 93.0), ((100.0, 105.0, 95.0, 100.0), stops.iloc[1, 0])):
        bars = pd.DataFrame([(100.0,) * 4, (100.0,) * 4, last], columns=["Open", "High", "Low", "Close"])
        bars.index = made.dates
        result = simulate(bars, made.targets()["A"], unit="weight", stops=stops["A"], take_profits=takes["A"])
        assert result.fills.reference[-1] == price and result.fills.quantity[-1] < 0


def test_skill_that_is_not_proven_makes_kelly_small():
    assert kelly_shrinkage(0.001, 0.0) == 1.0 and kelly_shrinkage(0.0, 0.001) == 0.0 == kelly_shrinkage(0.0, 0.0)
    assert kelly_shrinkage(0.0001, 0.001) == pytest.approx(1 / 101)


def test_equal_risk_is_inverse_to_volatility():
    found = equal_risk_size(np.array([[1.0, 1.0, 0.0, 1.0]]), np.array([[0.1, 0.2, 0.1, np.nan]]), 0.9)
    assert found == pytest.approx(np.array([[0.6, 0.3, 0.0, 0.0]]))
    assert equal_risk_size(np.zeros((1, 2)), np.ones((1, 2)), 1.0) == pytest.approx(np.zeros((1, 2)))


def test_stops_move_towards_profit_only():
    side = np.array([1.0, -1.0, 1.0, 0.0, 1.0])
    before = np.array([95.0, 105.0, 95.0, 95.0, np.nan])
    new = np.array([94.0, 106.0, 96.0, np.nan, 94.0])
    found = trailing(before, new, side, np.array([1.0, -1.0, -1.0, 1.0, 1.0]))
    assert found == pytest.approx([95.0, 105.0, 96.0, np.nan, 94.0], nan_ok=True)
