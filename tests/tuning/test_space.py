"""Spaces contain the defaults, every draw from them is a valid configuration, and ``tune.space`` changes them."""

import optuna
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from configs import load_config
from configs.errors import ConfigError
from configs.space import Choice, Range, decoded, encoded
from tuning.space import configured, defaults, distributions, setting, space_of

KINDS = ("direction", "volatility")
STRATEGIES = ("per_symbol", "pooled", "finetuned")


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_every_draw_makes_a_valid_configuration_with_its_values(kind, strategy, seed):
    config = load_config(overrides=[f"{kind}.strategy={strategy}"])
    space = space_of(config, kind)
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=seed))
    drawn = study.ask(distributions(space)).params
    made = configured(config, drawn)
    assert {path: encoded(setting(made, path)) for path in space} == drawn
    assert {path.partition(".")[0] for path in space} == {kind}
    assert made.features == config.features and made.data == config.data


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("preset", ["demo", "equities", "gpu"])
def test_spaces_contain_the_values_of_presets(kind, preset):
    config = load_config(preset)
    space = space_of(config, kind)
    values = defaults(config, space)
    assert values is not None and configured(config, values) == config


def test_horizon_and_labels_are_never_varied():
    for kind in KINDS:
        assert not any("horizon" in path or "label" in path for path in space_of(load_config(), kind))


def test_members_that_an_ensemble_lacks_are_not_varied():
    space = space_of(load_config(overrides=["volatility.members=[linear, boosting]"]), "volatility")
    assert all(name.startswith("volatility.boosting.") for name in space) and len(space) == 3


def test_tune_space_narrows_adds_and_drops_settings():
    config = load_config(
        overrides=[
            "tune.space={direction.fit.learning_rate: {low: 0.001, high: 0.002}, direction.network.window: null,"
            " features.max_features: {values: [20, 40]}, volatility.fit.learning_rate: {low: 1, high: 2}}"
        ]
    )
    space = space_of(config, "direction")
    assert space["direction.fit.learning_rate"] == Range(low=0.001, high=0.002)
    assert "direction.network.window" not in space and "volatility.fit.learning_rate" not in space
    assert space["features.max_features"] == Choice(values=(20, 40))
    assert defaults(config, space) is None  # the configuration's learning rate is outside


def test_choices_are_validated_as_values_of_their_setting():
    """YAML reads 1e-4 as text."""
    config = load_config(overrides=["tune.space={direction.fit.learning_rate: {values: [1e-4, 5e-4]}}"])
    space = space_of(config, "direction")
    assert space["direction.fit.learning_rate"] == Choice(values=(1e-4, 5e-4))
    assert defaults(config, space)["direction.fit.learning_rate"] == 5e-4


@pytest.mark.parametrize(
    ("path", "says"),
    [
        ("direction.network.depth", "not a setting"),
        ("volatility.nosuch", "not a setting"),
        ("directoin.fit.learning_rate", "not a setting that direction models vary"),
        ("features.lookback_periods", "not a setting that direction models vary"),
        ("run.seed", "not a setting that direction models vary"),
        ("direction.horizon", "models would not compare"),
        ("direction.label.k", "models would not compare"),
    ],
)
def test_a_path_that_trials_cannot_vary_is_refused(path, says):
    config = load_config(overrides=[f"tune.space={{{path}: {{values: [1, 2]}}}}"])
    with pytest.raises(ConfigError, match=says):
        space_of(config, "direction")


@pytest.mark.parametrize(
    "parameter",
    [
        "direction.fit.patience: {low: 1, high: 9}",
        "direction.fit.patience: {low: 0, high: 9, whole: true}",
        "direction.strategy: {values: [pooled, none]}",
        "features.clip: {low: -1, high: 2}",
    ],
)
def test_values_that_a_setting_cannot_have_are_refused_before_any_trial(parameter):
    with pytest.raises(ConfigError, match=parameter.partition(":")[0]):
        space_of(load_config(overrides=[f"tune.space={{{parameter}}}"]), "direction")


@pytest.mark.parametrize(
    "wrong",
    [{"low": 2, "high": 1}, {"low": 0, "high": 1, "log": True}, {"low": 0.5, "high": 2, "whole": True}, {"low": 1}],
)
def test_impossible_ranges_are_refused(wrong):
    with pytest.raises(ValidationError):
        Range(**wrong)
    with pytest.raises(ConfigError, match=r"tune\.space"):
        load_config(overrides=[f"tune.space={{direction.network.window: {wrong}}}".replace("True", "true")])


def test_values_that_together_make_no_valid_configuration_are_refused():
    config = load_config()
    with pytest.raises(ConfigError, match="attention_heads"):
        configured(config, {"direction.network.lstm_units": "[6]", "direction.network.attention_heads": 4})


@given(st.one_of(st.integers(), st.floats(allow_nan=False), st.text(), st.none(), st.lists(st.integers(), max_size=3)))
def test_decoded_inverts_encoded(value):
    if isinstance(value, str) and value.startswith("["):
        return
    assert decoded(encoded(value)) == value
