"""Serving compares symbols with the universe that training compared them with."""

from dataclasses import replace

import numpy as np
import pytest

from features.store.lake import Lake
from features.store.store import Store
from serving.answers import PredictionRequest
from serving.engine import PredictionEngine
from training import ModelTrainer

pytestmark = pytest.mark.slow


def test_symbols_that_are_too_short_to_train_and_broken_ones_count_alike_in_both(make_universe, tiny_config, tmp_path):
    store, bars = Store(tmp_path), {one.symbol: one for one in make_universe("ABCDEF", bars=600, seed=4)}
    bars["E"] = bars["E"].last(220)  # no training windows
    prices = {name: getattr(bars["F"], name).copy() for name in ("open", "high", "low", "close")}
    for values in prices.values():
        values[300] *= 100.0  # left out as a spike
    bars["F"] = replace(bars["F"], **prices)
    for one in bars.values():
        Lake(store).append(one)
    config = tiny_config("data.bars=lake", "features.max_features=null", "features.technical_indicators=[cross_asset]")
    (result,) = ModelTrainer(config, store).train_multi_asset_models([], ["volatility"]).results
    assert "E" in dict(result.skipped) and sorted(result.newest) == ["A", "B", "C", "D", "F"]
    with PredictionEngine(store, follow=False, alias=result.version) as engine:
        for symbol, trained in result.newest.items():
            served = engine.predict_single(PredictionRequest(symbol))
            np.testing.assert_allclose(served.volatility.annualised, trained["volatility"], rtol=1e-6)
        pooled = engine.predict_single(PredictionRequest("E", prediction_types=["volatility"]))
        assert pooled.error is None and pooled.volatility.basis == "pooled"
