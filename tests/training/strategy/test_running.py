"""What a bot decides date by date, without the history, is what a backtest decides on the whole of it, bit for bit."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.strategy import StrategyConfig
from training.strategy.follow import Bars, through_bar
from training.strategy.pipeline import decide
from training.strategy.running.view import RunningView
from training.strategy.view_builder import view_of_arrays

pytestmark = pytest.mark.slow

NAMES = ("volatility_target", "direction", "direction_x_volatility", "relative_rank")


def configured(name, max_age=1):
    return StrategyConfig(
        name=name,
        filter={"level": 0.5, "min_days": 20, "cost_bps": 0.5},
        max_age=max_age,
        regime={"states": 3, "turbulent_size": 0.5},
        stops={"touch_probability": 0.1, "profit_probability": 0.2},
        caps={"turnover": 0.4, "group_correlation": 0.2, "correlation_window": 60},
    )


def running_of(view, market, config, horizon):
    """Yield the newest view of every date."""
    running = RunningView(view.symbols, config, horizon=horizon, volatility_horizon=5)
    v = np.stack([view.variance, view.variance_low, view.variance_high], axis=-1)
    for t in range(len(view.dates)):
        running.advance(market, t, view.probabilities[t], v[t])
        yield running.view()


@pytest.mark.parametrize("name", NAMES)
@given(st.integers(0, 50), st.sampled_from([0, 1, 3]), st.sampled_from([1, 3]), st.sampled_from([70, 100]))
@settings(max_examples=4)
def test_every_date_is_that_of_the_whole_view(random_market, random_view, name, seed, max_age, horizon, first):
    given_view = random_view(seed, days=160, skill=0.5, first=first, halts=0.1)
    market, config = random_market(seed, days=160, halts=0.1), configured(name, max_age)
    v = np.stack([given_view.variance, given_view.variance_low, given_view.variance_high], axis=-1)
    view = view_of_arrays(market, given_view.probabilities, v, horizon=horizon, volatility_horizon=5)
    whole = decide(view, config)
    fresh = view.carried(config.max_age)
    held = None
    for t, newest in enumerate(running_of(view, market, config, horizon)):
        if t < whole.first:
            continue
        row = t - whole.first
        if held is not None:
            bars = Bars(newest.open, newest.high, newest.low, newest.close, newest.close_before)
            held = through_bar(held, bars, 0, config.stops.wait)
        one = decide(newest, config, held=held, first=-1)
        for name_, mine, theirs in zip(whole.path._fields, one.path, whole.path, strict=True):
            np.testing.assert_array_equal(mine[0], theirs[row], err_msg=f"{name_} {t}")
        np.testing.assert_array_equal(one.reasons[0], whole.reasons[row])
        assert one.signals() == whole.signals(row)
        for part in ("expected_return", "strength", "newest_volatility", "is_constant"):
            np.testing.assert_array_equal(getattr(newest, part)[0], getattr(fresh, part)[t], err_msg=part)
        held = one.state_after()
    assert whole.weights.any()
