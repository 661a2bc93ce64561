"""A person's bars, in whatever form they are at hand, make the same model."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from configs.errors import ConfigError, DataError, shortened
from features.context import MarketContext
from features.sources.files import FileSource
from features.sources.mended import MendedSource
from features.usable_bars import usable_bars
from training import PriceDirectionPredictor, VolatilityPredictor

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


def test_a_frame_that_names_no_symbol_is_of_the_only_one(make_universe, tiny_config):
    bars = make_universe(("AAA", "BBB"))
    predictor = PriceDirectionPredictor(tiny_config("direction.strategy=pooled")).fit(bars)
    unnamed = frame_of(bars[:1]).drop(columns="Symbol")
    found = predictor.predict(unnamed)
    assert set(found.index.get_level_values("symbol")) == {"SYMBOL"} and (found["basis"] == "pooled").all()
    one = PriceDirectionPredictor.from_state(predictor.symbols, predictor.to_arrays(), predictor.meta(), ("AAA",))
    pd.testing.assert_frame_equal(one.predict(unnamed), one.predict(frame_of(bars[:1])))


def flat(bars, symbol="FLAT"):
    """Return bars of a constant price."""
    prices = {name: np.full(len(bars), 50.0) for name in ("open", "high", "low", "close")}
    return replace(bars, symbol=symbol, **prices)


@pytest.mark.parametrize("kind", [PriceDirectionPredictor, VolatilityPredictor])
def test_a_constant_price_is_refused_by_fit(make_universe, tiny_config, kind):
    (bars,) = make_universe(("AAA",))
    with (
        pytest.warns(UserWarning, match="FLAT: the price is constant in all bars"),
        pytest.raises(DataError, match=r"FLAT: the price is constant\)"),
    ):
        kind(tiny_config()).fit([flat(bars)])


def test_a_constant_price_among_others_is_a_warning(make_universe, tiny_config):
    bars = make_universe(("AAA", "BBB"))
    predictor = PriceDirectionPredictor(
        tiny_config("direction.strategy=pooled", "features.technical_indicators=[trend]")
    )
    with pytest.warns(UserWarning, match="FLAT: the price is constant in all bars"):
        predictor.fit([*bars, flat(bars[0])])
    assert predictor.symbols == ("AAA", "BBB") and predictor.failures == {"FLAT": "the price is constant"}
    with pytest.warns(UserWarning, match="BBB: the price is constant in all bars"):
        predictor.predict([bars[0], flat(bars[1], "BBB")])


def test_too_few_bars_are_told(make_universe, tiny_config):
    bars = make_universe(("AAA", "BBB"))
    predictor = PriceDirectionPredictor(tiny_config("direction.strategy=pooled")).fit(bars)
    with pytest.warns(UserWarning, match="AAA, BBB have no forecast: 10 bars are given, [0-9]+ needed"):
        assert predictor.predict([one.last(10) for one in bars]).empty
    with pytest.raises(DataError, match="no bars are given"):
        predictor.predict([])


@pytest.mark.slow
def test_market_series_may_be_a_frame(make_universe, tiny_config):
    bars = make_universe(("AAA", "BBB", "CCC"))
    values = 20 + np.sin(np.arange(500) / 9)
    series = pd.DataFrame({"date": bars[0].dates, "series": "VIX", "value": values})
    kinds = ("features.technical_indicators=[trend, market_context]", "data.context.kinds={VIX: level}")
    config = tiny_config("features.max_features=null", *kinds)
    predictor = PriceDirectionPredictor(config).fit(bars, context=series)
    assert any("vix" in name for name in predictor.feature_names)
    context = MarketContext.from_frame(series, config.data.context)
    pd.testing.assert_frame_equal(predictor.predict(bars, context=series), predictor.predict(bars, context=context))
    with pytest.raises(DataError, match=r"market series \(context=\) for context features"):
        predictor.predict(bars)


def test_a_preset_is_not_a_configuration():
    with pytest.raises(ConfigError, match=r"was given 'smoke'; expected a Config\. Make one: load_config"):
        PriceDirectionPredictor("smoke")


def test_rows_that_are_left_out_are_told(make_universe):
    frame = frame_of(make_universe(("AAA", "BBB"), bars=50))
    frame.loc[3, "close"] = -1.0
    frame.loc[60, "close"] = np.nan
    with pytest.warns(UserWarning, match="2 rows of AAA, BBB break a rule and are left out"):
        found = usable_bars(frame)
    assert [len(one) for one in found] == [49, 49]


def test_a_frame_is_mended_as_its_file_is(make_universe, tiny_config, tmp_path):
    frame = frame_of(make_universe(("AAA", "BBB")))
    row = frame.index[frame["Symbol"] == "AAA"][200]
    frame.loc[row, ["open", "high", "low", "close"]] /= 4.0
    frame.to_csv(tmp_path / "bars.csv", index=False)
    source = MendedSource(FileSource(str(tmp_path / "bars.csv")), "quarantine")
    expected = list(source.load())
    with pytest.warns(UserWarning, match=r"AAA: 1 bar was left out as spikes: .*on_steps=quarantine"):
        found = usable_bars(frame)
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_array_equal(ours.dates, theirs.dates)
        np.testing.assert_allclose(ours.close, theirs.close)
    with pytest.raises(DataError, match=r"AAA: .*refuse"):
        PriceDirectionPredictor(tiny_config("data.on_steps=refuse")).fit(frame)
    assert [len(one) for one in usable_bars(frame, on_steps="keep")] == [len(found[0]) + 1, len(found[1])]


def test_many_names_are_cut_short():
    assert shortened(["A", "B"]) == "A, B"
    assert shortened([f"S{i}" for i in range(7)]) == "S0, S1, S2, S3, S4 and 2 more"
