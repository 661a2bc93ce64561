"""Alternative data in panels: switched by group, and missing where a model's series are gone."""

import re

import numpy as np
import pandas as pd
import pytest

from configs import load_config
from configs.data import FeatureConfig
from configs.errors import ConfigError, DataError
from configs.feature_groups import FEATURE_GROUPS
from features import KnownData, MarketContext, build_panel, feature_names
from features.alternative.checks import ReadingOptions
from features.alternative.read_series import read_series
from features.catalog import all_specs, describe_features
from features.context_source import MissingSeriesError, load_context
from features.known_source import load_known
from features.sources import open_source
from features.store.alternative import AlternativeLake
from features.store.store import Store

CONFIG = FeatureConfig(technical_indicators=("rsi", "options", "macro"))


def context_of(bars) -> MarketContext:
    known = pd.DatetimeIndex(bars.dates).tz_localize("UTC") - pd.Timedelta(hours=2)
    rows = {"period": bars.dates, "value": 2.0 + np.sin(np.arange(len(bars))), "known_from": known}
    names = (("", "RATE"), (bars.symbol, "iv30"))
    frames = [pd.DataFrame({"symbol": symbol, "series": name, **rows}) for symbol, name in names]
    return MarketContext((), (), alternative=KnownData.from_frames(pd.concat(frames)))


def test_groups_are_left_out_by_name(make_bars):
    context = context_of(make_bars(n=150))
    every = feature_names(CONFIG, None, context)
    without = feature_names(CONFIG.model_copy(update={"without": ("options",)}), None, context)
    assert set(every) - set(without) == {name for name in every if name.startswith("options_")} != set()
    assert "options" not in {group for _, group, _ in describe_features(FeatureConfig(without=("options",)))}


@pytest.mark.parametrize(
    ("wrong", "hint"),
    [("nonsense", ""), ("option", "did you mean 'options'? "), ("macro_cpi_log", "did you mean 'macro'? ")],
)
def test_an_unknown_group_is_an_error_of_the_settings(wrong, hint):
    message = (
        f"features.without has value ['macro', '{wrong}']: '{wrong}' is no group of features; {hint}expected some of "
    )
    with pytest.raises(ConfigError, match=re.escape(message + "calendar, context")):
        load_config(overrides=[f"features.without=[macro,{wrong}]"])


def test_the_names_of_groups_are_those_of_the_catalog():
    assert {spec.group for spec in all_specs()} == set(FEATURE_GROUPS)


def test_a_series_is_market_wide_because_of_its_symbol_not_of_its_name(make_bars):
    bars = make_bars(n=150)
    rows = {"period": bars.dates, "known_from": pd.DatetimeIndex(bars.dates).tz_localize("UTC"), "value": 1.0}
    frames = [pd.DataFrame({"symbol": symbol, "series": "own_x", **rows}) for symbol in ("", bars.symbol)]
    context = MarketContext((), (), alternative=KnownData.from_frames(pd.concat(frames)))
    panel = build_panel([bars], CONFIG, None, context)
    names = {name for name in panel.feature_names if name.startswith("macro_")}
    assert names > set(panel.market_wide) == {name for name in names if not name.startswith("macro_own_own_x")}


def test_columns_of_series_that_are_gone_are_missing_values(make_bars):
    bars = make_bars(n=150)
    names = feature_names(CONFIG, None, context_of(bars))
    panel = build_panel([bars], CONFIG, None, None, columns=names)
    lost = [i for i, name in enumerate(names) if name.startswith(("options_", "macro_"))]
    assert np.isnan(panel.features[:, lost]).all() and np.isfinite(panel.features[-1, names.index("rsi_20")])
    assert set(panel.market_wide) == {names[i] for i in lost}
    with pytest.raises(DataError, match="needs series of weather, which the data do not have"):
        feature_names(FeatureConfig(technical_indicators=("weather_series",)), None, context_of(bars))


def test_leaving_out_all_that_the_lake_has_is_training_on_prices(tmp_path):
    lake = AlternativeLake(Store(tmp_path))
    frame = pd.DataFrame({"series": "RATE", "period": ["2010-01-01"], "value": 1.0, "known_from": ["2010-02-01"]})
    lake.append("series", read_series(frame, ReadingOptions("x", np.datetime64("2020-01-01", "ns"))).rows)
    switch, store = "features.use_alternative_data=true", Store(tmp_path)
    config = load_config("demo", overrides=[switch, "features.without=[macro]"])
    context = load_context(open_source("embedded", store), config, store)
    assert context is not None and not [name for name in context.all_columns if name.startswith("macro_")]


def test_a_lake_without_such_data_is_an_error_of_training(tmp_path):
    store, config = Store(tmp_path), load_config("demo", overrides=["features.use_alternative_data=true"])
    assert load_known(store, FeatureConfig(), config.data) is None
    with pytest.raises(MissingSeriesError, match="fleetcast data import --kind macro FILE"):
        load_context(open_source("embedded", store), config, store)
