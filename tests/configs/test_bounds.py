"""Extreme values of every setting are refused in words, immediately, or are values that a run can use."""

import math
from pathlib import Path

import pytest
from processor_time import assert_fast

from configs import ConfigError, load_config
from configs.settings import all_settings

NUMBERS = [path for path, setting in all_settings().items() if "number" in setting.type]
EXTREMES = (
    "1.0e+400",
    "10.0e+30",
    "9" * 31,
    "-1",
    "-9" * 15,
    "0",
    ".nan",
    ".inf",
    "-.inf",
    "1.0e+308",
    "9" * 10,
    "9" * 400,
)


def found(config: object, path: str) -> list[float]:
    for name in path.split("."):
        config = getattr(config, name)
    values = config.values() if isinstance(config, dict) else config if isinstance(config, tuple) else (config,)
    return [value for value in values if isinstance(value, (int, float))]


def shaped(path: str, value: str) -> str:
    kind = all_settings()[path].type
    return f"[{value}]" if "list of" in kind else "{vix: " + value + "}" if "mapping" in kind else value


MONEY = ("backtest.cash", "backtest.capitals")


@pytest.mark.parametrize("path", NUMBERS)
def test_an_extreme_number_is_refused_or_small(path: str) -> None:
    def set_each() -> None:
        for value in EXTREMES:
            try:
                config = load_config("demo", overrides=[f"{path}={shaped(path, value)}"])
            except ConfigError as error:
                assert path in str(error) and "\n" not in str(error) and len(str(error)) < 400
            else:
                most = 10**15 if path in MONEY else 10**9
                assert all(math.isfinite(one) and abs(one) <= most for one in found(config, path)), value

    assert_fast(set_each, 0.5 * len(EXTREMES))


def test_a_list_of_layers_has_an_end() -> None:
    with pytest.raises(ConfigError, match="lstm_units"):
        load_config("demo", overrides=[f"direction.network.lstm_units={[8] * 1000}"])


NINE_LEVELS = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{name}: &{name} [{','.join(['*' + before] * 9)}]\n" for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    "text",
    [
        NINE_LEVELS + "data: {symbols: *i}",
        NINE_LEVELS[: NINE_LEVELS.index("e:")] + "data: {symbols: *d}",
        "[" * 50_000,
        "{a: " * 50_000,
        "- " * 50_000,
        "? " * 50_000,
        "run: &run {seed: *run}",
        "data: {symbols: [" + "[1]," * 3_000 + "]}",
        "a: " * 400_000,
        "run: {seed: " + "9" * 5_000 + "}",
    ],
    ids=lambda text: text[:12],
)
def test_yaml_that_exhausts_a_parser_is_one_error(text: str, tmp_path: Path) -> None:
    def load() -> None:
        file = tmp_path / "hostile.yaml"
        file.write_text(text)
        with pytest.raises(ConfigError) as caught:
            load_config(file=file)
        assert "\n" not in str(caught.value) and len(str(caught.value)) < 3000
        with pytest.raises(ConfigError):
            load_config(overrides=[f"run.seed={text}"])

    assert_fast(load, 10.0)


def test_a_file_without_an_end_is_one_error() -> None:
    with pytest.raises(ConfigError, match="longer than"):
        load_config(file="/dev/zero")


@pytest.mark.parametrize("key", ["a." * 20_000 + "b", "a" * 100_000, "run." + "x" * 100_000])
def test_a_key_of_any_length_is_one_short_error(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_config(overrides=[f"{key}=1"])
    assert len(str(caught.value)) < 1000
