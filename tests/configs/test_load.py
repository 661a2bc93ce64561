import datetime as dt
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from configs import ConfigError, config_hash, load_config, preset_names
from configs.load import flat_overrides


def refusal(*overrides: str, preset: str = "demo", file: Path | None = None) -> str:
    with pytest.raises(ConfigError) as caught:
        load_config(preset, file, overrides)
    message = str(caught.value)
    assert "\n" not in message and len(message) < 500
    return message


def test_a_file_overrides_the_preset_and_set_overrides_both(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("direction: {fit: {epochs: 9, patience: 2}}\nrun: {seed: 1}\n")
    config = load_config("smoke", file, ["direction.fit.epochs=4", "run.seed=2", "run.seed=3"])
    assert (config.direction.fit.epochs, config.direction.fit.patience, config.run.seed) == (4, 2, 3)
    smoke = load_config("smoke")
    assert config.direction.fit.pooled_rows == smoke.direction.fit.pooled_rows == 4000
    assert config.volatility == smoke.volatility


def test_each_problem_names_the_place_that_its_value_comes_from(tmp_path: Path) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text("run: {seed: -1, workers: 0}\n")
    message = refusal("run.seed=x", "direction.horizon=0", file=file)
    assert "mine.yaml': run.workers has value 0" in message
    assert "--set run.seed=x: run.seed" in message and "--set direction.horizon=0: direction.horizon" in message
    dates = refusal("split.test_end=2009-12-01", preset="smoke")
    assert dates.startswith("preset 'smoke' and --set split.test_end=2009-12-01: split: train_end ≤ valid_end")
    assert "valid_end 2010-12-31" in dates


def test_an_empty_file_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_config("demo", tmp_path / "empty.yaml") == load_config("demo")


@pytest.mark.parametrize(
    ("override", "place", "value"),
    [
        ("data.symbols=[ON, NO, ^GSPC, 'Y']", "data.symbols", ("ON", "NO", "^GSPC", "Y")),
        ("data.start=2014-12-31", "data.start", dt.date(2014, 12, 31)),
        ("data.start=null", "data.start", None),
        ("data.bars=s3://bucket/a=b.parquet", "data.bars", "s3://bucket/a=b.parquet"),
        ("run.use_gpu=true", "run.use_gpu", True),
        ("direction.fit.learning_rate=1e-3", "direction.fit.learning_rate", 0.001),
        ("volatility.members=[garch]", "volatility.members", ("garch",)),
        ("data.context.kinds={vix: level}", "data.context.kinds", {"vix": "level"}),
        ("data.context.lag_days.cpi=30", "data.context.lag_days", {"cpi": 30}),
    ],
)
def test_override_values_are_read_as_yaml(override: str, place: str, value: object) -> None:
    found: object = load_config("equities", overrides=[override])
    for key in place.split("."):
        found = getattr(found, key)
    assert found == value


def test_overrides_of_a_mapping_add_to_earlier_ones() -> None:
    config = load_config("equities", overrides=["data.context.kinds.vix=level", "data.context.kinds.oil=price"])
    assert config.data.context.kinds == {"vix": "level", "oil": "price"}


def test_an_architecture_that_cannot_be_built_is_refused() -> None:
    assert "must be a multiple of attention_heads" in refusal("direction.network.lstm_units=[32, 6]")
    assert "volatility.network.lstm_units" in refusal("volatility.network.lstm_units=[]")


@pytest.mark.slow
@given(st.integers(0, 10**6), st.floats(1e-6, 1.0), st.sampled_from(["per_symbol", "pooled", "finetuned"]))
def test_the_order_of_overrides_of_different_settings_does_not_matter(seed: int, rate: float, strategy: str) -> None:
    overrides = [f"run.seed={seed}", f"direction.fit.learning_rate={rate!r}", f"volatility.strategy={strategy}"]
    config = load_config("demo", overrides=overrides)
    assert (config.run.seed, config.direction.fit.learning_rate, config.volatility.strategy) == (seed, rate, strategy)
    assert load_config("demo", overrides=reversed(overrides)) == config


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("run.sead=1", "--set run.sead=1: run.sead is not a setting. Did you mean run.seed?"),
        ("horizon=5", "horizon is not a setting. Did you mean direction.horizon or volatility.horizon?"),
        ("direction.horizn=5", "Did you mean direction.horizon?"),
        ("nope.x=1", "nope is not a setting. The configuration has data, features, split"),
        ("direction.network.layers.size=3", "direction.network.layers is not a setting. direction.network has window,"),
        ("run.seed=-1", "--set run.seed=-1: run.seed has value -1; expected a whole number ≥ 0 and < 4,294,967,296."),
        ("run.seed=abc", "run.seed has value 'abc'"),
        ("direction.fit.epochs=0", "direction.fit.epochs has value 0"),
        ("direction.fit.learning_rate=.inf", "direction.fit.learning_rate has value inf"),
        ("direction.label.k=.nan", "direction.label.k has value nan"),
        ("direction.strategy=best", "direction.strategy has value 'best'; expected per_symbol, pooled or finetuned."),
        ("data=3", "data has value 3"),
        ("data.start=2014-13-01", "'2014-13-01' is not valid YAML"),
        ("data.symbols=AAPL", "data.symbols has value 'AAPL'"),
        ("data.symbols=[A, B, A]", "each name may occur once, but A is repeated"),
        ("run.kinds=[]", "run.kinds has value []"),
        ("run.kinds=[direction, direction]", "direction is repeated"),
        ("serve.max_age_days=0", "serve.max_age_days has value 0: expected calendar, or a number of days"),
        ("backtest.delisted={AAA:-0.5}", "in YAML a space follows the colon: 'AAA: -0.5'"),
        ("serve.max_age_days=null", "serve.max_age_days has value null: expected calendar, or a number of days"),
        ("volatility.members=[]", "volatility.members has value []"),
        ("features.lookback_periods=[20, 5]", "such as [5, 20, 60]"),
        ("split.test_end=2001-01-01", "train_end ≤ valid_end ≤ test_start ≤ test_end"),
        ("split.valid_fraction=0.9", "must leave something to train on"),
        ("run.seed=[1", "--set run.seed: value '[1' is not valid YAML"),
        ("run.seed=!!python/object/apply:os.getcwd []", "is not valid YAML"),
        ("run.seed", "--set 'run.seed' is not of the form section.key=value"),
        ("run..seed=1", "is not of the form"),
        ("=1", "is not of the form"),
        ("run.seed=[" + "x, " * 5000 + "]", "run.seed has value"),
        ("data.symbols=IBM", "data.symbols has value 'IBM'; expected a list of text, such as [IBM]."),
        ("data.bars=3", "data.bars has value 3; expected text or non-empty list of text."),
        ("deploy.name=A", "deploy.name has value 'A'; expected text of the form ^[a-z]"),
        (
            "data.context.kinds={range: index}",
            "data.context.kinds.range has value 'index'; expected level, price or rate",
        ),
        ("tune.space={direction.horizon: {low: 2, hihg: 3}}", "tune.space.direction.horizon.hihg has no meaning"),
        ("tune.space={direction.horizon: {low: 2}}", "tune.space.direction.horizon.high is missing; expected a number"),
    ],
)
def test_a_wrong_override_is_one_line_that_names_the_setting_and_the_remedy(override: str, expected: str) -> None:
    assert expected in refusal(override)


