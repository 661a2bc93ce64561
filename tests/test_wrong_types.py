"""Whatever is given in place of what a public name expects, the answer is one of Fleetcast's own errors."""

import warnings

import numpy as np
import pandas as pd
import pytest

from configs.errors import FleetcastError
from features import FeatureEngineer, PurgedWalkForward, load_bars
from serving import FleetcastClient, PredictionEngine, PredictionRequest
from training import EnsemblePredictor, ModelManager, ModelTrainer, PriceDirectionPredictor, VolatilityPredictor
from tuning import HyperparameterOptimizer

WRONG = (3.5, object(), b"x", [[1]], {"a": 1}, {1}, np.zeros((3, 2)), pd.DataFrame({"a": [1]}), pd.Series([1.0]), len)

CALLS = {
    "FeatureEngineer": lambda wrong, p, bars: FeatureEngineer(wrong),
    "engineer_features": lambda wrong, p, bars: FeatureEngineer().engineer_features(wrong),
    "horizon": lambda wrong, p, bars: FeatureEngineer().engineer_features(bars, horizon=wrong),
    "label": lambda wrong, p, bars: FeatureEngineer().engineer_features(bars, label=wrong),
    "load_bars": lambda wrong, p, bars: load_bars(wrong),
    "symbols": lambda wrong, p, bars: load_bars("embedded", wrong),
    "split(X)": lambda wrong, p, bars: PurgedWalkForward(wrong),
    "config": lambda wrong, p, bars: PriceDirectionPredictor(wrong),
    "sequence_length": lambda wrong, p, bars: PriceDirectionPredictor(sequence_length=wrong),
    "lstm_units": lambda wrong, p, bars: PriceDirectionPredictor(lstm_units=wrong),
    "garch_type": lambda wrong, p, bars: VolatilityPredictor(garch_type=wrong),
    "fit": lambda wrong, p, bars: PriceDirectionPredictor(p.config).fit(wrong),
    "fit(X, y)": lambda wrong, p, bars: PriceDirectionPredictor(p.config).fit(wrong, wrong),
    "y": lambda wrong, p, bars: PriceDirectionPredictor(p.config).fit(bars, wrong),
    "split": lambda wrong, p, bars: PriceDirectionPredictor(p.config).fit(bars, split=wrong),
    "predict": lambda wrong, p, bars: p.predict(wrong),
    "context": lambda wrong, p, bars: p.predict(bars, context=wrong),
    "universe": lambda wrong, p, bars: p.predict(bars, universe=wrong),
    "symbol": lambda wrong, p, bars: p.analyze_feature_contributions(bars, wrong),
    "score": lambda wrong, p, bars: p.score(wrong),
    "EnsemblePredictor": lambda wrong, p, bars: EnsemblePredictor([wrong]),
    "seeds": lambda wrong, p, bars: EnsemblePredictor(seeds=[wrong]),
    "ModelManager": lambda wrong, p, bars: ModelManager(wrong),
    "model": lambda wrong, p, bars: ModelManager("nosuch").save_model(wrong, "price_direction_aaa"),
    "name": lambda wrong, p, bars: ModelManager("nosuch").load_model(wrong),
    "version": lambda wrong, p, bars: ModelManager("nosuch").load_model("price_direction_aaa", wrong),
    "ModelTrainer": lambda wrong, p, bars: ModelTrainer(wrong),
    "model_types": lambda wrong, p, bars: ModelTrainer(p.config, "nosuch").train_multi_asset_models([], wrong),
    "HyperparameterOptimizer": lambda wrong, p, bars: HyperparameterOptimizer(wrong),
    "train_data": lambda wrong, p, bars: HyperparameterOptimizer(p.config, "nosuch").optimize_direction_model(wrong),
    "PredictionEngine": lambda wrong, p, bars: PredictionEngine(wrong),
    "max_workers": lambda wrong, p, bars: PredictionEngine(max_workers=wrong),
    "PredictionRequest": lambda wrong, p, bars: PredictionRequest(wrong),
    "prediction_types": lambda wrong, p, bars: PredictionRequest("AAA", prediction_types=wrong),
    "FleetcastClient": lambda wrong, p, bars: FleetcastClient(wrong),
}


@pytest.fixture(scope="module")
def fitted(make_universe, tiny_config):
    bars = make_universe(("AAA",))
    return PriceDirectionPredictor(tiny_config("features.technical_indicators=[trend]")).fit(bars), bars


@pytest.mark.parametrize("name", CALLS)
def test_a_wrong_type_is_one_clear_error(name, fitted, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    for wrong in WRONG:
        with warnings.catch_warnings(), pytest.raises(FleetcastError) as caught:
            warnings.simplefilter("ignore")
            CALLS[name](wrong, *fitted)
        assert "\n" not in str(caught.value), (name, wrong)
