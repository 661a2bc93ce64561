"""Volatility is annualised by the bars a year of each symbol, and a model is of one period."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from configs.errors import DataError
from training import PriceDirectionPredictor, VolatilityPredictor
from training.predictors.join import join


def dated(bars, dates, symbol=None):
    return replace(bars, dates=np.asarray(dates)[: len(bars)].astype("datetime64[ns]"), symbol=symbol or bars.symbol)


def hours(count):
    """Return the UTC times of hourly bars of New York's sessions of 2021 on."""
    days = np.busday_offset("2021-01-04", np.arange(count // 7 + 1)).astype("datetime64[ns]")
    local = pd.DatetimeIndex((days[:, None] + np.arange(570, 990, 60).astype("timedelta64[m]")).ravel())
    return local.tz_localize("America/New_York").tz_convert("UTC").tz_localize(None).to_numpy()


@pytest.fixture(scope="module")
def bars(make_universe):
    return make_universe(("AAA", "BBB", "CCC"), bars=600)


@pytest.fixture(scope="module")
def settings(tiny_config):
    return tiny_config("volatility.members=[linear]", "features.technical_indicators=[trend, volatility]")


def test_hourly_bars_of_one_per_cent_a_day_are_not_read_as_daily_ones(bars, settings):
    hourly = [dated(one, hours(600)) for one in bars]
    found = VolatilityPredictor(settings).fit(hourly).predict(hourly)
    year = found["bars_per_year"].unique()
    assert len(year) == 1 and year[0] == pytest.approx(7 * 252, rel=0.01)
    realised = np.sqrt(year[0]) * np.mean([np.std(np.diff(np.log(one.close))) for one in hourly])
    assert found["volatility"].mean() == pytest.approx(realised, rel=0.25)
    np.testing.assert_allclose(found["volatility_low"], np.sqrt(year[0] * found["variance_low"]))


def test_each_symbol_has_its_own_year_also_when_stored_joined_or_not_fitted(bars, settings):
    around_the_clock = np.datetime64("2015-06-01") + np.arange(600)
    mixed = [bars[0], dated(bars[1], around_the_clock)]
    fitted = VolatilityPredictor(settings).fit(mixed)
    loaded = VolatilityPredictor.from_state(fitted.symbols, fitted.to_arrays(), fitted.meta())
    unseen = dated(bars[2], around_the_clock)
    for predictor in (fitted, loaded):
        found = predictor.predict([*mixed, unseen]).groupby("symbol").last()
        assert found["bars_per_year"].to_dict() == {"AAA": 260.0, "BBB": 365.0, "CCC": 365.0}
        np.testing.assert_allclose(found["volatility"], np.sqrt(found["bars_per_year"] * found["variance"]))
        assert predictor.period.name == "daily"
    one, two = (
        VolatilityPredictor.from_state(fitted.symbols, fitted.to_arrays(), fitted.meta(), (s,)) for s in fitted.symbols
    )
    np.testing.assert_array_equal(join([one, two]).bars_per_year(fitted.panel(mixed)), [260.0, 365.0])
    last_ten_weeks = fitted.predict([mixed[0].last(450), mixed[1].last(450)])
    assert set(last_ten_weeks["bars_per_year"]) == {260.0, 365.0}, "as fitted, however short the history"


def test_bars_of_two_periods_are_not_fitted_together_nor_forecast_by_the_other(bars, settings):
    hourly = dated(bars[1], hours(600))
    with pytest.raises(DataError, match=r"daily bars \(AAA\) and hourly bars \(BBB\) cannot be used together"):
        VolatilityPredictor(settings).fit([bars[0], hourly])
    for kind in (VolatilityPredictor, PriceDirectionPredictor):
        predictor = kind(settings).fit(bars[:1])
        with pytest.raises(DataError, match="BBB: the bars are hourly and the model was fitted on daily ones"):
            predictor.predict([hourly])
