"""A forecast names its bars and the band that counts as sideways, and says when its bars are not up to date."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from configs.models import LabelConfig
from features.bars.schedule import Period, Sessions
from features.labels import bar_variance, direction_labels, ewma_volatility
from serving.answers import PredictionRequest
from serving.engine import PredictionEngine
from serving.targets import LastBar, band_of, is_seen
from serving.web.prediction_service import EngineService

LABELS = [LabelConfig(), LabelConfig(k=1.5, ewma_lambda=0.8), LabelConfig(mode="threshold", threshold=0.01)]


@pytest.mark.parametrize("horizon", [1, 5])
@pytest.mark.parametrize("label", LABELS, ids=str)
def test_the_band_is_that_of_the_labels(universe, label, horizon):
    """Closes inside the band's prices are labelled sideways, closes beyond them are not, at every bar."""
    for bars in universe.values():
        vol = ewma_volatility(bar_variance(bars), label.ewma_lambda)
        labels = direction_labels(bars.close, vol, horizon, label)
        for i in range(50, len(bars) - horizon):
            last = LastBar(bars.dates[i], bars.close[i], vol[i], Sessions("24/5"))
            band, later = band_of(last, horizon, label), bars.close[i + horizon]
            expected = 0 if later < band.low_price else 2 if later > band.high_price else 1
            assert labels[i] == expected
            assert band.low_return == pytest.approx(band.low_price / bars.close[i] - 1)
            assert band.high_return == pytest.approx(band.high_price / bars.close[i] - 1)
            assert np.exp(band.log_return) == pytest.approx(1 + band.high_return)


@pytest.mark.parametrize(
    ("calendar", "last", "seen_to", "seen"),
    [
        ("XTKS", "2026-11-27", "2026-11-29", False),  # up to a coin's Sunday; Tokyo's next session is on Monday
        ("XTKS", "2026-11-27", "2026-11-30", True),
        ("24/7", "2026-11-27", "2026-11-29", True),
        ("24/7", "2026-11-29", "2026-11-29", False),
    ],
)
def test_a_forecast_is_out_of_sample_if_the_fit_saw_no_bar_after_it(calendar, last, seen_to, seen):
    bar = LastBar(np.datetime64(last, "ns"), 1.0, 0.01, Sessions(calendar))
    assert is_seen(bar, datetime.fromisoformat(seen_to)) == seen
    assert is_seen(replace(bar, schedule=Period(1)), datetime.fromisoformat(seen_to)) == (last < seen_to)


def test_without_a_volatility_there_is_no_band():
    assert band_of(LastBar(np.datetime64("2024-01-02", "ns"), 1.0, np.nan, Sessions("24/7")), 1, LabelConfig()) is None


def test_answers_from_the_store_and_from_bars_name_the_same_bars_and_band(engine, bars_of):
    by_name = engine.predict_single(PredictionRequest("AAA")).prediction
    from_bars = engine.predict_single(PredictionRequest("AAA", bars_of("AAA", 480))).prediction
    for kind in ("direction", "volatility"):  # two years of weekdays may have had no Christmas on one
        assert getattr(by_name, kind).target_date is getattr(from_bars, kind).target_date is None
    assert by_name.direction.band.high_price == pytest.approx(from_bars.direction.band.high_price)
    low, high = by_name.direction.band.low_price, by_name.direction.band.high_price
    assert low < by_name.close < high


def test_stale_answers_have_a_note_by_name_and_from_bars(engine, bars_of):
    for data in (None, bars_of("AAA", 480)):
        found = engine.predict_single(PredictionRequest("AAA", data)).prediction
        assert found.error is None and found.stale
        assert found.notes[-1].startswith("bars end on 2016-11-02, ") and "weekdays are missing" in found.notes[-1]


def test_recent_bars_have_no_note_whatever_the_cache_holds(engine, bars_of):
    bars = bars_of("AAA", 480)
    today = np.datetime64(datetime.now(UTC).date(), "D")
    recent = np.busday_offset(today, np.arange(-480, 0), roll="forward").astype("datetime64[ns]")
    for _ in range(2):
        found = engine.predict_single(PredictionRequest("AAA", replace(bars, dates=recent))).prediction
        assert not found.stale and not any("bars end" in note for note in found.notes)


def test_answers_say_up_to_when_the_models_saw_data(trained_store):
    with PredictionEngine(trained_store, follow=False) as engine:
        fleet = engine.snapshot.fleets["volatility"]
        fleet.predictor.trained_to, fleet.predictor.calibrated_to = "2016-10-26", "2016-10-26"
        windows, last = engine.snapshot.windows["volatility"], engine.snapshot.last_bars["AAA"]
        _, found, _ = windows.windows_of(fleet.predictor, {"AAA"})
        (forecast,) = fleet.forecast(found, np.array([fleet.row("AAA")]), [last])
        assert (forecast.trained_to, forecast.calibrated_to) == ("2016-10-26", "2016-10-26")
        (facts, _) = sorted(asyncio.run(EngineService(engine, 1).models()), key=lambda one: one["kind"], reverse=True)
        assert (facts["trained_to"], facts["calibrated_to"]) == ("2016-10-26", "2016-10-26")
