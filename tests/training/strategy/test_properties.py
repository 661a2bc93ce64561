"""Laws of positions: limits always hold, units do not matter, costs only shrink, and a 0 has a reason."""

from dataclasses import replace

import numpy as np
import pytest
from four_symbols import CAPS, CORRELATION, GROUP
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.strategy import CapConfig, StrategyConfig
from training.strategy.caps import Limits, cap_net, cap_turnover
from training.strategy.correlation import correlations, groups_of, portfolio_volatility
from training.strategy.edge import edges
from training.strategy.pipeline import decide
from training.strategy.reasons import TEXT, Reason
from training.strategy.sizing import kelly_size
from training.strategy.skill import Skill

WEIGHTS = st.lists(st.floats(-2.0, 2.0), min_size=4, max_size=4).map(np.array)
STOPS = {"touch_probability": 0.1}
VOL = np.array([0.1, 0.2, 0.3, 0.5])


def assert_within(w, caps, correlation=CORRELATION, group=GROUP, vol=VOL):
    slack = 1.0 + 1e-9
    assert np.abs(w).max() <= caps.name * slack and np.abs(w).sum() <= caps.gross * slack
    assert abs(w.sum()) <= caps.net + 1e-9
    assert np.bincount(group, weights=np.abs(w)).max() <= caps.group * slack
    if caps.volatility is not None:
        assert portfolio_volatility(w, vol, correlation) <= caps.volatility * slack


@given(WEIGHTS, CAPS, st.booleans())
def test_limits_hold_and_applying_them_again_changes_nothing(weights, caps, short):
    limits = Limits(caps, short, GROUP, CORRELATION, VOL, np.zeros(4))
    w = limits(weights)
    assert_within(w, caps)
    assert short or (w >= 0).all()
    assert (np.abs(w) <= np.abs(weights) + 1e-15).all() and (w * weights >= 0).all()
    np.testing.assert_allclose(limits(w), w, rtol=1e-9, atol=1e-12)


@given(st.integers(0, 5), st.sampled_from(["volatility_target", "relative_rank"]), st.floats(0.1, 0.6))
@settings(max_examples=12)
def test_limits_hold_on_every_date(random_view, seed, name, turnover):
    view = random_view(seed, skill=0.5)
    caps = CapConfig(turnover=turnover, net=0.3, group=0.2, group_correlation=0.25, name=0.15, no_trade_band=0.2)
    made = decide(view, StrategyConfig(name=name, caps=caps, filter={"level": 0.5, "cost_bps": 0.0}, stops=STOPS))
    assert made.weights.any()
    slack = 1.0 + 1e-9
    assert np.abs(made.weights).max() <= 0.15 * slack
    assert np.abs(made.weights).sum(axis=1).max() <= slack
    assert np.abs(made.weights.sum(axis=1)).max() <= 0.3 * slack
    np.testing.assert_array_equal(made.weights == 0, made.reasons != 0)
    # Reductions that limits require come on top of the limit of turnover: from the drifted weights.
    forced = np.abs(np.clip(made.path.held, -0.15, 0.15) - made.path.held).sum(axis=1)
    change = np.abs(made.weights - made.path.held).sum(axis=1)
    free = np.abs(made.path.held).sum(axis=1) < 0.2
    assert (change[free] <= turnover + forced[free] + 1e-9).all()


@given(st.integers(0, 5), st.sampled_from(["volatility_target", "direction", "relative_rank"]), st.booleans())
@settings(max_examples=12)
def test_a_position_of_zero_has_reasons_and_no_other(random_view, seed, name, short):
    made = decide(
        random_view(seed, skill=0.3), StrategyConfig(name=name, short=short, filter={"min_days": 30}, stops=STOPS)
    )
    for row in (0, 5, -1):
        for signal in made.signals(row):
            assert bool(signal.reasons) == (signal.position_size == 0.0)
            assert (signal.stop is None) == (signal.position_size == 0.0) or signal.volatility is None
    counts = made.why()
    assert counts["position"] == np.count_nonzero(made.weights)
    assert set(counts) - {"position"} <= set(TEXT.values()) and len(TEXT) == len(Reason)


