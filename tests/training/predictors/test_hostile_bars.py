"""Whatever the bars do, at the fit and at the forecast, a volatility forecast is a usable number."""

import warnings
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from training.predictors.kinds.volatility import VolatilityPredictor

pytestmark = pytest.mark.slow
RELAXED = {"deadline": None, "suppress_health_check": list(HealthCheck)}
TROUBLES = ("jump", "crash", "zero_range", "halt", "dead_year", "calm", "wild")
troubles = st.lists(st.tuples(st.sampled_from(TROUBLES), st.floats(0.0, 0.95)), max_size=4)


def troubled(bars, what):
    """Return bars to which these things happen, each at a share of their length."""
    prices = {name: getattr(bars, name).copy() for name in ("open", "high", "low", "close")}
    for name, share in what:
        at = int(share * len(bars))
        later = slice(at, None)
        if name in ("jump", "crash"):
            for values in prices.values():
                values[later] *= 3.0 if name == "jump" else 1 / 3
        elif name in ("halt", "dead_year", "zero_range"):
            stop = {"halt": at + 30, "dead_year": at + 260, "zero_range": at + 3}[name]
            for values in prices.values():
                values[at:stop] = prices["close"][at] if name != "zero_range" else prices["close"][at:stop]
        else:
            factor = 0.02 if name == "calm" else 8.0
            level = np.log(prices["close"][at])
            for values in prices.values():
                values[later] = np.exp(np.clip(level + factor * (np.log(values[later]) - level), -12.0, 20.0))
    return replace(bars, **prices)


def check(predictor, bars):
    """Assert that every forecast is finite, positive, inside its interval and near the log-HAR."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of a universe that is not at hand
        panel = predictor.panel(bars)
    rows = [np.arange(100, n, 7) for n in np.diff(panel.offsets)]
    found, others = predictor.compare(panel, rows)
    for name in ("variance", "volatility"):
        low, middle, high = (found[f"{name}{end}"] for end in ("_low", "", "_high"))
        assert np.isfinite(low + middle + high).all()
        assert ((low > 0) & (low < middle) & (middle < high)).all()
    anchor = others["anchor"]
    usable = np.isfinite(anchor)
    assert (np.abs(np.log(found["variance"][usable] / anchor[usable])) <= np.log(10.0) + 1e-9).all()
    assert found["fallback"][~usable].all()
    return found


@pytest.fixture(scope="module")
def fitted(tiny_config, make_universe):
    bars = make_universe(("AAA", "BBB", "CCC"))
    return VolatilityPredictor(tiny_config()).fit(bars), bars


@settings(max_examples=40, **RELAXED)
@given(what=troubles, symbol=st.sampled_from(["AAA", "ZZZ"]))
def test_forecasts_of_troubled_bars_are_usable(fitted, what, symbol):
    predictor, bars = fitted
    check(predictor, [replace(troubled(bars[0], what), symbol=symbol), *bars[1:]])


@settings(max_examples=6, **RELAXED)
@given(what=troubles.filter(bool))
def test_a_model_fitted_on_troubled_bars_forecasts_well_behaved_ones(fitted, tiny_config, what):
    _, bars = fitted
    config = tiny_config("volatility.members=[linear, garch, forest, boosting]")
    again = VolatilityPredictor(config).fit([troubled(bars[0], what), *bars[1:]])
    check(again, bars)


def test_a_dead_year_falls_back_on_the_baseline_and_says_so(fitted):
    predictor, bars = fitted
    found = check(predictor, [troubled(bars[0], [("dead_year", 0.3)])])
    assert found["fallback"].any() and not found["fallback"].all()


def test_a_feature_outside_its_train_range_moves_no_forecast_further_than_the_range_did(fitted):
    predictor, bars = fitted
    windows = predictor.windows(
        predictor.panel(bars), [np.array([300]), np.array([], np.int64), np.array([], np.int64)]
    )
    design, own, checked = predictor._shared.design, np.zeros(1, np.int64), 0
    followed = {*predictor._shared.market.columns.tolist(), *predictor._shared.market.level_column.tolist()}
    for place, column in enumerate(design.columns[0].tolist()):
        center, scale = design.scaler.center[0, column], design.scaler.scale[0, column]
        if column in followed or not np.isfinite(scale) or design.high[place] > 4.0:
            continue  # beyond 5 the scaler itself clips
        forecasts = []
        for times in (1.0, 1.2):
            bars = windows.bars.copy()
            bars[:, column] = center + times * design.high[place] * scale
            forecasts.append(predictor.forecast_windows(replace(windows, bars=bars), own)["variance"][0])
        np.testing.assert_allclose(forecasts[1], forecasts[0], rtol=1e-5)
        checked += 1
    assert checked
