"""fit(X, y): features and their labels make the model that their bars make, and no order or label is guessed."""

import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score

from configs.errors import DataError, ModelError
from configs.models import LabelConfig
from features import FeatureEngineer, PurgedWalkForward
from training import ModelManager, PriceDirectionPredictor, VolatilityPredictor
from training.predictors.feature_labels import labels_of

PLAIN = "features.technical_indicators=[trend, volatility]"


@pytest.fixture(scope="module")
def config(tiny_config):
    return tiny_config(PLAIN)


@pytest.fixture(scope="module")
def bars(make_universe):
    return make_universe(("AAA",))[0]


@pytest.fixture(scope="module")
def made(bars, config):
    return FeatureEngineer(config.features).engineer_features(bars)


@pytest.fixture(scope="module")
def fitted(made, config):
    return PriceDirectionPredictor(config).fit(made.features, made.target)


def same(ours, theirs):
    pd.testing.assert_frame_equal(ours.to_frame(), theirs.to_frame())


def test_features_and_labels_make_the_model_of_the_bars(bars, made, fitted, config):
    expected = PriceDirectionPredictor(config).fit(bars)
    for name, values in expected.to_arrays().items():
        np.testing.assert_array_equal(fitted.to_arrays()[name], values, err_msg=name)
    for predictor in (fitted, expected):
        for given in (made.features, bars):
            same(predictor.predict(given), expected.predict(bars))
    same(PriceDirectionPredictor(config).fit(made).predict(bars), expected.predict(bars))
    assert fitted.symbols_ == ("AAA",) and list(fitted.feature_names_in_) == made.names


def test_rows_of_the_frame_may_be_left_out_at_its_ends(bars, made, config):
    part = made.features.dropna().iloc[:-7]
    predictor = PriceDirectionPredictor(config).fit(part, made.target.loc[part.index])
    assert predictor.predict(bars)["basis"].eq("own").all(), "its rows are as they were made, so bars can be forecast"
    assert len(predictor.predict(part.tail(20))) == 20 - predictor.window + 1


def test_the_last_row_is_read_by_position(made, fitted):
    found = fitted.predict_direction(made.features)
    assert found["direction_labels"][-1] == found["label"].iloc[-1]
    assert found["confidence"][-1] == found[["down", "sideways", "up"]].iloc[-1].max()
    assert found["confidence"][0] == found["confidence"].iloc[0] and found["confidence"][-2:].shape == (2,)
    last = found.loc["AAA"].iloc[-1]
    assert last.index.tolist() == ["down", "sideways", "up", "label", "confidence", "label_set"]
    numbered = found.reset_index()
    assert numbered[numbered["date"] > numbered["date"][5]]["confidence"][9] == numbered["confidence"].iloc[9], (
        "a label"
    )
    assert type(found.to_frame()) is pd.DataFrame


@pytest.mark.slow
def test_features_of_ones_own(bars, made, config, tmp_path):
    own = made.features[["slope_20", "sma_distance_5"]].assign(mood=np.sin(np.arange(500)))
    predictor = PriceDirectionPredictor(config).fit(own, made.target, symbol="MINE")
    assert predictor.symbols_ == ("MINE",) and predictor.n_features_in_ == 3
    found = predictor.predict(own)
    assert set(predictor.get_feature_importance().index) == set(own.columns)
    assert set(predictor.analyze_feature_contributions(own).index) == set(own.columns)
    same(predictor.predict(own[["mood", "slope_20", "sma_distance_5"]].assign(more=1.0)), found)
    with pytest.raises(ModelError, match="fitted on features that bars do not give"):
        predictor.predict(bars)
    with pytest.raises(ModelError, match="cannot be saved"):
        ModelManager(str(tmp_path)).save_model(predictor, "price_direction_mine")
    scaled = PriceDirectionPredictor(config).fit(made.features * 2.0, made.target)
    with pytest.raises(ModelError, match="fitted on features that bars do not give"):
        scaled.predict(bars)


