"""A person's bars, in whatever form they are at hand, make the same model."""

import numpy as np
import pandas as pd
import pytest

import training
from training import PriceDirectionPredictor
from training.predictors.inputs import listed, some

FIELDS = ("open", "high", "low", "close", "volume")


def frame_of(bars):
    parts = [pd.DataFrame({"Date": b.dates, "Symbol": b.symbol, **{f: getattr(b, f) for f in FIELDS}}) for b in bars]
    return pd.concat(parts, ignore_index=True)


def test_a_frame_and_its_bars_make_the_same_model(make_universe, tiny_config):
    bars = make_universe(("AAA", "BBB", "CCC"))
    frame = frame_of(bars)
    config = tiny_config("direction.strategy=per_symbol")
    ours, theirs = PriceDirectionPredictor(config).fit(frame), PriceDirectionPredictor(config).fit(bars)
    assert ours.symbols == theirs.symbols == ("AAA", "BBB", "CCC")
    for name, values in theirs.to_arrays().items():
        np.testing.assert_array_equal(ours.to_arrays()[name], values, err_msg=name)
    pd.testing.assert_frame_equal(ours.predict(frame), theirs.predict(bars))


def test_one_symbol_needs_no_universe(make_universe, tiny_config):
    (bars,) = make_universe(("AAA",))
    config = tiny_config("direction.strategy=per_symbol", "features.technical_indicators=[trend]")
    predictor = PriceDirectionPredictor(config).fit(bars)
    assert predictor.symbols == ("AAA",)
    unnamed = frame_of([bars]).drop(columns="Symbol").set_index("Date")
    alone = PriceDirectionPredictor(config).fit(unnamed)
    assert alone.symbols == ("SYMBOL",)
    assert alone.predict_direction(unnamed)["label"].isin(["down", "sideways", "up"]).all()


@pytest.mark.parametrize("name", ["PriceDirectionPredictor", "VolatilityPredictor"])
def test_a_view_without_its_universe_says_so_instead_of_taking_another(make_universe, tiny_config, name):
    bars = make_universe(("AAA", "BBB", "CCC", "DDD"))
    whole = getattr(training, name)(tiny_config("features.technical_indicators=[trend, cross_asset]")).fit(bars)
    assert whole.universe == (4, False)
    view = type(whole).from_state(whole.symbols, whole.to_arrays(), whole.meta(), ("BBB",))
    with pytest.warns(UserWarning, match="bars of 1 symbols are given to a model .* a universe of 4"):
        alone = view.predict(bars[1:2])
    assert alone.notna().all(axis=None)
    with_all, same = view.predict(bars), whole.predict(bars).loc[["BBB"]]
    np.testing.assert_allclose(with_all.to_numpy(np.float64), same.to_numpy(np.float64), rtol=1e-5)
    assert alone.index.equals(with_all.index)
    assert not np.allclose(alone.to_numpy(np.float64), with_all.to_numpy(np.float64), rtol=1e-3)


def test_a_model_sees_the_day_of_the_universe_that_it_was_fitted_with(make_universe, tiny_config):
    bars = make_universe(("AAA", "BBB", "CCC", "DDD"))
    config = tiny_config("features.technical_indicators=[cross_asset]", "features.universe_as_of=day_before")
    predictor = training.PriceDirectionPredictor(config).fit(bars)
    assert predictor.universe == (4, True)
    assert predictor.panel(bars).universe == (4, True)


def test_rows_that_are_left_out_are_told(make_universe):
    frame = frame_of(make_universe(("AAA", "BBB"), bars=50))
    frame.loc[3, "close"] = -1.0
    frame.loc[60, "close"] = np.nan
    with pytest.warns(UserWarning, match="2 rows of AAA, BBB break a rule and are left out"):
        found = listed(frame)
    assert [len(one) for one in found] == [49, 49]


def test_many_names_are_cut_short():
    assert some(["A", "B"]) == "A, B"
    assert some([f"S{i}" for i in range(7)]) == "S0, S1, S2, S3, S4 and 2 more"
