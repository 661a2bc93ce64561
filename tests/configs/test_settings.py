"""Every setting is described, and the command line shows it."""

import json

import pytest

from configs import ConfigError, load_config
from configs.settings import all_settings, find, sections


def test_every_setting_and_section_has_a_meaning_and_a_type_in_words() -> None:
    for setting in all_settings().values():
        assert setting.meaning.endswith("."), setting.path
        assert setting.type and "Annotated" not in setting.type and "<" not in setting.type.replace("< ", "")
    assert all(text.endswith(".") for text in sections().values())


def test_every_default_is_accepted_as_an_override() -> None:
    written = [f"{path}={json.dumps(setting.default)}" for path, setting in all_settings().items()]
    assert load_config("equities", overrides=written).serve == load_config("demo").serve


@pytest.mark.parametrize(
    ("key", "says"), [("horizon", "direction.horizon or volatility.horizon"), ("x.y", "config show")]
)
def test_a_key_that_does_not_exist_says_what_does(key: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        find(key)


def test_a_section_is_all_of_its_settings() -> None:
    assert find("direction.label")[0].path == "direction.label.mode"
    assert find("run.seed")[0].type == "whole number ≥ 0 and < 4,294,967,296" and find("run.seed")[0].default == 7
    assert find("data.context.kinds")[0].type == "mapping of text to (level, price or rate)"
