"""Capital against Sharpe: impact and caps of participation bite as the account grows."""

import numpy as np
import pandas as pd
import pytest

from configs.errors import ConfigError
from training.validation import Costs
from training.validation.backtest.capital_capacity import capacity_curve


def test_more_capital_earns_less_a_unit_of_risk():
    g = np.random.default_rng(0)
    days = pd.bdate_range("2020-01-01", periods=300)
    sign = np.repeat(g.choice([-1.0, 1.0], 60), 5)
    close = 100 * np.exp(np.cumsum(0.002 * np.roll(sign, 1) + g.normal(0, 0.01, 300)))
    bars = pd.DataFrame({"Open": close, "High": close, "Low": close, "Close": close, "Volume": 1e5}, index=days)
    targets = pd.Series(sign, index=days, name="X")
    costs = Costs(impact=1.0, participation_cap=0.1)
    curve = capacity_curve(bars, targets, costs, [1e4, 1e6, 1e8], 252)
    assert curve.index.tolist() == [1e4, 1e6, 1e8]
    assert curve["sharpe"].is_monotonic_decreasing and curve["filled"].is_monotonic_decreasing
    assert curve["filled"].iloc[0] == 1 and curve["filled"].iloc[-1] < 0.5
    shares = capacity_curve(bars, targets * 100, costs, [1e4, 1e8], 252, unit="shares", cash=1e4)
    assert shares["sharpe"].is_monotonic_decreasing
    with pytest.raises(ConfigError, match="capitals"):
        capacity_curve(bars, targets, costs, [], 252)
