"""Figures of chains in the lake: functions of the stored quotes, causal, and never mixed with a vendor's."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from option_chains import black_price, chain_of

from configs.data import DataConfig, FeatureConfig
from features.alternative.checks import ReadingOptions
from features.alternative.known import KnownData
from features.alternative.options.figures import chain_figures
from features.alternative.read_series import read_option_days
from features.alternative.read_texts import read_chain
from features.bars.schema import SymbolBars
from features.bars.sessions import sessions_between
from features.known_source import has_rows, load_known
from features.store.alternative import AlternativeLake
from features.store.lake import Lake
from features.store.option_figures import OptionFigures
from features.store.store import Store

OPTIONS = ReadingOptions("mine", np.datetime64("2026-06-01", "ns"))
DATES = sessions_between("XNYS", np.datetime64("2023-03-01"), np.datetime64("2024-03-08")).astype("datetime64[ns]")
SMALL = {"days": (14, 49), "strikes": (90.0, 92.5, 95.0, 97.5, 100.0, 102.5, 105.0, 107.5, 110.0)}
DAYS = ("2024-03-04", "2024-03-05", "2024-03-06")


@pytest.fixture
def lake(tmp_path) -> AlternativeLake:
    return AlternativeLake(Store(tmp_path))


def add(lake: AlternativeLake, *chains: pd.DataFrame) -> None:
    for chain in chains:
        assert not len(lake.append("options", read_chain(chain, OPTIONS).rows).refused)


def iv30(rows: pd.DataFrame, symbol: str = "ABC") -> pd.Series:
    """Return what the last bars know of iv30."""
    data = KnownData.from_frames(rows)
    return pd.Series(np.exp(data.at(symbol, DATES)[:, data.columns.index("options_iv30_log")]), DATES)[DAYS[0] :]


def test_the_last_snapshot_before_the_close_counts_and_a_later_one_for_the_next_bar(lake):
    times = {"10:00": 0.20, "15:59": 0.22, "16:20": 0.30}
    add(lake, *(chain_of(f"2024-03-04T{time}-05:00", volatility=vol, **SMALL) for time, vol in times.items()))
    found = iv30(OptionFigures(lake).features(lake.read("series", "ABC")))
    assert found[DAYS[0]] == pytest.approx(0.22, abs=1e-5) and found[DAYS[1]] == pytest.approx(0.30, abs=1e-3)


def tokyo_bars(symbol: str) -> SymbolBars:
    dates = sessions_between("XTKS", np.datetime64("2021-03-01"), np.datetime64("2024-03-01")).astype("datetime64[ns]")
    ones = np.ones(len(dates))
    return SymbolBars(symbol, dates, ones, ones, ones, ones, ones, True, True)


@pytest.mark.parametrize("bars_first", [True, False])
def test_sessions_and_expiries_are_those_of_the_exchange_of_the_bars(lake, bars_first):
    """A chain of Tokyo's close whose options expire at Tokyo's closes: its volatility is the one it was priced with."""
    expiry = pd.to_datetime(["2024-03-18T15:00+09:00", "2024-04-22T15:00+09:00"]).tz_convert("UTC")
    at = pd.Timestamp("2024-03-04T15:00+09:00")
    years = np.repeat((expiry - at) / pd.Timedelta(days=365), 2 * len(SMALL["strikes"]))
    chain = chain_of(str(at), **SMALL)
    price = black_price(chain["right"] == "call", 100.0, chain["strike"], years.to_numpy(), 0.25, 1.0)
    chain = chain.assign(bid=price, ask=price, open_interest=1.0)
    if bars_first:
        Lake(lake.store).append(tokyo_bars("ABC"))
    add(lake, chain)
    figures = OptionFigures(lake)
    if not bars_first:
        before = figures.read("ABC").set_index("series")
        assert abs(before["value"]["iv30"] - 0.25) > 1e-3, "at New York's closes, 15 hours later"
        Lake(lake.store).append(tokyo_bars("ABC"))
    found = figures.read("ABC").set_index("series")
    assert found["value"]["iv30"] == pytest.approx(0.25, abs=1e-6)
    assert found["period"]["iv30"] == pd.Timestamp("2024-03-04")
    assert found["period"]["put_open_interest"] == pd.Timestamp("2024-03-01")
    assert figures.derive("ABC")[1].rows.empty, "derived once"


@pytest.mark.slow
def test_figures_follow_the_quotes_however_they_arrive(lake, tmp_path):
    chains = [chain_of(f"{day}T15:45-05:00", volatility=0.2 + 0.01 * i, **SMALL) for i, day in enumerate(DAYS)]
    calls = chains[2]["right"] == "call"
    figures = OptionFigures(lake)
    for part in (chains[0], chains[2][calls], chains[1], chains[2][~calls]):
        add(lake, part)
        rows, new = figures.derive("ABC")
        assert len(new.rows) < len(rows) or part is chains[0], "only what changed is derived"
        assert figures.derive("ABC")[1].rows.empty
        pd.testing.assert_frame_equal(rows, chain_figures(lake.read("options", "ABC")).rows, check_dtype=False)
    (kept,) = (tmp_path / "lake/alternative/option_figures").iterdir()
    kept.write_bytes(kept.read_bytes()[:-9])
    pd.testing.assert_frame_equal(figures.read("ABC"), rows)
    assert figures.read("NONE").empty and len(figures.read_all()) == len(rows)


def test_figures_follow_quotes_that_were_imported_again_with_other_prices(lake):
    wrong, right = (chain_of(f"{DAYS[0]}T15:45-05:00", volatility=vol, **SMALL) for vol in (0.5, 0.2))
    figures = OptionFigures(lake)
    add(lake, wrong)
    assert iv30(figures.read("ABC"))[DAYS[0]] == pytest.approx(0.5, abs=1e-5)
    lake.store.delete(lake.file("options", "ABC"))
    assert figures.read("ABC").empty
    add(lake, right)
    assert iv30(figures.read("ABC"))[DAYS[0]] == pytest.approx(0.2, abs=1e-5), "as many quotes as before"


def test_a_delivery_of_several_sessions_has_the_figures_of_each(lake):
    late = {"known_from": "2024-03-06T09:00-05:00", "open_interest": 1.0}
    chains = [
        chain_of(f"{day}T15:45-05:00", volatility=vol, volume=volume, **SMALL, **late)
        for day, vol, volume in ((DAYS[0], 0.2, 10.0), (DAYS[1], 0.3, 1.0))
    ]
    add(lake, pd.concat(chains))
    rows = OptionFigures(lake).features(lake.read("series", "ABC"))
    assert set(rows["known_from"].astype(str)) == {"2024-03-06 14:00:00+00:00"}
    volume = rows[rows["series"] == "put_volume"].set_index("period")["value"]
    assert volume.to_dict() == {pd.Timestamp(DAYS[0]): 180.0, pd.Timestamp(DAYS[1]): 18.0}
    found = iv30(rows)
    assert found[: DAYS[1]].isna().all() and found[DAYS[2]] == pytest.approx(0.3, abs=1e-5), "the newest session's"
    data = KnownData.from_frames(rows)
    change = data.at("ABC", DATES)[-3:, data.columns.index("options_iv30_change_1")]
    assert change[0] == pytest.approx(np.log(0.3 / 0.2), abs=1e-4)


CHAINS = {
    (day, hour): read_chain(
        chain_of(f"{DAYS[day]}T{hour}:00-05:00", volatility=0.15 + 0.05 * day + 0.01 * hour, volume=hour, **SMALL),
        OPTIONS,
    ).rows.to_pandas()
    for day in range(3)
    for hour in (10, 15)
}
MOMENT = st.tuples(st.integers(0, 2), st.sampled_from((10, 15)))


PART = st.tuples(MOMENT, st.integers(0, 27))


@settings(max_examples=12)
@given(st.lists(MOMENT, unique=True, max_size=4), st.lists(PART, min_size=1, max_size=3), st.integers(0, 60))
def test_quotes_that_become_known_later_leave_every_earlier_figure_byte_identical(first, later, hours):
    base = pd.concat([CHAINS[0, 10], *(CHAINS[one] for one in first if one != (0, 10))])
    instant = base["known_from"].min() + pd.Timedelta(hours=hours)
    every = [base]
    for one, start in later:
        rows = CHAINS[one].iloc[start:]
        known = rows["known_from"].clip(lower=instant + pd.Timedelta(minutes=1, seconds=1))
        every.append(rows.assign(known_from=known, source="later"))
    before, after = (chain_figures(some).rows for some in (base, pd.concat(every)))
    old, new = (rows[rows["known_from"] <= instant].reset_index(drop=True) for rows in (before, after))
    pd.testing.assert_frame_equal(old, new, check_exact=True)


def test_a_vendors_series_is_not_joined_by_that_of_the_chains(lake):
    add(
        lake, *(chain_of(f"{DAYS[0]}T15:45-05:00", symbol=name, iv=0.9, volume=1.0, **SMALL) for name in ("ABC", "DEF"))
    )
    vendor = pd.DataFrame({"symbol": ["ABC"], "known_from": [f"{DAYS[0]}T15:00-05:00"], "IV30": [0.5]})
    lake.append("series", read_option_days(vendor, OPTIONS).rows)
    rows = OptionFigures(lake).features(lake.read_all("series"))
    assert iv30(rows)[DAYS[0]] == pytest.approx(0.5)
    assert iv30(rows, "DEF")[DAYS[0]] == pytest.approx(0.25, abs=1e-6), "and a quote's own iv is not used"
    assert {"put_volume", "iv30"} <= set(rows["series"][rows["symbol"] == "DEF"])
    assert set(rows["source"][(rows["symbol"] == "ABC") & (rows["series"] == "put_volume")]) == {"mine (implied 1)"}


def test_models_get_the_columns_of_chains_unless_options_are_left_out(lake):
    add(lake, chain_of(f"{DAYS[0]}T15:45-05:00", volume=1.0, open_interest=2.0, **SMALL))
    config = FeatureConfig(use_alternative_data=True)
    known = load_known(lake.store, config, DataConfig(symbols=("ABC", "OTHER")))
    series = {"iv30", "skew", "put_volume", "call_volume", "put_call_volume"}
    series |= {"put_open_interest", "call_open_interest", "put_call_open_interest"}
    assert {name.removeprefix("options_").removesuffix("_age") for name in known.columns if "_age" in name} == series
    assert "options_skew_zscore" in known.columns and "options_put_call_volume_log" in known.columns
    assert not load_known(lake.store, config, DataConfig(symbols=("OTHER",))).columns
    assert not load_known(
        lake.store, FeatureConfig(use_alternative_data=True, without=("options",)), DataConfig()
    ).columns
    assert has_rows(lake.store, config) and not has_rows(lake.store, FeatureConfig(use_sentiment=True))
