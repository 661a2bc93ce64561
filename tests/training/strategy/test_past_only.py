"""Check 25: later bars and forecasts change nothing of what was decided, bit for bit."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ConfigError
from configs.strategy import StrategyConfig
from training.strategy.pipeline import decide, skill_of
from training.strategy.regime import fit_regimes, forward_filter
from training.strategy.strategy_look_ahead import check_past_only

PROVEN = {"level": 0.5, "min_days": 20, "cost_bps": 0.5}
NAMES = ("volatility_target", "direction", "direction_x_volatility", "relative_rank")


def configured(name, **more):
    return StrategyConfig(
        name=name,
        filter=PROVEN,
        max_age=1,
        regime={"states": 3, "turbulent_size": 0.5},
        stops={"touch_probability": 0.1, "profit_probability": 0.2},
        caps={"turnover": 0.4, "group_correlation": 0.2},
        **more,
    )


@pytest.mark.slow
@given(st.sampled_from(NAMES), st.integers(85, 199), st.integers(0, 3))
@settings(max_examples=12)
def test_decisions_of_a_date_are_those_of_the_table_cut_there(random_view, name, stop, seed):
    view = random_view(seed, skill=0.5)
    whole, cut = decide(view, configured(name)), decide(view.until(stop), configured(name))
    assert whole.weights.any()
    for name, mine, theirs in zip(whole.path._fields, whole.path, cut.path, strict=True):
        np.testing.assert_array_equal(mine[: len(theirs)], theirs, err_msg=name)
    np.testing.assert_array_equal(whole.reasons[: len(cut.reasons)], cut.reasons)
    np.testing.assert_array_equal(whole.regime[: len(cut.regime)], cut.regime)
    assert whole.signals(len(cut.weights) - 1) == cut.signals()


@pytest.mark.parametrize("name", NAMES)
def test_a_bot_that_decides_on_the_newest_date_does_what_the_backtest_did(random_view, name):
    view = random_view(5, skill=0.5)
    whole = decide(view, configured(name))
    for row in (-1, -2, -20):
        one = decide(view, configured(name), held=whole.state_before(row), first=row)
        for mine, theirs in zip(whole.path, one.path, strict=True):
            np.testing.assert_array_equal(theirs, mine[row:])
        np.testing.assert_array_equal(one.reasons, whole.reasons[row:])


def test_changed_future_changes_nothing_that_is_measured(random_view):
    view = random_view(1, skill=0.5)
    close = view.close.copy()
    close[150:] *= 1.5
    moved = replace(view, close=close, bar_variance=np.where(np.arange(200)[:, None] < 150, view.bar_variance, 1.0))
    for relative in (False, True):
        for mine, theirs in zip(
            skill_of(view, configured("direction").filter, relative),
            skill_of(moved, configured("direction").filter, relative),
            strict=True,
        ):
            np.testing.assert_array_equal(mine[:150], theirs[:150])
    for name in ("expected_return", "strength", "log_variance", "is_constant"):
        np.testing.assert_array_equal(getattr(view, name)[:150], getattr(moved, name)[:150], err_msg=name)


def test_regimes_are_filtered_and_not_smoothed():
    rng = np.random.default_rng(0)
    x = np.concatenate([rng.normal(-10, 0.5, 200), rng.normal(-7, 0.5, 50), rng.normal(-10, 0.5, 50)])[:, None]
    regimes = fit_regimes(x[:240], 2)
    p = forward_filter(x, regimes)
    assert p[:190].mean(axis=0)[0, 1] < 0.6 and p[205:245, 0, 1].min() > 0.9
    np.testing.assert_array_equal(forward_filter(x[:220], regimes), p[:220])
    plain = np.full(2, 0.5)
    for t in range(60):  # the recursion as it is written
        density = np.exp(-0.5 * ((x[t, 0] - regimes.mean[0]) / regimes.spread[0]) ** 2) / regimes.spread[0]
        plain = density * (regimes.transition[0].T @ plain)
        plain /= plain.sum()
    np.testing.assert_allclose(p[59, 0], plain, rtol=1e-9)


OWN = """
import numpy as np

class Seer:
    def targets(self, view):
        return np.sign(np.append(view.close[1:], view.close[-1:], axis=0) - view.close)

class Mean:
    def targets(self, view):
        return np.sign(view.close - np.nanmean(view.close, axis=0))

class Dice:
    def targets(self, view):
        return np.random.default_rng().choice([-1.0, 1.0], size=view.shape)

class Careless:
    def targets(self, view):
        view.close[:] = 1.0
        view.volatility[:] = 1.0
        return np.ones(view.shape)

class Broken:
    def targets(self, view):
        return {}["missing"]
"""


def test_a_strategy_that_uses_the_future_is_named(random_view, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_seer.py").write_text(OWN)
    for name in ("Seer", "Mean"):
        with pytest.raises(ConfigError, match=r"uses the future: its position in S\d on 2020-"):
            check_past_only(random_view(0), StrategyConfig(name=f"own_seer:{name}"))
    for name in NAMES:
        check_past_only(random_view(0, skill=0.5), configured(name), dates=2)
    with pytest.raises(
        ConfigError, match=r"own_seer:Dice returns other positions each time .* Seed its random numbers"
    ):
        check_past_only(random_view(0), StrategyConfig(name="own_seer:Dice"))


def test_a_class_of_the_user_that_raises_is_named_with_its_line_and_cannot_change_the_view(
    random_view, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_careless.py").write_text(OWN)
    view = random_view(0)
    found = decide(view, StrategyConfig(name="own_careless:Careless"))
    np.testing.assert_array_equal(found.weights, decide(view, StrategyConfig(name="volatility_target")).weights)
    assert found.weights.any() and np.nanstd(view.close) > 0
    line = 1 + OWN.splitlines().index('        return {}["missing"]')
    with pytest.raises(ConfigError, match=rf"targets raised KeyError: 'missing' \(line {line} of .*own_careless.py\)"):
        decide(view, StrategyConfig(name="own_careless:Broken"))
