"""The universe table and the market context agree with their definitions, are causal and do not depend on blocks."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from configs.data import ContextConfig, FeatureConfig
from configs.errors import DataError
from features import MarketContext, UniverseTable, build_panel, build_universe
from features.bars.sessions import session_gaps
from features.inputs import Inputs, Layout
from features.labels import bar_variance

CONFIG = FeatureConfig()


@pytest.fixture(scope="module")
def world(make_bars):
    return [make_bars(seed=1, n=180, symbol=f"S{i}") for i in range(40)]


@pytest.fixture(scope="module")
def table(world):
    return build_universe(iter(world), CONFIG)


def test_moments_agree_with_their_definitions(world, table):
    returns = np.stack([np.diff(np.log(b.close), prepend=np.nan) for b in world])
    np.testing.assert_allclose(np.diff(table.log_index), returns[:, 1:].mean(axis=0), atol=1e-12)
    np.testing.assert_allclose(table.dispersion[1:], returns[:, 1:].std(axis=0), rtol=1e-6)
    np.testing.assert_allclose(table.breadth[1:], (returns[:, 1:] > 0).mean(axis=0))
    volatility = np.stack([np.sqrt(bar_variance(b)) for b in world])
    np.testing.assert_allclose(table.volatility[1:], volatility[:, 1:].mean(axis=0))
    assert (table.count == 40).all()


def test_rank_is_the_position_among_the_symbols(world, table):
    inputs = [Inputs(b, Layout(CONFIG.lookback_periods)) for b in world]
    for name in ("return_1", "return_20", "volatility", "volume_change"):
        values = np.stack([i.ranked_quantities[name] for i in inputs])
        exact = pd.DataFrame(values).rank(axis=0).to_numpy()
        exact = np.where(np.isnan(values), np.nan, (exact - 1) / 39 - 0.5)
        got = np.stack([table.at(b.dates).rank(name, v) for b, v in zip(world, values, strict=True)])
        assert np.array_equal(np.isnan(got), np.isnan(exact))
        assert np.nanmean(np.abs(got - exact)) < 0.02 and np.nanmax(np.abs(got - exact)) < 0.12


def test_order_of_symbols_and_of_blocks_does_not_matter(world, table):
    other = build_universe(reversed(world), CONFIG)
    for name, values in table.to_arrays().items():
        np.testing.assert_allclose(other.to_arrays()[name], values, rtol=1e-12, atol=1e-14)
    together = build_panel(world[:4], CONFIG, table)
    alone = build_panel(world[2:3], CONFIG, table)
    np.testing.assert_array_equal(together.features[together.rows(2)], alone.features)


def test_a_table_is_restored_from_its_arrays(table, world):
    again = UniverseTable.from_arrays({k: v.copy() for k, v in table.to_arrays().items()})
    assert (again.periods, again.members, again.lag) == (table.periods, 40, 0)
    assert all(v.dtype.kind in "iuf" for v in table.to_arrays().values())
    np.testing.assert_array_equal(
        build_panel(world[:1], CONFIG, again).features, build_panel(world[:1], CONFIG, table).features
    )


def test_symbols_with_other_dates_use_the_latest_rows(make_bars, world, table):
    late = make_bars(seed=5, n=60, symbol="LATE", start="2015-03-02")
    weekend = dataclasses.replace(late, dates=late.dates + np.timedelta64(12, "h"))
    rows = table.at(weekend.dates)
    np.testing.assert_array_equal(rows.log_index, table.at(late.dates).log_index)
    mixed = build_universe([*world, weekend], CONFIG)
    assert len(mixed.dates) == len(table.dates)  # a date with one symbol has no row
    after = table.at(table.dates[-1:] + np.arange(0, 30, 5) * np.timedelta64(1, "D"))
    assert np.isnan(after.breadth).tolist() == [False, False, True, True, True, True]


def test_two_symbols_give_an_empty_table(world):
    table = build_universe(world[:2], CONFIG)
    assert table.is_empty
    assert np.isnan(table.at(world[0].dates).log_index).all()
    panel = build_panel(world[:2], CONFIG, table)
    assert not [n for n in panel.feature_names if n.startswith(("rank_", "universe_", "beta_"))]
    assert UniverseTable.from_arrays(table.to_arrays()).is_empty


def test_a_named_universe_ignores_other_symbols(world):
    named = CONFIG.model_copy(update={"universe": tuple(b.symbol for b in world[:5])})
    np.testing.assert_array_equal(build_universe(world, named).log_index, build_universe(world[:5], CONFIG).log_index)


def test_a_table_of_other_periods_is_an_error(world, table):
    with pytest.raises(DataError, match=r"built for lookback_periods \[5, 20, 60\]"):
        build_panel(world[:1], FeatureConfig(lookback_periods=(3, 9)), table)


def context_frame(n: int = 200) -> pd.DataFrame:
    dates = pd.bdate_range("2015-01-01", periods=n)
    vix = 15.0 + np.sin(np.arange(n) / 7.0)
    rate = np.linspace(2.0, -1.0, n)
    frames = [pd.DataFrame({"date": dates, "series": s, "value": v}) for s, v in (("^VIX", vix), ("T10Y2Y", rate))]
    return pd.concat(frames, ignore_index=True)


KINDS = ContextConfig(kinds={"^VIX": "level", "T10Y2Y": "rate"}, lag_days={"^VIX": 1, "T10Y2Y": 3})


def test_context_values_are_used_only_after_their_lag():
    frame = context_frame()
    context = MarketContext.from_frame(frame, KINDS)
    days = np.arange("2015-03-02", "2015-06-01", dtype="datetime64[D]").astype("datetime64[ns]")
    got = dict(zip(context.columns, context.at(days).T, strict=True))
    by_date = frame.pivot(index="date", columns="series", values="value")
    for day, level, step in zip(days, got["context_vix_log"], got["context_t10y2y_change_1"], strict=True):
        day = pd.Timestamp(day)
        published = by_date["^VIX"][: day - pd.Timedelta(days=1)]
        assert level == pytest.approx(np.log(published.iloc[-1]))
        rates = by_date["T10Y2Y"][: day - pd.Timedelta(days=3)]
        assert step == pytest.approx(rates.iloc[-1] - rates.iloc[-2])


def test_context_ignores_missing_values_and_series_that_are_not_configured_or_have_ended():
    frame = context_frame()
    frame.loc[50, "value"] = np.nan
    frame.loc[51, "value"] = -1.0
    shuffled = pd.concat([frame, frame.assign(series="OTHER")]).sample(frac=1.0, random_state=0)
    context = MarketContext.from_frame(shuffled, KINDS)
    assert len(context.columns) == 8 and not any("other" in c for c in context.columns)
    dates = np.array(["2014-06-01", "2015-08-03", "2019-01-01"], "datetime64[ns]")
    assert np.isfinite(context.at(dates)).all(axis=1).tolist() == [False, True, False]
    hole = np.datetime64(frame.loc[51, "date"]) + np.timedelta64(1, "D")
    level = context.at(np.array([hole]))[0, context.columns.index("context_vix_log")]
    assert level == pytest.approx(np.log(frame.loc[49, "value"]))


def test_a_context_is_restored_from_its_arrays_and_fills_its_columns(make_bars):
    context = MarketContext.from_frame(context_frame(), KINDS)
    again = MarketContext.from_arrays({k: v.copy() for k, v in context.to_arrays().items()})
    bars = make_bars(n=150)
    panel = build_panel([bars], CONFIG, None, again)
    at = [panel.feature_names.index(c) for c in context.columns]
    np.testing.assert_allclose(panel.features[:, at], context.at(bars.dates), rtol=1e-6)
    assert np.isfinite(panel.features[panel.warmup :, at]).all()


@pytest.mark.parametrize(
    "frame, kinds, message",
    [
        (context_frame().rename(columns={"value": "close"}), {"^VIX": "level"}, "missing: value"),
        (context_frame(), {"VIX": "level"}, "no series 'VIX'. Choose from: T10Y2Y, \\^VIX"),
        (context_frame().astype({"date": str}).replace("2015-01-02", "soon"), {"^VIX": "level"}, "cannot be read"),
        (context_frame().astype({"value": str}).replace("15.0", "n.a."), {"^VIX": "level"}, "cannot be read"),
    ],
)
def test_context_errors_name_the_problem(frame, kinds, message):
    with pytest.raises(DataError, match=message):
        MarketContext.from_frame(frame, ContextConfig(kinds=kinds))


def on_days(bars, dates):
    return dataclasses.replace(bars, dates=dates)


def hong_kong_and_new_york(make_bars):
    """Return four symbols of each exchange, on its sessions of the same year."""
    ends = np.array(["2021-01-04", "2021-12-31"], "datetime64[ns]")
    out = []
    for calendar, names in (("XHKG", "HIJK"), ("XNYS", "NOPQ")):
        dates = np.union1d(ends, session_gaps(ends, calendar))
        out.append([on_days(make_bars(seed=3, n=len(dates), symbol=name), dates) for name in names])
    return out


def test_the_lag_follows_from_the_calendars_or_the_configuration(make_bars):
    east, west = hong_kong_and_new_york(make_bars)
    assert [build_universe(bars, CONFIG).lag for bars in (east, west)] == [0, 0]
    both = build_universe([*east, *west], CONFIG)
    assert (both.lag, both.members) == (1, 8)
    assert set(both.calendars) == {"XHKG", "XNYS"}
    assert build_universe([*east, *west], CONFIG.model_copy(update={"universe_lag": 0})).lag == 0
    assert build_universe(west, CONFIG.model_copy(update={"universe_lag": 1})).lag == 1
    only_west = CONFIG.model_copy(update={"universe": tuple(b.symbol for b in west)})
    named = build_universe([*east, *west], only_west)
    assert (named.lag, named.members) == (1, 4), "symbols outside the universe use the table too"


def test_with_a_lag_a_bar_uses_rows_of_earlier_days_only(world):
    table = build_universe(world, CONFIG.model_copy(update={"universe_lag": 1}))
    unlagged = dataclasses.replace(table, lag=0)
    dates = table.dates[50:60]
    for hours in (0, 14):
        rows = table.at(dates + np.timedelta64(hours, "h"))
        np.testing.assert_array_equal(rows.breadth, unlagged.at(table.dates[49:59]).breadth)
    assert np.isnan(table.at(table.dates[:1]).breadth).all()


def test_with_a_lag_features_are_defined_one_bar_later_and_beta_pairs_the_same_days(world):
    lagged = build_universe(world, CONFIG.model_copy(update={"universe_lag": 1}))
    late, unlagged = (build_panel(world[:1], CONFIG, table) for table in (lagged, dataclasses.replace(lagged, lag=0)))
    assert late.warmup == unlagged.warmup + 1
    assert np.isfinite(late.features[late.warmup :]).all()
    for name in ("beta_20", "correlation_60", "universe_return_5"):
        column = unlagged.feature_names.index(name)
        np.testing.assert_allclose(late.features[1:, column], unlagged.features[:-1, column], rtol=1e-6)