def test_many_symbols_in_blocks_or_day_by_day(make_universe, config):
    parts = {one.symbol: FeatureEngineer(config.features).engineer_features(one) for one in make_universe(("A", "B"))}
    blocks = pd.concat({name: part.features for name, part in parts.items()}, names=["symbol"])
    labels = pd.concat({name: part.target for name, part in parts.items()}, names=["symbol"])
    first = PriceDirectionPredictor(config).fit(blocks, labels)
    by_day = blocks.sort_index(level="date")
    second = PriceDirectionPredictor(config).fit(by_day, labels.loc[by_day.index])
    assert first.symbols_ == second.symbols_ == ("A", "B")
    same(first.predict(blocks), second.predict(by_day))


def test_labels_may_be_names(made, config):
    known = made.target[made.target >= 0]
    names = known.map({0: "down", 1: "sideways", 2: "up"})
    by_name, by_code = (PriceDirectionPredictor(config).fit(made.features.loc[known.index], y) for y in (names, known))
    same(by_name.predict(made.features), by_code.predict(made.features))


@pytest.mark.parametrize(
    "spelled",
    [
        lambda y: y.astype(object),
        lambda y: y.astype(float).astype(object),
        lambda y: y.map({0: "down", 1: "sideways", 2: "up", -1: -1}),
        lambda y: np.array(y.map({0: "down", 1: 1, 2: "up", -1: -1}).replace(1, "sideways").tolist()),
        lambda y: y.map({0: "down", 1: "sideways", 2: "up", -1: -1}).astype("category"),
        lambda y: y.astype("Int64"),
    ],
    ids=["objects", "floats", "names and -1", "array of names and -1", "categories", "nullable"],
)
def test_labels_mean_the_same_however_they_are_spelled(made, config, spelled):
    given = labels_of(spelled(made.target), made.features, config.direction, fitting=True)
    np.testing.assert_array_equal(given, made.target)


def test_a_fold_without_a_class_can_be_scored(made, fitted, config):
    names = made.target.map({0: "down", 1: "sideways", 2: "up", -1: -1})
    for absent in (0, 2):
        fold = made.target[(made.target != absent) & (made.target >= 0)].tail(60).index
        by_code, by_name = (fitted.score(made.features.loc[fold], y.loc[fold]) for y in (made.target, names))
        assert by_code == by_name < 0
    with pytest.raises(DataError, match="the labels are objects"):
        labels_of(pd.Series([[1]] * 500, made.target.index), made.features, config.direction)
    odd = made.target.astype(object)
    odd.iloc[3] = True
    with pytest.raises(DataError, match="the labels are booleans"):
        labels_of(odd, made.features, config.direction)


def changed(made):
    """Return wrong features and labels by the message that they give."""
    X, y = made.features, made.target
    mixed = X.sample(frac=1.0, random_state=0)
    holes = y.copy()
    holes.iloc[250] = -1
    return {
        "not in order of time": (mixed, y.loc[mixed.index]),
        "different indices": (X, y.set_axis(y.index + pd.Timedelta("1D"))),
        "500 rows and the labels shape (499,)": (X, y.iloc[:-1]),
        "missing in 2 of 500 rows": (X, y.astype(float).replace(-1, np.nan)),
        "the labels are -2, -1, 0, 1; expected 0 down": (X, y - 1),
        "the labels are 0, 1; expected 0 down": (X, (y == 2).astype(int)),
        "the labels are booleans": (X, y == 2),
        "unknown in 1 rows between known ones": (X, holes),
        "features are a ndarray": (X.to_numpy(), y),
        "indexed by int64; expected dates": (X.reset_index(drop=True), y.reset_index(drop=True)),
        "is of type str; expected numbers": (X.assign(name="x"), y),
        "'slope_20' is infinite": (X.assign(slope_20=np.inf), y),
        "features need labels": (X, None),
    }


