"""Each strategy on a few cells by hand, and what each input that is missing does."""

from dataclasses import replace

import numpy as np
import pytest
from pydantic import ValidationError

from configs.errors import DataError
from configs.strategy import StrategyConfig
from training.strategy.catalog import catalog
from training.strategy.follow import PortfolioState
from training.strategy.pipeline import decide
from training.strategy.strategies.relative_rank import RelativeRank

FREE = {"skill": "assumed", "level": 0.5, "cost_bps": 0.0}
WIDE = {"name": 5.0, "gross": 50.0, "net": 50.0, "group": 50.0, "volatility": None, "no_trade_band": 0.0}
UP, DOWN, FLAT = [0.2, 0.3, 0.5], [0.5, 0.3, 0.2], [0.35, 0.3, 0.35]


def made(view, name, **more):
    return decide(view, StrategyConfig(**({"name": name, "filter": FREE, "caps": WIDE} | more)))


def reasons(decisions, row=-1):
    return [signal.reasons for signal in decisions.signals(row)]


def test_the_catalog_has_four_strategies():
    assert sorted(catalog()) == ["direction", "direction_x_volatility", "relative_rank", "volatility_target"]
    assert all(spec.name == name and spec.title for name, spec in catalog().items())


def test_volatility_target_is_long_everywhere(view_of):
    view = view_of([[UP, DOWN, FLAT]], sigma=[0.1, 0.2, 0.4])
    assert made(view, "volatility_target").weights[0] == pytest.approx([1.0, 0.5, 0.25])


def test_direction_takes_the_side_and_sizes_by_kelly(view_of):
    found = made(view_of([[UP, DOWN, FLAT]]), "direction")
    assert found.weights[0, 0] == pytest.approx(-found.weights[0, 1]) and found.weights[0, 0] == pytest.approx(5.0)
    assert found.weights[0, 2] == 0.0 and reasons(found)[2] == ("not chosen by the strategy",)
    long = made(view_of([[UP, DOWN, FLAT]]), "direction", short=False)
    assert long.weights[0, 1] == 0.0 and reasons(long)[1] == ("short positions are off",)


def test_direction_x_volatility_is_larger_for_stronger_forecasts(view_of):
    p = np.array([[UP, FLAT], [[0.3, 0.3, 0.4], DOWN]])
    view = view_of(p[0], dates=2)
    view = replace(view, probabilities=p)
    found = made(view, "direction_x_volatility")
    assert found.weights[0] == pytest.approx([0.5 * 0.5, 0.0])
    assert found.weights[1] == pytest.approx([0.5 * 0.5, -0.75 * 0.5])
    assert found.signals()[0].strength == 0.5 and found.signals()[1].direction == "down"


def test_relative_rank_holds_the_extremes(view_of):
    p = [[0.3, 0.3, 0.4], [0.25, 0.3, 0.45], [0.2, 0.3, 0.5], [0.32, 0.3, 0.38], [0.28, 0.3, 0.42]]
    found = made(view_of([p], sigma=[0.2, 0.2, 0.2, 0.4, 0.2]), "relative_rank", caps=WIDE | {"gross": 0.9})
    assert found.weights[0] == pytest.approx([0, 0, 0.6, -0.3, 0])
    assert reasons(found)[0] == ("not chosen by the strategy",)
    two = made(view_of([p]), "relative_rank", caps=WIDE | {"gross": 0.8}, parameters={"share": 0.4})
    assert two.weights[0] == pytest.approx([-0.2, 0.2, 0.2, -0.2, 0])
    assert not made(view_of([[UP, UP, UP]]), "relative_rank").weights.any()
    assert not made(view_of([[UP]]), "relative_rank").weights.any()
    assert RelativeRank(0.5).targets(view_of([[UP, DOWN]])).tolist() == [[1.0, -1.0]]


def test_missing_inputs_have_their_reasons(view_of):
    view = view_of([[UP, UP, UP]], dates=25)
    variance, close = view.variance.copy(), view.close.copy()
    variance[-1, 0] = np.nan
    close[-1, 1] = np.nan
    close[:, 2] = 100.0
    view = replace(view, variance=variance, close=close)
    found = made(view, "volatility_target")
    assert found.weights[-1, 0] == 0.0 and reasons(found)[0] == ("no forecast", "stale forecast")
    assert found.weights[-1, 2] == 0.0 and reasons(found)[2] == ("constant price",)
    signal = found.signals()[1]
    assert signal.action == "hold" and signal.position_size > 0 and np.isnan(found.targets().iloc[-1, 1])
    assert made(view, "volatility_target", max_age=1).weights[-1, 0] > 0.0
    never = made(replace(view, variance=np.full(view.shape, np.nan)), "volatility_target")
    assert reasons(never)[0] == ("no forecast",) and not never.weights.any() and len(never.weights) == 25


def test_a_halt_longer_than_allowed_closes_the_position(view_of):
    view = view_of([[UP]], dates=10)
    close = view.close.copy()
    close[3:] = np.nan
    found = made(replace(view, close=close), "volatility_target", max_halt=2, stops={"touch_probability": 0.1})
    assert found.weights[3:5].all() and not found.weights[5:].any() and found.reasons[5] > 0
    assert reasons(found) == [("no bar",)] and np.isfinite(found.path.stops[4, 0]) and found.path.waiting.sum() == 0


