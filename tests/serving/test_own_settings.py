"""Symbols with settings of their own are trained, kept, loaded and served beside the others, as one version."""

import numpy as np
import pytest

from configs.errors import ModelError
from features.store.lake import Lake
from features.store.store import Store
from serving.answers import PredictionRequest
from serving.engine import PredictionEngine
from training import ModelManager, ModelTrainer
from training.predictors import predictor_from_block
from training.predictors.join import load_fleet
from training.predictors.mixed import MixedFleet

SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
OWN = (
    "own=[{kind: direction, symbols: [BBB, EEE, GONE], found: study/4, values: {direction.network.window: 8, "
    "direction.network.lstm_units: [8], features.clip: 3.0}}, "
    "{kind: direction, symbols: [CCC], values: {direction.strategy: per_symbol, direction.network.window: 3}}, "
    "{kind: volatility, symbols: [AAA], values: {volatility.network.window: 9, volatility.forest.max_depth: 2}}]"
)


@pytest.fixture(scope="module")
def trained(bars_of, tiny_config, tmp_path_factory):
    """A store with a version of each kind in which symbols have settings of their own."""
    store = Store(tmp_path_factory.mktemp("own") / "store")
    for symbol in SYMBOLS:
        Lake(store).append(bars_of(symbol, 480))
    config = tiny_config("data.bars=lake", "run.block_symbols=2", OWN)
    for one in ModelTrainer(config, store).train_multi_asset_models(promote="always").results:
        assert one.version and set(one.per_symbol) == set(SYMBOLS) and not one.failed
    return store


@pytest.fixture(scope="module")
def engine(trained):
    with PredictionEngine(trained, follow=False) as made:
        yield made


@pytest.fixture(scope="module")
def bars(bars_of):
    return {symbol: bars_of(symbol, 480) for symbol in SYMBOLS}


@pytest.fixture(scope="module")
def said(trained, bars):
    """What the block of each symbol says of its bars, by kind and symbol."""
    names = {"direction": "price_direction", "volatility": "volatility"}
    load = ModelManager(trained).load_model
    given = list(bars.values())
    return {
        kind: {symbol: load(f"{name}_{symbol}").predict(given).loc[[symbol]] for symbol in SYMBOLS}
        for kind, name in names.items()
    }


def test_each_symbol_has_its_settings(trained):
    manager = ModelManager(trained)
    own = manager.latest("direction")
    config = manager.manifest("direction", own).config
    assert (config["own"][0]["found"], config["own"][0]["symbols"]) == ("study/4", ["BBB", "EEE", "GONE"])
    windows, clips, strategies = {}, {}, {}
    for symbol in SYMBOLS:
        block = predictor_from_block(manager.load_block("direction", own, symbol), [symbol])
        part = block.config.direction
        windows[symbol], strategies[symbol] = part.network.window, part.strategy
        clips[symbol] = block.config.features.clip
        assert block.config.own == ()
    assert windows == {"AAA": 5, "BBB": 8, "CCC": 3, "DDD": 5, "EEE": 8}
    assert clips == {"AAA": 5.0, "BBB": 3.0, "CCC": 5.0, "DDD": 5.0, "EEE": 3.0}
    assert strategies == {symbol: "per_symbol" if symbol == "CCC" else "pooled" for symbol in SYMBOLS}


@pytest.mark.parametrize("kind", ["direction", "volatility"])
def test_the_server_answers_as_each_symbols_block_does(engine, said, bars, kind):
    assert isinstance(engine.state.fleets[kind].predictor, MixedFleet)
    requests = [PredictionRequest(symbol) for symbol in reversed(SYMBOLS)]
    requests += [PredictionRequest(symbol, one) for symbol, one in bars.items()] * 2
    for request, answer in zip(requests, engine.predict_batch(requests), strict=True):
        row, found = said[kind][request.symbol].iloc[-1], answer.prediction
        if kind == "direction":
            chances = found.direction.probabilities
            ours, theirs = (chances.down, chances.sideways, chances.up), row[["down", "sideways", "up"]]
        else:
            ours = found.volatility.annualised, found.volatility.low, found.volatility.high
            theirs = row[["volatility", "volatility_low", "volatility_high"]]
        np.testing.assert_allclose(ours, theirs.to_numpy(float), rtol=1e-5)


def test_a_symbol_needs_as_many_bars_as_its_own_window_does(engine, trained, bars, said):
    """A window of AAA is 5 bars, of BBB 8: what is enough for the one is not for the other."""
    panel = load_fleet(ModelManager(trained), "direction", "champion", {"AAA"}).panel(list(bars.values()))
    enough = panel.warmup + 5
    counts = [("AAA", enough), ("BBB", enough + 2), ("BBB", enough + 3)]
    requests = [PredictionRequest(name, bars[name].first(count), ("direction",)) for name, count in counts]
    first, short, last = engine.predict_batch(requests)
    assert short.error.message == f"{enough + 2} bars; at least {enough + 3} are needed for a forecast"
    for answer, (name, count) in ((first, counts[0]), (last, counts[2])):
        theirs = said["direction"][name].loc[(name, bars[name].dates[count - 1]), "up"]
        assert answer.prediction.direction.probabilities.up == pytest.approx(theirs, rel=1e-4)


def test_history_is_each_symbols_own(engine, said):
    for symbol in ("BBB", "CCC", "DDD"):
        past = engine.history(symbol, 50)["direction"]
        theirs = said["direction"][symbol]["up"].to_numpy()[-len(past["up"]) :]
        np.testing.assert_allclose(past["up"], theirs, rtol=1e-4)
        assert sum(past["prior"].values()) == pytest.approx(1.0)


def test_some_symbols_of_such_a_version_are_loaded_alone(trained):
    manager = ModelManager(trained)
    version = manager.latest("direction")
    assert sorted(load_fleet(manager, "direction", version, {"BBB", "EEE"}).symbols) == ["BBB", "EEE"]
    one = load_fleet(manager, "direction", version, {"AAA", "BBB"})
    assert isinstance(one, MixedFleet) and sorted(one.symbols) == ["AAA", "BBB"] and one.window == 8
    with pytest.raises(ModelError, match="a symbol twice"):
        MixedFleet([load_fleet(manager, "direction", version, {"AAA"})] * 2)