def test_wrong_features_and_labels_are_one_clear_error(made, config):
    for message, (features, labels) in changed(made).items():
        with pytest.raises(DataError, match=re.escape(message)):
            PriceDirectionPredictor(config).fit(features, labels)


def test_labels_of_another_horizon_would_leak(bars, config):
    far = FeatureEngineer(config.features).engineer_features(bars, horizon=5)
    with pytest.raises(DataError, match=r"labels are of the next 5 bars and the model forecasts 1.*horizon=5"):
        PriceDirectionPredictor(config).fit(far.features, far.target)
    predictor = PriceDirectionPredictor(config, horizon=5).fit(far.features, far.target)
    examples = predictor._examples
    train, valid, _ = examples.rows[0]
    assert valid[0] - train[-1] > 5 and train[-1] + 5 < valid[0], "labels of train end before validation"


def test_unknown_labels_at_the_end_tell_the_horizon(bars, made, config):
    far = FeatureEngineer(config.features).engineer_features(bars, horizon=5)
    bare = far.target.to_numpy()
    predictor = PriceDirectionPredictor(config)
    with pytest.raises(DataError, match=r"last 5 labels are unknown, as of 5 bars ahead.*horizon=5.*drop these rows"):
        predictor.fit(far.features, bare)
    assert PriceDirectionPredictor(config, horizon=5).fit(far.features, bare)._examples.rows[0].valid.size
    with pytest.warns(UserWarning, match="do not say how many bars they look ahead: horizon=1 is assumed") as caught:
        predictor.fit(far.features.iloc[:-5], bare[:-5])
    assert len(caught) == 1 and caught[0].filename == __file__
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        predictor.fit(made.features, made.target.to_numpy())
        PriceDirectionPredictor(config, horizon=1).fit(made.features.iloc[:-1], made.target.to_numpy()[:-1])


def test_labels_of_another_band_are_not_those_of_the_model(bars, config, tiny_config):
    wide = FeatureEngineer(config.features).engineer_features(bars, label=LabelConfig(k=1.5, threshold=0.1))
    with pytest.raises(DataError, match=r"labels were made with direction\.label\.k=1\.5, and the model has another"):
        PriceDirectionPredictor(config).fit(wide)
    fitted = PriceDirectionPredictor(tiny_config(PLAIN, "direction.label.k=1.5")).fit(wide)
    assert fitted.score(bars) == pytest.approx(fitted.score(wide.features, wide.target), rel=1e-6)
    fixed = FeatureEngineer(config.features).engineer_features(bars, label=LabelConfig(mode="threshold"))
    with pytest.raises(DataError, match=r"direction\.label\.mode=threshold"):
        fitted.score(fixed.features, fixed.target)


def test_volatility_needs_prices(made, bars, config):
    with pytest.raises(DataError, match="reads past prices"):
        VolatilityPredictor(config).fit(made.features, made.target)
    with pytest.raises(ModelError, match="reads past prices"):
        VolatilityPredictor(config).fit(bars).predict(made.features)
    with pytest.raises(DataError, match="has no labels"):
        VolatilityPredictor(config).score(bars, made.target)


@pytest.mark.slow
def test_searches_and_cross_validation_of_scikit_learn(made, bars, config):
    folds = PurgedWalkForward(2, horizon=1, test_fraction=0.3)
    predictor = PriceDirectionPredictor(config)
    scores = cross_val_score(predictor, made.features, made.target, cv=folds, error_score="raise")
    assert scores.shape == (2,) and (np.abs(scores + np.log(3)) < 0.3).all()
    search = GridSearchCV(predictor, {"sequence_length": [4, 6]}, cv=folds, refit=True, error_score="raise")
    search.fit(made.features, made.target)
    assert search.best_params_["sequence_length"] in (4, 6) and search.best_estimator_.symbols_ == ("AAA",)
    best = search.best_estimator_
    assert best.score(made.features, made.target) == pytest.approx(best.score(bars), rel=1e-6)
    with pytest.raises(DataError, match="no row has a forecast and a known outcome"):
        best.score(bars.first(40))