def test_skill_must_be_measured_first(random_view):
    unproven = decide(random_view(0, skill=0.0), StrategyConfig(name="direction", filter={"cost_bps": 0.0}))
    assert unproven.why()["unproven skill"] > 0.5 * unproven.weights.size
    assert not unproven.weights[:30].any()
    proven = decide(random_view(0, skill=1.0), StrategyConfig(name="direction"))
    assert not proven.weights[:60].any() and np.count_nonzero(proven.weights[65:]) > 0.8 * proven.weights[65:].size
    relative = decide(random_view(0, skill=1.0), StrategyConfig(name="relative_rank"))
    assert relative.weights[65:].any() and abs(relative.weights.sum(axis=1)).max() < 0.2


def test_confidence_strength_and_regime_have_reasons(view_of, random_view):
    sure = made(view_of([[UP, DOWN]]), "direction", filter=FREE | {"min_confidence": 0.65})
    assert reasons(sure) == [("confidence",)] * 2
    weak = made(view_of([[UP, DOWN]]), "direction", filter=FREE | {"min_strength": 0.9})
    assert reasons(weak) == [("strength",)] * 2
    view = random_view(1)
    out = made(view, "volatility_target", regime={"states": 2, "turbulent_size": 0.0})
    turbulent = out.regime == 1
    assert turbulent.any() and not out.weights[turbulent & view.has_bar[out.first :]].any()
    assert "regime" in out.why()


def test_kept_positions_drift_and_are_no_orders(view_of):
    close = 100.0 * 1.01 ** np.arange(5)
    view = view_of([[UP]], close=close[:, None], dates=5, sigma=0.2)
    found = made(view, "volatility_target", caps=WIDE | {"no_trade_band": 0.5})
    assert found.path.held[1, 0] == pytest.approx(0.5 * 1.01 / 1.005)
    assert found.targets().isna().to_numpy().tolist() == [[False], *[[True]] * 4]
    assert [found.signals(row)[0].action for row in (0, 1)] == ["buy", "hold"]


def test_positions_that_an_account_holds_are_the_start(view_of):
    view = view_of([[UP, UP]], dates=3)
    settings = StrategyConfig(caps=WIDE | {"no_trade_band": 0.2}, stops={"touch_probability": 0.1})
    held = PortfolioState.of(np.array([0.45, 0.0]))._replace(stops=np.array([99.0, np.nan]))
    near = decide(view, settings, held=held, first=-1)
    assert near.weights[0] == pytest.approx([0.45, 0.5]) and near.path.is_unchanged[0].tolist() == [True, False]
    assert near.path.stops[0, 0] >= 99.0 and len(near.dates) == 1


@pytest.mark.parametrize("weights", [np.zeros(3), np.array([np.nan, 0.0])])
def test_what_is_held_must_fit_the_view(view_of, weights):
    with pytest.raises(DataError, match="expected finite weights and levels of 2 symbols"):
        decide(view_of([[UP, UP]], dates=3), held=PortfolioState.of(weights), first=-1)


def test_a_stop_closes_the_position_and_waits(view_of):
    close = np.array([100.0, 100.0, 90.0, 91.0, 92.0, 93.0])[:, None]
    view = view_of([[UP]], dates=6, close=close)
    found = made(view, "volatility_target", stops={"touch_probability": 0.1, "wait": 2})
    assert (found.weights[:, 0] > 0).tolist() == [True, True, False, False, True, True]
    assert found.signals(2)[0].reasons == ("stopped out",) and found.path.held[2] == 0.0
    assert found.path.stops[0, 0] == pytest.approx(95.47, abs=0.005) and np.isnan(found.path.stops[2, 0])
    up = view_of([[DOWN]], dates=6, close=200.0 - close)
    assert (made(up, "direction", stops={"touch_probability": 0.1, "wait": 1}).weights[:, 0] < 0).tolist() == [
        True,
        True,
        False,
        True,
        True,
        True,
    ]


def test_a_profit_target_stays_where_it_was_set(view_of):
    close = np.array([100.0, 102.0, 104.0, 106.0, 107.0])[:, None]
    view = view_of([[UP]], dates=5, close=close)
    found = made(view, "volatility_target", stops={"profit_probability": 0.1, "wait": 1})
    assert found.path.take_profits[:3, 0] == pytest.approx(104.74, abs=0.005)
    assert (found.weights[:, 0] > 0).tolist() == [True, True, True, False, True]
    assert found.path.take_profits[4, 0] == pytest.approx(107 * 1.0474, abs=0.01)


def test_risk_per_trade_bounds_the_size(view_of):
    size = {"risk_per_trade": 0.005}
    found = made(view_of([[UP]], close=[[100.0]]), "volatility_target", size=size, stops={"touch_probability": 0.1})
    assert found.weights[0, 0] == pytest.approx(0.108, abs=5e-4)
    assert np.isnan(made(view_of([[UP]]), "volatility_target").path.stops).all()
    with pytest.raises(ValidationError, match="touch_probability"):
        StrategyConfig(size=size)