def test_a_problem_that_follows_from_another_is_not_reported() -> None:
    assert "at least 1" not in refusal("run.kinds=[price]")


def test_one_error_reports_all_problems() -> None:
    message = refusal("run.seed=-1", "direction.horizon=0")
    assert "run.seed" in message and "direction.horizon" in message


def test_an_unknown_preset_names_those_that_exist() -> None:
    for preset in ("nope", "../presets/demo", ""):
        assert all(name in refusal(preset=preset) for name in preset_names())


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[1, 2]", "is a list; expected sections"),
        (b"run: [", "is not valid YAML"),
        (b"data: {start: 2014-02-30}", "is not valid YAML"),
        (b"\xff\xfe\x00", "cannot be read"),
        (b"run: {sead: 1}", "run.sead is not a setting"),
        (b"data:\n", "data has value null; expected a section with bars"),
        (b"1: 2", "1 is not a setting; names of settings are text"),
    ],
)
def test_a_wrong_file_is_one_line_that_names_it(tmp_path: Path, content: bytes, expected: str) -> None:
    file = tmp_path / "mine.yaml"
    file.write_bytes(content)
    message = refusal(file=file)
    assert expected in message and "mine.yaml" in message


def test_a_file_that_is_missing_or_a_folder_is_named(tmp_path: Path) -> None:
    assert "absent.yaml" in refusal(file=tmp_path / "absent.yaml")
    assert str(tmp_path) in refusal(file=tmp_path)


def test_a_config_cannot_change() -> None:
    config = load_config()
    with pytest.raises(ValidationError, match="frozen"):
        config.run.seed = 3
    with pytest.raises(ValidationError, match="frozen"):
        config.run = config.run


def test_equal_values_have_equal_hashes_and_different_ones_different() -> None:
    assert config_hash({"a": 1, "b": [2.5, None]}) == config_hash({"b": [2.5, None], "a": 1})
    assert len({config_hash({"a": 1}), config_hash({"a": 2}), config_hash({"a": 1}, "x"), config_hash([{"a": 1}])}) == 4
    assert len(config_hash("x")) == 12 and int(config_hash("x"), 16) >= 0


def test_flat_overrides_make_the_configuration_of_the_file(tmp_path: Path) -> None:
    values = {
        "run": {"seed": 3, "workers": None},
        "data": {"symbols": ["BRK B", "ON"], "context": {"kinds": {"VIX": "level"}, "lag_days": {}}},
        "split": {"test_end": "2018-12-31"},
    }
    file = tmp_path / "own.yaml"
    file.write_text(yaml.safe_dump(values))
    assert load_config("demo", overrides=flat_overrides(values)) == load_config("demo", file)
    assert "run.seed=3" in flat_overrides(values)


def test_the_number_of_workers_is_not_a_setting_of_models():
    one, many = (load_config("smoke", overrides=[f"run.workers={count}", "run.retries=0"]) for count in (1, 64))
    assert one.of_models() == many.of_models() == load_config("smoke").of_models()
    assert load_config("smoke", overrides=["run.seed=9"]).of_models() != one.of_models()
