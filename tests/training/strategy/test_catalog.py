"""A user's own strategy, and the errors of a wrong one."""

import pytest

from configs.errors import ConfigError
from configs.load import load_config
from configs.strategy import StrategyConfig
from training.strategy.pipeline import decide

OWN = '''
import sys

import numpy as np


class Momentum:
    """Long what rose over so many bars."""

    needs = ("volatility",)

    def __init__(self, bars=3):
        self.bars = bars

    def targets(self, view):
        rise = np.full(view.shape, np.nan)
        rise[self.bars :] = view.close[self.bars :] / view.close[: -self.bars] - 1.0
        return np.sign(rise)


class Wrong:
    def targets(self, view):
        return self.answer

    def __init__(self, answer="x"):
        self.answer = answer


class Double:
    def targets(self, view):
        return 2.0 * np.ones(view.shape)


class Endless:
    def targets(self, view):
        return np.full(view.shape, np.inf)


class Leaver:
    def __init__(self, early=False):
        early and sys.exit(3)

    def targets(self, view):
        sys.exit(3)


class Rankless:
    def rank(self, view):
        return 0


class Needy:
    needs = ("news",)

    def targets(self, view):
        return 0


class Word(Needy):
    needs = "volatility"
'''


@pytest.fixture
def own(tmp_path, monkeypatch):
    name = f"own_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    return name


def test_an_own_strategy_is_a_class_in_the_working_directory(own, random_view):
    view = random_view(0)
    settings = StrategyConfig(name=f"{own}:Momentum", parameters={"bars": 5}, short=False)
    made = decide(view, settings)
    assert made.weights.any() and (made.weights >= 0).all()
    rose = view.close[made.first :] > view.close[made.first - 5 : -5]
    target = made.targets().to_numpy()
    assert not target[~rose & view.has_bar[made.first :]].any()
    assert made.why()["short positions are off"] > 0


@pytest.mark.parametrize(
    ("name", "parameters", "message"),
    [
        ("directon", {}, "Did you mean 'direction'"),
        ("missing_module:Class", {}, "cannot be imported.*working directory"),
        ("{own}:Missing", {}, "cannot be imported"),
        ("{own}:np", {}, "is module without a method targets"),
        ("{own}:Rankless", {}, "without a method targets"),
        ("{own}:Needy", {}, "needs has value"),
        ("{own}:Word", {}, "needs has value 'volatility'; expected a tuple of some of 'direction' and 'volatility'"),
        ("{own}:Momentum", {"days": 3}, "strategy.parameters"),
        ("{own}:Wrong", {}, "targets returned str"),
        ("{own}:Wrong", {"answer": "long"}, "returned str of shape \\(\\) and dtype <U4; expected finite positions"),
        ("{own}:Wrong", {"answer": 1.0}, "of shape \\(\\) and size 1; expected finite positions of shape"),
        ("{own}:Endless", {}, "of shape \\(100, \\d+\\) with [1-9]\\d* infinite values; expected finite positions"),
        ("{own}:Leaver", {}, "targets raised SystemExit: 3"),
        ("{own}:Leaver", {"early": True}, "do not make a .*:Leaver: 3"),
        ("{own}:Double", {}, "size 2; expected finite positions"),
        ("relative_rank", {"share": 0.9}, "share has value 0.9"),
        ("volatility_target", {"x": 1}, "strategy.parameters"),
    ],
)
def test_errors_say_what_is_expected(own, random_view, name, parameters, message):
    settings = StrategyConfig(name=name.format(own=own), parameters=parameters)
    with pytest.raises(ConfigError, match=message):
        decide(random_view(0, days=100), settings)


def test_kelly_needs_a_direction(random_view):
    with pytest.raises(ConfigError, match=r"size\.method is kelly"):
        decide(random_view(0, days=100), StrategyConfig(size={"method": "kelly"}))


def test_settings_are_read_and_change_no_model():
    plain = load_config("demo")
    changed = load_config(
        "demo", None, ["strategy.name=direction", "strategy.parameters={share: 0.3}", "strategy.caps.gross=2"]
    )
    assert changed.strategy.caps.gross == 2.0 and changed.strategy.parameters == {"share": 0.3}
    assert changed.of_models() == plain.of_models() and "strategy" not in plain.of_runs()
    with pytest.raises(ConfigError, match=r"strategy\.caps\.gross"):
        load_config("demo", None, ["strategy.caps.gross=-1"])
    with pytest.raises(ConfigError, match="Did you mean strategy"):
        load_config("demo", None, ["strategy.caps.groos=1"])


def test_given_weights_are_taken_as_they_are(own, random_view):
    caps = {"name": 3.0, "gross": 20.0, "net": 20.0, "group": 20.0, "volatility": None, "no_trade_band": 0.0}
    settings = StrategyConfig(name=f"{own}:Double", size={"method": "given"}, caps=caps)
    made = decide(random_view(0, halts=0.0), settings)
    assert made.weights[made.reasons == 0] == pytest.approx(2.0)
