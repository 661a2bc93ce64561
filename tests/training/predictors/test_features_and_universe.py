"""Features that are relative to a universe remember which."""

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError, ModelError
from features import FeatureEngineer, build_universe
from features.universe import UniverseFacts
from training import ModelManager, PriceDirectionPredictor


@pytest.fixture(scope="module", params=[0, 1])
def relative(request, make_universe, tiny_config):
    """Return a predictor that was fitted on cross-asset features of one of 8 symbols, the features, bars and lag."""
    config, lag = (
        tiny_config("features.technical_indicators=[trend, cross_asset]", "features.max_features=null"),
        request.param,
    )
    bars = make_universe(("AAA", "BBB", "CCC", "DDD", "EEE", "FFF", "GGG", "HHH"))
    table = build_universe(bars, config.features.model_copy(update={"universe_lag": lag}))
    made = FeatureEngineer(config.features).engineer_features(bars[0], universe=table)
    return PriceDirectionPredictor(config).fit(made), made, bars, lag


@pytest.mark.slow
def test_features_remember_their_universe_and_its_lag(relative, tmp_path):
    predictor, made, bars, lag = relative
    assert predictor.universe == UniverseFacts(8, lag)
    panel = predictor.panel(bars).select(["AAA"])
    np.testing.assert_array_equal(panel.features, made.features[list(panel.feature_names)])
    pd.testing.assert_frame_equal(predictor.predict(bars).loc[["AAA"]], predictor.predict(made.features))
    with pytest.warns(
        UserWarning, match="bars of 3 of the universe's symbols are given, and the model was fitted with 8"
    ):
        predictor.predict(bars[:3])
    ModelManager(str(tmp_path)).save_model(predictor, "price_direction_aaa")


def test_features_of_another_universe_are_refused(relative):
    predictor, made, bars, lag = relative
    engineer = FeatureEngineer(predictor.config.features)
    others = [(bars[:3], lag, "relative to 3 symbols"), (bars, 1 - lag, f"8 symbols with lag {1 - lag}")]
    for some, theirs, message in others:
        table = build_universe(some, engineer.config.model_copy(update={"universe_lag": theirs}))
        with pytest.raises(DataError, match=message):
            predictor.predict(engineer.engineer_features(bars[0], universe=table).features)
    unknown = made.features.copy()
    unknown.attrs = {"fleetcast": {**made.features.attrs["fleetcast"], "universe": None}}
    with pytest.raises(ModelError, match="fitted on features that bars do not give"):
        PriceDirectionPredictor(predictor.config).fit(unknown, made.target).predict(bars)
