"""The lines that a newcomer types in Python, with default settings, in one session that keeps its names."""

import subprocess
import sys
from pathlib import Path

import pytest

from features.sources import embedded

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[1]
SETUP = """
from configs import load_config
from features import FeatureConfig, FeatureEngineer, load_bars
from serving import PredictionEngine, PredictionRequest
from training import (
    BasePredictor, EnsemblePredictor, ModelManager, ModelTrainer, PriceDirectionPredictor, VolatilityPredictor
)
from tuning import HyperparameterOptimizer

data = load_bars("embedded", ["AAPL"]).drop(columns="symbol").set_index("date").tail(700)
train_data, store = data.iloc[:600], "mystore"

class CustomModel(BasePredictor):
    def fit(self, data):
        self.level_ = data["close"].pct_change().std() * 252**0.5
        return self

    def predict(self, data):
        return data["close"].pct_change().rolling(20).std().fillna(self.level_) * 252**0.5
"""
PREDICTORS = """
fs = FeatureEngineer().engineer_features(data)
p = PriceDirectionPredictor(); p.fit(fs.features, fs.target)
r = p.predict_direction(fs.features); label, confidence = r["direction_labels"][-1], r["confidence"][-1]
importance = p.get_feature_importance().head(10)
contributions = p.analyze_feature_contributions(data)
figures = r.plot(), importance.plot()
"""
KEYWORDS = """
d = PriceDirectionPredictor(sequence_length=20, lstm_units=64, num_layers=2, dropout_rate=0.3, use_attention=True)
v = VolatilityPredictor(model_type="ensemble", garch_type="GARCH", sequence_length=20)
c = FeatureConfig(
    lookback_periods=[5, 10, 20, 50], technical_indicators=["sma", "ema", "rsi", "macd"], scaling_method="robust",
    max_features=50,
)
f = FeatureEngineer(c).engineer_features(data)
two = load_bars("embedded", ["AAPL", "IBM"])
"""
ENSEMBLE = """
e = EnsemblePredictor([PriceDirectionPredictor(), VolatilityPredictor(), CustomModel()]).fit(data).predict(data)
"""
REGISTRY = """
ModelManager(store).save_model(p, "price_direction_aapl", version="v1.0")
loaded = ModelManager(store).load_model("price_direction_aapl", version="latest")
"""
SERVING = """
result = ModelTrainer().train_multi_asset_models(
    symbols=["SPY", "QQQ", "AAPL"], model_types=["direction", "volatility"]
)
engine = PredictionEngine(max_workers=4, enable_caching=True)
request = PredictionRequest(symbol="AAPL", data=data, prediction_types=["direction", "volatility"])
answer = engine.predict_single(request)
again = engine.predict_single(request)
stats, health = engine.get_performance_stats(), engine.health_check()
engine.close()
"""
TUNING = "t = HyperparameterOptimizer().optimize_direction_model(train_data)"


@pytest.fixture(scope="module")
def session(tmp_path_factory):
    """The names of the session after its first lines, and a function that types more; on the newest five years."""
    names, between = {}, embedded.between
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(embedded, "between", lambda *given: between(*given).last(1_300))
        patch.chdir(tmp_path_factory.mktemp("session"))
        patch.delenv("FLEETCAST_STORE", raising=False)
        exec(SETUP, names)
        yield names, lambda code: exec(code, names)


def test_keywords_and_names(session):
    names, run = session
    run(KEYWORDS)
    network = names["d"].config.direction.network
    assert (network.window, network.lstm_units, network.dropout, network.attention_heads) == (20, (64, 64), 0.3, 4)
    volatility = names["v"].config.volatility
    assert (volatility.model, volatility.garch, volatility.network.window) == ("ensemble", "GARCH", 20)
    assert {name.split("_")[0] for name in names["f"].names} == {"sma", "ema", "rsi", "macd"}
    assert names["two"]["symbol"].unique().tolist() == ["AAPL", "IBM"]


def test_predictors_ensemble_and_registry(session):
    names, run = session
    run(PREDICTORS)
    assert names["label"] in ("down", "sideways", "up") and 1 / 3 <= names["confidence"] <= 1
    assert names["label"] == names["r"]["label"].iloc[-1] and names["r"].loc["SYMBOL"].index.is_monotonic_increasing
    assert len(names["importance"]) == 10 and names["contributions"].abs().is_monotonic_decreasing
    assert [len(figure.data) for figure in names["figures"]] == [3, 1]
    run(ENSEMBLE)
    last = names["e"].iloc[-1]
    assert last["volatility_low"] < last["volatility"] < last["volatility_high"] and "custommodel_close" in last
    run(REGISTRY)
    known, same = names["p"].predict(names["data"]), names["loaded"].predict(names["data"])
    assert names["loaded"].symbols_ == ("AAPL",) and (known["up"].to_numpy() == same["up"].to_numpy()).all()


def test_training_serving_and_tuning(session):
    names, run = session
    with pytest.warns(UserWarning, match=r"2 of 3 symbols are skipped \(QQQ, SPY: not embedded.*data\.bars=yahoo"):
        run(SERVING)
    assert names["answer"].processing_time > 0 and names["answer"].error is None
    assert (names["stats"]["success_rate"], names["stats"]["cache_hit_rate"]) == (1.0, 0.5)
    assert names["stats"]["avg_processing_time"] > 0 and names["health"]["models_loaded"] == 2
    table = names["answer"].to_frame()
    assert table.index.tolist() == ["AAPL"] and table["volatility"].iloc[0] == names["answer"].volatility.annualised
    run(TUNING.replace("Optimizer()", "Optimizer(load_config('smoke', overrides=['tune.trials=1']))"))
    assert set(names["t"].best_parameters) >= {"direction.network.window"}


def test_importing_everything_writes_nothing():
    code = """
import configs, features, serving, training, tuning
for module in (configs, features, serving, training, tuning):
    for name in module.__all__:
        getattr(module, name)
import training.models.fleet.network
"""
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
