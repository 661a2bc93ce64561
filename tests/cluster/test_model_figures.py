"""Figures of models in tables: ages, sizes, headlines and presets."""

import pytest

from cluster.views.model_figures import age, headline, preset_of, size
from configs import load_config, preset_names
from configs.errors import ModelError
from training.registry.manager import ModelManager


@pytest.mark.parametrize(
    ("seconds", "text"), [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (7200, "2 h"), (200_000, "2 d")]
)
def test_age(seconds: float, text: str) -> None:
    assert age(seconds) == text


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (5 * 2**40, "5120.0 GiB")]
)
def test_size(count: float, text: str) -> None:
    assert size(count) == text


def test_a_headline_has_a_number_with_its_baseline_and_error_if_they_are_known() -> None:
    assert headline("direction", {}) == "" and headline("direction", {"nothing": 1}) == headline("other", {}) == ""
    assert headline("direction", {"log_loss": None}) == "log loss –"
    assert headline("volatility", {"qlike": {"blend": 0.3}}) == ""
    assert headline("volatility", {"qlike": 0.3, "qlike_se": 0.01}) == "QLIKE 0.3000 ± 0.0100"
    members = {"qlike": 0.3, "qlike_lstm": 0.2, "qlike_vs_lstm": 0.1, "qlike_garch": 0.4, "qlike_vs_garch": -0.1}
    assert headline("volatility", members) == "QLIKE 0.3000, garch 0.4000 (−0.1000)", "a baseline, not the best member"
    with pytest.raises(ModelError):
        ModelManager("/nonexistent/store").resolve("direction")


@pytest.mark.parametrize("preset", preset_names())
def test_the_preset_is_known_from_the_settings(preset: str) -> None:
    assert preset_of(load_config(preset).of_models()) == preset
    own = load_config(preset, overrides=["data.bars=/some/prices.csv", "run.seed=3", "direction.horizon=9"])
    assert preset_of(own.of_models()) == f"{preset} +1"
    assert preset_of({"run": {"seed": 1}}) is None
