"""A person's bars, in whatever form they are at hand, make the same model."""

import numpy as np
import pandas as pd
import pytest

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
