"""Models saved by hand: under a name and a version of one's own, apart from those of training runs."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from configs.errors import ModelError
from features.store.store import encode_symbol
from training import ModelManager, PriceDirectionPredictor, VolatilityPredictor
from training.registry.blocks import read_block, write_block
from training.registry.saved import saved_versions

NAME = "price_direction_aaa"


@pytest.fixture(scope="module")
def config(tiny_config):
    return tiny_config("features.technical_indicators=[trend]", "direction.strategy=per_symbol")


@pytest.fixture(scope="module")
def bars(make_universe):
    return make_universe(("AAA", "BBB"))


@pytest.fixture(scope="module")
def fitted(bars, config):
    return PriceDirectionPredictor(config).fit(bars)


@pytest.fixture
def manager(tmp_path):
    return ModelManager(str(tmp_path / "store"))


def test_a_saved_model_is_the_model(manager, fitted, bars):
    assert manager.save_model(fitted, NAME, version="v1.0") == "v1.0"
    for version in ("v1.0", "latest", None):
        loaded = ModelManager(manager.store).load_model(
            NAME.upper().replace("PRICE_DIRECTION", "price_direction"), version
        )
        assert loaded.symbols == ("AAA",)
        assert loaded.predict(bars).equals(fitted.predict(bars).loc[["AAA"]])
    assert manager.kinds() == [], "runs and what is served do not see it"


def test_the_model_saved_last_is_the_latest_even_if_the_clock_was_set_back(manager, fitted):
    manager.save_model(fitted, NAME, "v1")
    prefix, tomorrow = f"saved/{encode_symbol(NAME.upper())}/v1", datetime.now(UTC) + timedelta(days=1)
    block = read_block(manager.store, prefix)
    write_block(manager.store, prefix, replace(block, metrics={"saved": tomorrow.isoformat()}))
    manager.save_model(fitted, NAME, "v0")
    assert list(saved_versions(manager.store, NAME)) == ["v1", "v0"]
    manager.store.write(f"{prefix}.json", b"damaged")
    manager.save_model(fitted, NAME, "v1", overwrite=True)
    assert list(saved_versions(manager.store, NAME)) == ["v0", "v1"]


def test_bars_without_a_name_get_the_one_of_the_model(manager, bars, config):
    lone = PriceDirectionPredictor(config).fit(bars[0], symbol="SYMBOL")
    manager.save_model(lone, "price_direction_brk-b")
    assert manager.load_model("price_direction_BRK-B").symbols == ("BRK-B",)


@pytest.mark.slow
def test_versions_are_kept_and_the_latest_is_the_newest(manager, fitted, bars, config):
    other = PriceDirectionPredictor(config, sequence_length=6).fit(bars)
    manager.save_model(fitted, NAME, "v2")
    manager.save_model(fitted, NAME, "v2")
    manager.save_model(other, NAME, "v1")
    assert manager.load_model(NAME, "latest").window == 6 and manager.load_model(NAME, "v2").window == 5
    with pytest.raises(ModelError, match=r"v2 exists and differs\. Choose another version, or overwrite=True"):
        manager.save_model(other, NAME, "v2")
    manager.save_model(other, NAME, "v2", overwrite=True)
    assert manager.load_model(NAME, "v2").window == 6
    with pytest.raises(ModelError, match=f"^{NAME} is not saved as 'v3', but as v1, v2"):
        manager.load_model(NAME, "v3")
    with pytest.raises(ModelError, match=f"Did you mean {NAME}? It is saved as v1, v2".replace("?", "[?]")):
        manager.load_model("price_direction_aab")


def test_of_saved_and_trained_models_the_latest_is_the_newest(tmp_path, fitted, tiny_config):
    from training import ModelTrainer

    manager = ModelManager(tmp_path)
    manager.save_model(fitted, "price_direction_aaa", "v1")
    trainer = ModelTrainer(tiny_config("data.min_bars=300", "run.kinds=[direction]"), tmp_path)
    assert [one.kind for one in trainer.train_multi_asset_models("AAPL").results] == ["direction"]
    assert manager.load_model("price_direction_aapl").symbols == ("AAPL",)
    assert manager.load_model("price_direction_aaa").symbols == ("AAA",), "the champion has no such symbol"


@pytest.mark.parametrize(
    ("name", "version", "message"),
    [
        ("aaa", "v1", "'aaa' is no name of a model; expected .*, such as price_direction_aaa"),
        ("volatility_aaa", "v1", "is the name of a volatility model, and a PriceDirectionPredictor is given"),
        ("price_direction_ccc", "v1", "the model's name says 'ccc', and the predictor holds AAA, BBB"),
        (NAME, "latest", "version 'latest' cannot be the name of a saved model"),
        (NAME, "../../x", r"version '\.\./\.\./x' cannot be the name"),
        (NAME, 1.0, r"version 1\.0 cannot be the name"),
    ],
)
def test_mistakes_are_one_clear_error(manager, fitted, name, version, message):
    with pytest.raises(ModelError, match=message):
        manager.save_model(fitted, name, version)
    assert manager.store.entries() == []


def test_only_fitted_predictors_are_saved(manager):
    with pytest.raises(ModelError, match="a VolatilityPredictor that is not fitted is given"):
        manager.save_model(VolatilityPredictor(), "volatility_aaa")
    with pytest.raises(ModelError, match="a str that is not fitted is given"):
        manager.save_model("model", NAME)
