"""Models of one's own in an ensemble: two methods, any index that has dates, and clear errors."""

import numpy as np
import pandas as pd
import pytest

from configs.errors import ModelError
from training import BasePredictor, EnsemblePredictor, PriceDirectionPredictor, VolatilityPredictor
from training.predictors.pool import mean_volatility, pooled


class Own(BasePredictor):
    """Returns what a function makes of the bars."""

    def __init__(self, make):
        self.make = make

    def fit(self, bars):
        self.rows_ = len(bars)
        return self

    def predict(self, bars):
        return self.make(bars)


@pytest.fixture(scope="module")
def frames(make_universe):
    columns = ("open", "high", "low", "close", "volume")
    return {
        bars.symbol: pd.DataFrame(
            {name: getattr(bars, name) for name in columns}, pd.DatetimeIndex(bars.dates, name="date")
        )
        for bars in make_universe(("AAA", "BBB"))
    }


@pytest.fixture(scope="module")
def fleets(tiny_config):
    config = tiny_config("features.technical_indicators=[trend, volatility]")
    return PriceDirectionPredictor(config), VolatilityPredictor(config)


def thirds(bars):
    return pd.DataFrame({"down": 0.2, "sideways": 0.3, "up": 0.5, "volatility": 0.4, "mood": 1.0}, index=bars.index)


def test_the_columns_of_ones_own_take_part(frames, fleets):
    data = frames["AAA"]
    ensemble = EnsemblePredictor([*fleets, Own(thirds)]).fit(data, symbol="AAA")
    found, (direction, volatility) = ensemble.predict(data, symbol="AAA"), fleets
    assert ensemble.predictors_[2].rows_ == len(data) and ensemble.symbols == ("AAA",)
    ours = np.log(direction.predict_proba(data).loc[found.index].to_numpy())
    mixed = np.exp(0.5 * ours + 0.5 * np.log([0.2, 0.3, 0.5]))
    np.testing.assert_allclose(found[["down", "sideways", "up"]], mixed / mixed.sum(axis=1, keepdims=True), rtol=1e-6)
    theirs = volatility.predict(data).loc[found.index]
    np.testing.assert_allclose(found["volatility"], np.sqrt(0.4 * theirs["volatility"]), rtol=1e-9)
    np.testing.assert_allclose(
        found["volatility_low"] / found["volatility"], theirs["volatility_low"] / theirs["volatility"]
    )
    assert (found["volatility_low"] < found["volatility"]).all() and (found["own_mood"] == 1.0).all()
    assert found["direction_labels"][-1] == found["label"].iloc[-1] and len(found.plot().data) == 3


def test_any_index_with_dates_is_understood(frames):
    data, both = frames["AAA"], pd.concat(frames, names=["symbol"])
    expected = pd.MultiIndex.from_arrays([["SYMBOL"] * len(data), data.index], names=["symbol", "date"])
    numbered = data.reset_index()
    for given, make in (
        (data, lambda bars: bars["close"].rename("x")),
        (data, lambda bars: bars[["close"]].set_axis(["x"], axis=1)),
        (numbered, lambda bars: bars["close"].rename("x")),
    ):
        found = EnsemblePredictor([Own(make)]).fit(given).predict(given)
        assert found.index.equals(expected) and found.columns.tolist() == ["own_x"]
        np.testing.assert_array_equal(found["own_x"], data["close"])
    array = EnsemblePredictor([Own(lambda bars: bars["close"].to_numpy())]).fit(numbered).predict(numbered)
    np.testing.assert_array_equal(array["own_forecast"], data["close"])
    long = both.reset_index()
    found = EnsemblePredictor([Own(lambda bars: bars["close"].rename("x"))]).fit(long).predict(long)
    assert found.index.get_level_values("symbol").unique().tolist() == ["AAA", "BBB"]


def test_missing_rows_are_missing_and_leave_the_others_alone(frames, fleets):
    data = frames["AAA"]
    ensemble = EnsemblePredictor([*fleets, Own(lambda bars: thirds(bars.tail(10)))]).fit(data)
    found, alone = ensemble.predict(data), fleets[0].predict_proba(data)
    np.testing.assert_allclose(found["up"].iloc[:-10], alone.loc[found.index]["up"].iloc[:-10], rtol=1e-6)
    assert found["own_mood"].notna().sum() == 10 and found["volatility"].notna().all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda bars: None, r"Own\.predict returned a NoneType; expected a data frame or a series"),
        (lambda bars: bars["close"].reset_index(drop=True), "returned rows indexed by int64"),
        (lambda bars: pd.concat([bars, bars]), "returned several rows of"),
        (lambda bars: thirds(bars).assign(up=0.9), "that are no probabilities"),
        (lambda bars: np.zeros(3), "returned a ndarray"),
    ],
)
def test_what_is_no_table_is_one_clear_error(frames, make, message):
    with pytest.raises(ModelError, match=message):
        EnsemblePredictor([Own(make)]).fit(frames["AAA"]).predict(frames["AAA"])
    with pytest.raises(ModelError, match="returned dates without symbols for 2 symbols"):
        EnsemblePredictor([Own(lambda bars: bars["AAA"]["close"])]).fit(frames).predict(frames)


def test_pools_leave_out_what_is_missing():
    logs = np.log(np.array([[[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]], [[0.2, 0.3, 0.5], [np.nan] * 3], [[np.nan] * 3] * 2]))
    found = pooled(logs, np.array([0.25, 0.25]))
    np.testing.assert_allclose(found[1], [0.2, 0.3, 0.5])
    assert np.isnan(found[2]).all() and found[0].sum() == pytest.approx(1.0)
    parts = [pd.DataFrame({"volatility": [0.2, np.nan]}), pd.DataFrame({"volatility": [0.8, 0.3]})]
    assert mean_volatility(parts)["volatility"].tolist() == pytest.approx([0.4, 0.3])
