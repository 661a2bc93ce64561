"""The README keeps up with the code: its examples run, and it names every setting and strategy."""

import re
from pathlib import Path

import pytest

from configs.settings import find
from configs.strategy import StrategyConfig
from training.strategy import check_past_only, decide
from training.strategy.catalog import catalog

ROOT = Path(__file__).parents[3]
TEXT = (ROOT / "training" / "strategy" / "README.md").read_text()
TALK, OWN = re.findall(r"^```python\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)


def test_every_setting_and_strategy_is_named():
    for setting in find("strategy"):
        assert f"`{setting.path.removeprefix('strategy.')}`" in TEXT or setting.path == "strategy.name", setting.path
    assert all(f"`{name}`" in TEXT for name in catalog())


@pytest.mark.slow
def test_the_example_runs(capsys):
    exec(compile(TALK, "README.md", "exec"), {"__name__": "readme"})
    assert "position" in capsys.readouterr().out


def test_the_own_strategy_runs(random_view, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "own_readme.py").write_text(OWN)
    settings = StrategyConfig(name="own_readme:Momentum", parameters={"bars": 60})
    assert decide(random_view(0), settings).weights.any()
    check_past_only(random_view(0), settings, dates=2)


@pytest.mark.parametrize(
    "name", ["Decisions", "ForecastView", "PortfolioState", "Signal", "Targets", "decide", "read_view"]
)
def test_public_names_are_importable(name):
    import training.strategy

    assert getattr(training.strategy, name).__doc__ and name in dir(training.strategy)
