"""The live feed: forecasts of a closed bar are those of a server whose bars end there; a partial bar is not used."""

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from configs.schema import Config
from features.store.lake import Lake
from serving.answers import PredictionRequest
from serving.bot.champions import Champions
from serving.bot.closed_bars import ready_rows
from serving.engine import PredictionEngine
from training.registry.manager import ModelManager

pytestmark = pytest.mark.slow

NO_WAIT = timedelta(0)
SYMBOLS = ("AAA", "BBB", "CCC", "DDD", "EEE")
PRICES = ("open", "high", "low", "close")


def end_of(bars) -> datetime:
    return bars.dates[-1].astype("datetime64[us]").item().replace(tzinfo=UTC) + timedelta(days=1)


@pytest.fixture
def feed(store) -> Champions:
    config = Config.model_validate({"strategy": {"name": "volatility_target"}})
    feed = Champions(ModelManager(store), config)
    feed.refresh()
    return feed


def newest_row(feed, now):
    (row,) = ready_rows(feed.verdicts(now), None, now, NO_WAIT)
    return row


def test_forecasts_equal_those_of_the_engine(feed, store, bars_of):
    now = end_of(bars_of("AAA", 480))
    row = newest_row(feed, now)
    assert row.instant == now
    rows = feed.forecasts(row, feed.versions(), "bot:paper")
    assert {(one.symbol, one.kind) for one in rows} == {(s, k) for s in SYMBOLS for k in ("direction", "volatility")}
    with PredictionEngine(store, follow=False) as engine:
        for one in rows:
            answer = engine.predict_single(PredictionRequest(one.symbol))
            if one.kind == "direction":
                assert one.p_up == pytest.approx(answer.direction.probabilities.up, rel=1e-6)
                assert set(one.baselines) >= {"prior"}
            else:
                assert (one.variance * one.bars_per_year) ** 0.5 == pytest.approx(
                    answer.volatility.annualised, rel=1e-6
                )
                assert set(one.baselines) >= {"ewma", "log_har"}
            assert (one.bar_close, one.made_by, one.is_shadow) == (now, "bot:paper", False)


def test_a_bar_that_is_being_formed_changes_nothing(feed, store, bars_of):
    before = end_of(bars_of("AAA", 480))
    row = newest_row(feed, before)
    plain = feed.forecasts(row, feed.versions(), "bot:paper")
    for symbol in SYMBOLS:
        bars = bars_of(symbol, 481)
        wild = {name: np.append(getattr(bars, name)[:-1], getattr(bars, name)[-2] * 1.5) for name in PRICES}
        Lake(store).append(replace(bars, **wild))
    feed.refresh()
    now = end_of(bars_of("AAA", 481)) - timedelta(seconds=1)
    row = newest_row(feed, now)
    assert row.instant == before
    again = feed.forecasts(row, feed.versions(), "bot:paper")
    for one, other in zip(plain, again, strict=True):
        assert replace(one, made_at=other.made_at) == other
    market = feed.market(row, ())
    assert market.dates[-1] == bars_of("AAA", 480).dates[-1]


def test_a_bar_that_was_stored_while_it_was_being_formed_is_used_when_it_is_stored_again(store, bars_of):
    closed = end_of(bars_of("AAA", 481))
    for symbol in SYMBOLS:
        bars = bars_of(symbol, 481)
        part = {name: np.append(getattr(bars, name)[:-1], getattr(bars, name)[-2]) for name in PRICES}
        Lake(store).append(replace(bars, **part))
        during = (closed - timedelta(hours=1)).timestamp()
        os.utime(store.path(f"lake/bars/{symbol}.parquet"), (during, during))
    feed = Champions(ModelManager(store), Config.model_validate({"strategy": {"name": "volatility_target"}}))
    feed.refresh()
    now = closed + timedelta(minutes=10)
    assert {one.date for one, _ in feed.verdicts(now).values()} == {bars_of("AAA", 480).dates[-1]}
    assert not [row for row in ready_rows(feed.verdicts(now), bars_of("AAA", 480).dates[-1], now, timedelta(hours=1))]
    for symbol in SYMBOLS:
        Lake(store).append(bars_of(symbol, 481))
    feed.refresh()
    assert newest_row(feed, now).date == bars_of("AAA", 481).dates[-1]


def test_a_stale_symbol_has_a_reason_and_no_forecast(feed, store, bars_of):
    for symbol in ("BBB", "CCC", "DDD", "EEE"):
        Lake(store).append(bars_of(symbol, 490))
    feed.refresh()
    now = end_of(bars_of("BBB", 490))
    verdicts = feed.verdicts(now)
    assert verdicts["AAA"][0].problem == "stale" and "10 weekdays are missing" in verdicts["AAA"][0].reason
    row = newest_row(feed, now)
    assert set(row.late) == {"AAA"}
    rows = feed.forecasts(row, feed.versions(), "bot:paper")
    assert {one.symbol for one in rows} == {"BBB", "CCC", "DDD", "EEE"}
    assert feed.market(row, ()).symbols == SYMBOLS


def test_missed_dates_are_forecast_from_the_bars_of_their_time(feed, store, bars_of):
    first = newest_row(feed, end_of(bars_of("AAA", 480)))
    for symbol in SYMBOLS:
        Lake(store).append(bars_of(symbol, 482))
    feed.refresh()
    now = end_of(bars_of("AAA", 482))
    rows = ready_rows(feed.verdicts(now), first.date, now, NO_WAIT)
    assert [row.date for row in rows] == list(bars_of("AAA", 482).dates[-2:])
    late = feed.forecasts(rows[0], feed.versions(), "bot:paper")
    other = Champions(ModelManager(store), Config())
    for symbol in SYMBOLS:
        Lake(store).remove([symbol])
        Lake(store).append(bars_of(symbol, 481))
    other.refresh()
    on_time = other.forecasts(newest_row(other, end_of(bars_of("AAA", 481))), other.versions(), "bot:paper")
    for one, then in zip(on_time, late, strict=True):
        assert replace(one, made_at=then.made_at) == then
