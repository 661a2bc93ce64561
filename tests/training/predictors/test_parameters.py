"""Constructors by keyword, get_params and set_params: scikit-learn's clone and searches work."""

import pytest
from sklearn.base import clone
from sklearn.utils.validation import check_is_fitted

from configs import Config
from configs.errors import ConfigError, ModelError
from training import BasePredictor, EnsemblePredictor, PriceDirectionPredictor, VolatilityPredictor


class Own(BasePredictor):
    def __init__(self, level=0.2):
        self.level = level

    def fit(self, bars):
        return self

    def predict(self, bars):
        raise NotImplementedError


class Forgetful(Own):
    def __init__(self, level=0.2):
        pass


@pytest.mark.parametrize(
    "predictor",
    [
        PriceDirectionPredictor(),
        PriceDirectionPredictor(sequence_length=12, num_layers=2, use_attention=False),
        VolatilityPredictor(model_type="garch", garch_type="EGARCH", dropout_rate=0.4),
        Own(0.3),
        EnsemblePredictor([Own(0.1)], seeds=(1,)),
    ],
    ids=lambda one: type(one).__name__,
)
def test_a_clone_has_the_same_parameters_and_is_not_fitted(predictor):
    twin = clone(predictor)
    ours, theirs = predictor.get_params(), twin.get_params()
    assert ours.keys() == theirs.keys() and twin is not predictor
    assert {name: value for name, value in ours.items() if name != "predictors"} == {
        name: value for name, value in theirs.items() if name != "predictors"
    }
    assert getattr(twin, "config", None) == getattr(predictor, "config", None)


def test_keywords_change_the_configuration_only_where_given(tiny_config):
    config = tiny_config()
    assert PriceDirectionPredictor(config).config == config
    network = PriceDirectionPredictor(config, lstm_units=6, num_layers=3).config.direction.network
    assert network.lstm_units == (6, 6, 6) and network.window == 5 and network.attention_heads == 1
    assert PriceDirectionPredictor(num_layers=2).config.direction.network.lstm_units == (16, 16)
    assert PriceDirectionPredictor(lstm_units=[8, 4]).config.direction.network.lstm_units == (8, 4)
    assert PriceDirectionPredictor(lstm_units=5).config.direction.network.attention_heads == 1, "heads divide units"
    volatility = VolatilityPredictor(config, model_type="HAR", horizon=3)
    assert (volatility.config.volatility.model, volatility.config.volatility.horizon) == ("har", 3)
    assert volatility.config.direction == config.direction


@pytest.mark.slow
def test_setting_a_parameter_forgets_what_was_fitted(make_universe, tiny_config):
    bars = make_universe(("AAA",))
    predictor = PriceDirectionPredictor(tiny_config("features.technical_indicators=[trend]"))
    assert not predictor.__sklearn_is_fitted__() and not hasattr(predictor, "symbols_")
    check_is_fitted(predictor.fit(bars))
    assert predictor.symbols_ == ("AAA",) and predictor.classes_ == ("down", "sideways", "up")
    assert predictor.set_params(sequence_length=7) is predictor and predictor.window == 7
    with pytest.raises(ModelError, match="not fitted"):
        predictor.predict(bars)
    assert len(predictor.fit(bars).predict(bars))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sequence_lenght": 3}, "no parameter 'sequence_lenght'.* Did you mean sequence_length"),
        ({"sequence_length": 0}, "direction.network.window has value 0"),
        ({"sequence_length": "long"}, "direction.network.window has value 'long'"),
        ({"num_layers": 1.5}, "num_layers has value 1.5; expected a whole number"),
        ({"lstm_units": "many"}, "direction.network.lstm_units has value 'many'"),
        ({"lstm_units": [8, 4], "num_layers": 3}, "has 2 layers and num_layers is 3"),
        ({"dropout_rate": 1.0}, "direction.network.dropout has value 1.0"),
        ({"use_attention": "yes"}, "use_attention has value 'yes'; expected True or False"),
        ({"model_type": "garch"}, "no parameter 'model_type'"),
        ({"config": {"direction": {}}}, "expected a Config"),
    ],
)
def test_wrong_keywords_are_one_clear_error(wrong, message):
    with pytest.raises(ConfigError, match=message):
        PriceDirectionPredictor(**wrong)


def test_parameters_of_a_model_of_ones_own():
    assert Own().set_params(level=0.5).level == 0.5
    with pytest.raises(ConfigError, match=r"has no parameter 'levle'\. Did you mean level"):
        Own().set_params(levle=1)
    with pytest.raises(ConfigError, match="does not keep its argument 'level'"):
        Forgetful().get_params()
    with pytest.raises(TypeError, match="abstract"):
        type("Half", (BasePredictor,), {"fit": lambda self, bars: self})()
    assert isinstance(PriceDirectionPredictor(Config()), BasePredictor)


def test_a_predictor_is_shown_with_the_arguments_that_are_not_the_defaults(tiny_config):
    assert repr(PriceDirectionPredictor()) == "PriceDirectionPredictor()"
    assert repr(VolatilityPredictor(garch_type="EGARCH")) == "VolatilityPredictor(garch_type='EGARCH')"
    assert repr(PriceDirectionPredictor(tiny_config())) == "PriceDirectionPredictor(config=Config(…))"
    assert repr(EnsemblePredictor([Own(0.1), Own()])) == "EnsemblePredictor(predictors=[Own(level=0.1), Own()])"
    assert repr(Forgetful(0.3)) == "Forgetful()"
