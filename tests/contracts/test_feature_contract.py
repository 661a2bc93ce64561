"""Every family of the catalog is causal, independent of units, named, described and defined after its warm-up."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from configs.data import ContextConfig, FeatureConfig
from configs.feature_groups import ALTERNATIVE_GROUPS
from features import MarketContext, Panel, SymbolBars, build_panel, build_universe, describe_features
from features.alternative.known import KnownData
from features.bars.sessions import session_gaps
from features.catalog import all_specs
from features.feature_plan import plan_features
from features.inputs import Layout

N = 260
CONFIG = FeatureConfig()
NAMES = [spec.name for spec in all_specs()]
OF_CONTEXT = tuple(f"{group}_" for group in ("context", *ALTERNATIVE_GROUPS))
FIELDS = ("open", "high", "low", "close")


def bars(seed: int, n: int = N, symbol: str = "A") -> SymbolBars:
    rng = np.random.default_rng([seed, *symbol.encode()])
    dates = np.busday_offset("2015-01-01", np.arange(n), roll="forward").astype("datetime64[ns]")
    sigma = 0.015 * np.exp(rng.normal(0.0, 0.4, n))
    close = 50.0 * np.exp(np.cumsum(rng.normal(0.0, sigma)))
    opened = np.concatenate([[50.0], close[:-1]]) * np.exp(rng.normal(0.0, 0.3 * sigma))
    high = np.maximum(opened, close) * np.exp(np.abs(rng.normal(0.0, 0.5 * sigma)))
    low = np.minimum(opened, close) * np.exp(-np.abs(rng.normal(0.0, 0.5 * sigma)))
    return SymbolBars(symbol, dates, opened, high, low, close, np.exp(rng.normal(12.0, 0.4, n)), True, True)


def with_changed_tail(original: SymbolBars, after: int, seed: int) -> SymbolBars:
    other = bars(seed, len(original), original.symbol)

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(original, name)[: after + 1], getattr(other, name)[after + 1 :]])

    return dataclasses.replace(original, **{name: joined(name) for name in (*FIELDS, "volume")})


def market_frame(seed: int, after: np.datetime64 | None = None) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    dates = pd.bdate_range("2014-06-02", periods=450)
    values = np.exp(np.cumsum(rng.normal(0.0, 0.03, (450, 3)), axis=0)) * 20.0
    if after is not None:
        late = dates.to_numpy() > after
        values[late] = np.random.default_rng(seed).uniform(1.0, 99.0, (int(late.sum()), 3))
    frames = [
        pd.DataFrame({"date": dates, "series": s, "value": values[:, i]}) for i, s in enumerate(("VIX", "OIL", "10Y"))
    ]
    return pd.concat(frames)


CONTEXT = ContextConfig(kinds={"VIX": "level", "OIL": "price", "10Y": "rate"}, lag_days={"OIL": 1, "10Y": 1})


def alternative_rows(seed: int, after: np.datetime64 | None = None) -> dict[str, pd.DataFrame]:
    """Return series, each value revised once, events and texts; what is known after a date depends on the seed."""
    rng, days = np.random.default_rng(2), pd.bdate_range("2014-06-02", periods=450)
    parts = []
    for symbol, name in [(s, "iv30") for s in "ABCDEF"] + [("", "iv30"), ("", "CPIAUCSL"), ("", "weather_rain")]:
        for delay in (1, 9):
            values = np.exp(np.cumsum(rng.normal(0.0, 0.02, len(days)))) + 0.01 * delay
            known = days.tz_localize("UTC") + pd.Timedelta(days=delay, hours=13, minutes=len(parts))
            part = pd.DataFrame({"symbol": symbol, "series": name, "period": days, "value": values})
            parts.append(part.assign(known_from=known))
    series = pd.concat(parts, ignore_index=True)
    at = pd.DatetimeIndex(days[20::30]).tz_localize("UTC") + pd.Timedelta(hours=19)
    events = pd.DataFrame({"symbol": "", "event": "FOMC", "at": at, "known_from": at - pd.Timedelta(days=50)})
    texts = series[rng.random(len(series)) < 0.7].assign(kind="news", source="x", relevance=1.0)
    texts["id"], texts["tone"] = texts.index.astype(str), np.tanh(texts["value"] - 1.5)
    texts["text"] = [f"words {i % 17} of {i % 7} and {i % 3}" for i in texts.index]
    if after is not None:
        texts = texts[texts["known_from"] <= pd.Timestamp(after, tz="UTC") + pd.Timedelta(hours=21)]
        later = np.random.default_rng(seed)
        late = series["known_from"] > pd.Timestamp(after, tz="UTC") + pd.Timedelta(hours=21)
        series.loc[late, "value"] = later.uniform(1.0, 9.0, int(late.sum()))
        events = events[events["known_from"] <= pd.Timestamp(after, tz="UTC")]
    return {"series": series, "events": events, "texts": texts}


def context_of(frame: pd.DataFrame, rows: dict[str, pd.DataFrame] | None = None) -> MarketContext:
    known = KnownData.from_frames(**(rows or alternative_rows(0)))
    return dataclasses.replace(MarketContext.from_frame(frame, CONTEXT), alternative=known)


def world(seed: int = 0, count: int = 6) -> list[SymbolBars]:
    return [bars(seed, symbol=s) for s in "ABCDEF"[:count]]


def features_of(
    symbol_bars: SymbolBars,
    everything: list[SymbolBars],
    frame: pd.DataFrame,
    name: str | None = None,
    rows: dict[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    config = CONFIG if name is None else CONFIG.model_copy(update={"technical_indicators": (name,)})
    panel = build_panel([symbol_bars], config, build_universe(everything, CONFIG), context_of(frame, rows))
    return pd.DataFrame(panel.features, panel.dates, panel.feature_names)


@pytest.fixture(scope="module")
def expected() -> pd.DataFrame:
    everything = world()
    return features_of(everything[0], everything, market_frame(0))


def columns_of(name: str, frame: pd.DataFrame) -> list[str]:
    context = [c for c in frame.columns if c.startswith(OF_CONTEXT)]
    (spec,) = (spec for spec in all_specs() if spec.name == name)
    return list(spec.columns(Layout(CONFIG.lookback_periods, tuple(context))))


@pytest.mark.parametrize("name", NAMES)
def test_a_family_alone_gives_the_same_values_as_among_all(name: str, expected: pd.DataFrame) -> None:
    everything = world()
    alone = features_of(everything[0], everything, market_frame(0), name)
    assert list(alone.columns) == columns_of(name, expected)
    pd.testing.assert_frame_equal(alone, expected[alone.columns])


@pytest.mark.parametrize("after", [70, 133, 200, 257])
def test_changing_everything_after_t_changes_nothing_up_to_t(after: int, expected: pd.DataFrame) -> None:
    changed = [with_changed_tail(b, after, seed=9) for b in world()]
    frame = market_frame(9, after=changed[0].dates[after])
    moved = features_of(changed[0], changed, frame, rows=alternative_rows(9, changed[0].dates[after]))
    pd.testing.assert_frame_equal(moved.iloc[: after + 1], expected.iloc[: after + 1], check_exact=True)
    assert not moved.iloc[after + 1 :].equals(expected.iloc[after + 1 :])


@pytest.mark.parametrize("after", [90, 256])
def test_a_history_that_ends_at_t_gives_the_same_rows(after: int, expected: pd.DataFrame) -> None:
    ended = [
        dataclasses.replace(b, **{f: getattr(b, f)[: after + 1] for f in ("dates", *FIELDS, "volume")}) for b in world()
    ]
    short = features_of(ended[0], ended, market_frame(0))
    pd.testing.assert_frame_equal(short, expected.iloc[: after + 1], check_exact=True)


@pytest.mark.parametrize("price, volume", [(1e-7, 1e9), (3.7, 0.013), (1e8, 1e-6)])
def test_features_do_not_depend_on_the_units_of_price_and_volume(
    price: float, volume: float, expected: pd.DataFrame
) -> None:
    everything = world()
    scaled = dataclasses.replace(
        everything[0],
        **{f: getattr(everything[0], f) * price for f in FIELDS},
        volume=everything[0].volume * volume,
    )
    other = features_of(scaled, [scaled, *everything[1:]], market_frame(0))
    # Rounding scaled prices to float64 changes a sum of sixty by about 1e-14, and float32 rounds at 6e-8.
    np.testing.assert_allclose(other.to_numpy(), expected.to_numpy(), rtol=2e-5, atol=2e-6)


@pytest.mark.parametrize("name", [name for name in NAMES if name != "news_sentiment"])  # days without news are NaN
def test_the_declared_warm_up_is_exact(name: str, expected: pd.DataFrame) -> None:
    context = tuple(c for c in expected.columns if c.startswith(OF_CONTEXT))
    (spec,) = (spec for spec in all_specs() if spec.name == name)
    warmup = spec.warmup(Layout(CONFIG.lookback_periods, context))
    known = expected[columns_of(name, expected)].notna().all(axis=1).to_numpy()
    assert known[warmup:].all()
    # A recursive average is defined before its start values have faded: only it may declare a longer warm-up.
    assert not known[:warmup].any() or name == "ewma"


@pytest.fixture(scope="module")
def panel() -> Panel:
    """Six symbols with the same trading days."""
    everything = world()
    return build_panel(everything, CONFIG, build_universe(everything, CONFIG), context_of(market_frame(0)))


@pytest.mark.parametrize("name", NAMES)
def test_columns_flagged_as_market_wide_are_those_that_are_equal_for_all_symbols(name: str, panel: Panel) -> None:
    names = list(panel.feature_names)
    (spec,) = (spec for spec in all_specs() if spec.name == name)
    first, *others = panel.features.reshape(len(panel.symbols), N, -1)
    same = np.all([(other == first) | (np.isnan(other) & np.isnan(first)) for other in others], axis=(0, 1))
    equal = {column for column in columns_of(name, pd.DataFrame(columns=names)) if same[names.index(column)]}
    context = context_of(market_frame(0))
    layout = Layout(CONFIG.lookback_periods, context.all_columns, context.market_columns)
    assert equal == set(spec.market_wide(layout)) == {c for c in panel.market_wide if c in spec.columns(layout)}
    assert {panel.market_wide[column] for column in equal} <= {spec.group}


def test_market_columns_are_the_flagged_ones_with_or_without_those_of_the_calendar(panel: Panel) -> None:
    names, flagged = panel.feature_names[::-1], panel.market_wide
    turned = dataclasses.replace(panel, feature_names=names)
    positions = turned.market_columns(calendar=True)
    assert [names[i] for i in positions] == [c for c in names if c in flagged]
    positions = turned.market_columns(calendar=False)
    assert [names[i] for i in positions] == [c for c in names if flagged.get(c, "calendar") != "calendar"]
    assert {"universe_return_1", "breadth_1", "context_vix_log"} <= {names[i] for i in positions}
    assert len(dataclasses.replace(panel, feature_names=("rsi_20",)).market_columns(calendar=True)) == 0


@pytest.mark.parametrize("name", NAMES)
def test_a_family_is_described(name: str) -> None:
    (spec,) = (spec for spec in all_specs() if spec.name == name)
    assert spec.description and "\n" not in spec.description and len(spec.description) < 120
    assert spec.needs <= {"range", "volume", "universe", "context"}


def test_columns_are_unique_and_described(expected: pd.DataFrame) -> None:
    own = plan_features(CONFIG).names
    assert len(own) >= 80
    assert len(set(expected.columns)) == len(expected.columns)
    described = describe_features(CONFIG)
    assert {row[0] for row in described} >= set(own)
    assert {row[1] for row in described} == {spec.group for spec in all_specs()}


@pytest.mark.parametrize("periods", [(2,), (3, 7), (5, 10, 20, 120)])
def test_any_periods_give_unique_columns_and_an_exact_warm_up(periods: tuple[int, ...]) -> None:
    config = FeatureConfig(lookback_periods=periods)
    everything = world()
    panel = build_panel(everything[:1], config, build_universe(everything, config))
    assert len(set(panel.feature_names)) == len(panel.feature_names)
    if min(periods) > 4:  # ratios are undefined if two or three bars are all flat or all fall
        assert np.isfinite(panel.features[panel.warmup :]).all()


def at_exchange(calendar: str, names: str) -> list[SymbolBars]:
    ends = np.array(["2021-01-04", "2021-12-30"], "datetime64[ns]")
    dates = np.union1d(ends, session_gaps(ends, calendar))
    return [dataclasses.replace(bars(2, len(dates), name), dates=dates) for name in names]


@pytest.mark.parametrize(
    ("earlier", "later"), [("XTKS", "XNYS"), ("XLON", "XNYS"), ("XASX", "XLON"), ("XTKS", "24/7"), ("XNYS", "24/5")]
)
@pytest.mark.parametrize("day", ["2021-07-01", "2021-09-15", "2021-12-30"])
def test_features_of_a_date_do_not_depend_on_markets_that_close_later_on_it(earlier: str, later: str, day: str) -> None:
    """A date's row of the universe includes closes hours after the earlier market's close."""
    first, second = at_exchange(earlier, "ABCD"), at_exchange(later, "EFGH")
    date = np.datetime64(day, "ns")
    changed = [with_changed_tail(b, int(np.searchsorted(b.dates, date)) - 1, seed=9) for b in second]
    expected, moved = (build_panel(first[:1], CONFIG, build_universe([*first, *other])) for other in (second, changed))
    until = expected.dates <= date
    np.testing.assert_array_equal(moved.features[until], expected.features[until])
    if not until.all():
        assert (moved.features[~until] != expected.features[~until]).any()
