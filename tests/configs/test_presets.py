"""Presets are valid, and those of the embedded bars do not date other bars."""

import datetime as dt
from pathlib import Path

import pytest
import yaml

from configs import Config, SplitConfig, config_hash, load_config, preset_names


def leaves(values: dict[str, object], prefix: str = "") -> dict[str, object]:
    flat: dict[str, object] = {}
    for key, value in values.items():
        flat |= leaves(value, f"{prefix}{key}.") if isinstance(value, dict) and value else {f"{prefix}{key}": value}
    return flat


@pytest.mark.parametrize("preset", preset_names())
def test_every_preset_is_valid_and_begins_with_its_purpose(preset: str) -> None:
    config = load_config(preset)
    path = Path(__file__).parents[2] / "configs" / "presets" / f"{preset}.yaml"
    assert path.read_text().startswith("# ")
    for place, value in leaves(yaml.safe_load(path.read_text())).items():
        found: object = config.model_dump()
        for key in place.removeprefix("with_embedded_bars.").split("."):
            found = found[key]  # type: ignore[index]
        assert (list(found) if isinstance(found, tuple) else found) == value


def test_the_presets_of_the_command_line_exist() -> None:
    assert set(preset_names()) >= {"demo", "smoke", "equities", "gpu"}
    assert load_config("gpu").run.use_gpu and not load_config("demo").run.use_gpu


@pytest.mark.parametrize("preset", preset_names())
def test_a_resolved_config_survives_json(preset: str) -> None:
    config = load_config(preset)
    again = Config.model_validate_json(config.model_dump_json())
    assert again == config
    assert config_hash(again.model_dump(mode="json")) == config_hash(config.model_dump(mode="json"))


@pytest.mark.parametrize("preset", ["demo", "smoke"])
def test_dates_and_market_series_of_the_embedded_bars_are_not_those_of_other_bars(preset: str, tmp_path: Path) -> None:
    embedded = load_config(preset)
    assert embedded.split.train_end == dt.date(2009, 12, 31)
    (tmp_path / "own.yaml").write_text("data: {bars: prices.csv}")
    for config in (load_config(preset, overrides=["data.bars=lake"]), load_config(preset, tmp_path / "own.yaml")):
        assert config.split == SplitConfig() and not config.data.context.kinds
        assert (config.direction, config.data.min_bars) == (embedded.direction, embedded.data.min_bars)
    given = load_config(preset, overrides=["data.bars=lake", "split.train_end=2020-12-31"])
    assert given.split == SplitConfig(train_end=dt.date(2020, 12, 31))


def test_without_a_preset_the_bars_decide_wherever_they_are_given(tmp_path: Path) -> None:
    (tmp_path / "own.yaml").write_text("data: {bars: prices.csv}")
    (tmp_path / "embedded.yaml").write_text("data: {bars: embedded}")
    equities = load_config("equities").run
    assert load_config().run == load_config("demo").run != equities
    assert load_config(overrides=["data.bars=lake"]).run == load_config(file=tmp_path / "own.yaml").run == equities
    assert load_config(file=tmp_path / "embedded.yaml") == load_config("demo")
    assert load_config(file=tmp_path / "own.yaml", overrides=["data.bars=embedded"]) == load_config("demo")