@pytest.mark.parametrize("name", ["volatility_target", "direction", "direction_x_volatility", "relative_rank"])
def test_the_unit_of_prices_changes_no_position(random_view, name):
    view = random_view(2, skill=0.5)
    scale = 2.0 ** np.array([-4, 0, 3, 10, 1, -9])
    settings = StrategyConfig(name=name, filter={"min_days": 20, "level": 0.5, "cost_bps": 1.0}, stops=STOPS)
    prices = {one: getattr(view, one) * scale for one in ("open", "high", "low", "close")}
    mine, scaled = decide(view, settings), decide(replace(view, **prices), settings)
    assert mine.weights.any()
    np.testing.assert_allclose(scaled.weights, mine.weights, rtol=1e-12)
    np.testing.assert_array_equal(scaled.reasons, mine.reasons)
    np.testing.assert_allclose(scaled.path.stops, mine.path.stops * scale, rtol=1e-12)


@given(
    st.floats(-0.02, 0.02),
    st.floats(0.0, 0.02),
    st.floats(0.0, 0.02),
    st.floats(-0.5, 1.5),
    st.floats(0.0, 1.0),
    st.sampled_from([-1.0, 1.0]),
)
def test_more_cost_never_makes_a_position_larger(expected_return, cost, more, slope, error, side):
    skill = Skill(np.array([slope]), np.array([error]), np.array([100.0]))
    one = np.ones((1, 1))

    def size(cost):
        edge = edges(expected_return * one, 0.0009 * one, side * one, skill, cost, 0.95)
        found = kelly_size(edge.net, edge.second, edge.error, 0.25)[0, 0]
        return found if edge.lower[0, 0] > 0 else 0.0

    assert size(cost + more) <= size(cost) * (1 + 1e-12)


@pytest.mark.parametrize("name", ["direction", "direction_x_volatility"])
def test_more_cost_only_closes_positions_of_one_symbol(random_view, name):
    view = random_view(3, symbols=2, skill=0.5)
    sizes = []
    for cost in (0.0, 5.0, 50.0, 500.0):
        settings = StrategyConfig(
            name=name, filter={"cost_bps": cost, "min_days": 20}, caps={"no_trade_band": 0.0, "volatility": None}
        )
        sizes.append(np.abs(decide(view, settings).weights).sum())
    assert sizes[0] >= sizes[1] >= sizes[2] >= sizes[3] == 0.0 < sizes[0]


@given(WEIGHTS, WEIGHTS, st.floats(0.05, 3.0))
def test_turnover_stops_on_the_way(held, target, most):
    w = cap_turnover(held, target, most)
    assert np.abs(w - held).sum() <= most * (1 + 1e-9)
    assert (np.minimum(held, target) - 1e-12 <= w).all() and (w <= np.maximum(held, target) + 1e-12).all()


def test_the_net_limit_scales_the_larger_side():
    np.testing.assert_allclose(cap_net(np.array([0.4, 0.4, -0.2]), 0.2, np.zeros(3)), [0.2, 0.2, -0.2])
    np.testing.assert_allclose(cap_net(np.array([0.4, 0.4, 0.0]), 0.0, np.zeros(3)), [0.0, 0.0, 0.0])


def test_groups_are_linked_by_correlation():
    rng = np.random.default_rng(0)
    common = rng.standard_normal((250, 2))
    returns = np.column_stack([common[:, 0], common[:, 0], common[:, 1], common[:, 1], rng.standard_normal(250)])
    returns = returns + 0.2 * rng.standard_normal(returns.shape)
    np.testing.assert_allclose(correlations(returns), np.corrcoef(returns.T), atol=1e-12)
    assert groups_of(correlations(returns), 0.7).tolist() == [0, 0, 1, 1, 2]
    returns[:240, 4] = np.nan
    known = correlations(returns)
    usual = known[:4, :4][~np.eye(4, dtype=bool)].mean()
    np.testing.assert_allclose(known[4, :4], usual)
    assert correlations(np.empty((0, 2))).tolist() == [[1.0, 0.5], [0.5, 1.0]]
