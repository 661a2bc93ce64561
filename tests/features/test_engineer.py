"""The data frame of one symbol and a panel have the same columns and values."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest

from configs.data import FeatureConfig
from configs.errors import ConfigError, DataError
from configs.models import LabelConfig
from features import FeatureEngineer, build_panel, build_universe, describe_features, feature_names
from features.labels import direction_labels


@pytest.fixture(scope="module")
def bars(make_bars):
    return make_bars(n=250)


@pytest.fixture(scope="module")
def yahoo(bars):
    data = {f.title(): getattr(bars, f) for f in ("close", "high", "low", "open", "volume")}
    return pd.DataFrame(data, index=pd.DatetimeIndex(bars.dates, name="Date"))


def test_a_yahoo_frame_gives_the_values_of_the_panel(bars, yahoo):
    panel = build_panel([bars])
    features, target, names = FeatureEngineer().engineer_features(yahoo, horizon=5)
    assert names == list(panel.feature_names) == list(features.columns)
    np.testing.assert_array_equal(features.to_numpy(), panel.features)
    assert (features.dtypes == np.float32).all() and features.index.equals(target.index)
    np.testing.assert_array_equal(features.index.to_numpy("datetime64[ns]"), bars.dates)
    expected = direction_labels(panel.close, panel.ewma_vol, 5, LabelConfig())
    np.testing.assert_array_equal(target.to_numpy(), expected)
    assert (target.iloc[-5:] == -1).all() and set(target.iloc[10:-5]) == {0, 1, 2}


def test_two_level_columns_and_bars_give_the_same_features(bars, yahoo):
    plain = FeatureEngineer().engineer_features(yahoo)
    two_level = yahoo.copy()
    two_level.columns = pd.MultiIndex.from_product([yahoo.columns, ["AAPL"]], names=["Price", "Ticker"])
    for same in (two_level, bars):
        pd.testing.assert_frame_equal(FeatureEngineer().engineer_features(same).features, plain.features)


def test_two_symbols_are_an_error(yahoo):
    both = pd.concat({"A": yahoo, "B": yahoo * 2.0}, axis=1)
    with pytest.raises(DataError):
        FeatureEngineer().engineer_features(both)


def test_rows_left_out_are_warned_about(yahoo):
    broken = yahoo.copy()
    broken.iloc[7, broken.columns.get_loc("Close")] = np.nan
    with pytest.warns(UserWarning, match="1 rows of SYMBOL break a rule .*missing_price 1"):
        features, _, _ = FeatureEngineer().engineer_features(broken)
    assert len(features) == len(yahoo) - 1


def test_families_and_groups_can_be_chosen(yahoo):
    config = FeatureConfig(technical_indicators=("rsi", "volume"), lookback_periods=(7, 14))
    names = FeatureEngineer(config).engineer_features(yahoo).names
    assert {"rsi_7", "rsi_14", "vwap_distance_7", "mfi_14"} <= set(names)
    assert not [n for n in names if n.startswith(("sma", "har"))]
    with pytest.raises(ConfigError, match=r"has 'rsj'\. Did you mean 'rsi'\? Choose from the groups"):
        FeatureEngineer(FeatureConfig(technical_indicators=("rsj",))).engineer_features(yahoo)


def test_indicators_can_be_named_as_people_name_them(yahoo):
    config = FeatureConfig(
        lookback_periods=(5, 10, 20, 50), technical_indicators=("sma", "EMA", "rsi", "Bollinger Bands")
    )
    names = FeatureEngineer(config).engineer_features(yahoo).names
    assert {name.split("_")[0] for name in names} == {"sma", "ema", "rsi", "bollinger"}
    assert len([name for name in names if name.startswith("sma")]) == 4
    momentum = FeatureEngineer(FeatureConfig(technical_indicators=("momentum",))).engineer_features(yahoo).names
    assert {group for name, group, _ in describe_features() if name in momentum} == {"momentum"}


def test_a_named_family_whose_data_are_missing_is_an_error(yahoo):
    with pytest.raises(DataError, match="'beta' needs universe"):
        FeatureEngineer(FeatureConfig(technical_indicators=("beta",))).engineer_features(yahoo)
    with pytest.raises(DataError, match="no feature can be computed"):
        FeatureEngineer(FeatureConfig(technical_indicators=("context",))).engineer_features(yahoo)


def test_given_columns_determine_the_panel(make_bars):
    world = [make_bars(n=120, symbol=s) for s in "ABCD"]
    table = build_universe(world)
    names = feature_names(FeatureConfig(), table)
    assert build_panel(world, universe=table).feature_names == names
    chosen = (names[40], names[3], names[80])
    panel = build_panel(world[:2], universe=table, columns=chosen)
    assert panel.feature_names == chosen
    full = build_panel(world[:2], universe=table, columns=names)
    np.testing.assert_array_equal(panel.features, full.features[:, [40, 3, 80]])
    with pytest.raises(DataError, match="1 features cannot be computed from these data, such as 'rsi_9'"):
        build_panel(world, universe=table, columns=["rsi_20", "rsi_9"])


def test_importing_the_package_imports_no_library():
    code = "import sys, features; assert not {'pandas', 'numpy', 'talib', 'scipy'} & set(sys.modules); features.Panel"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_public_name_exists():
    import features

    assert all(getattr(features, name) is not None for name in features.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        getattr(features, "nothing")  # noqa: B009
