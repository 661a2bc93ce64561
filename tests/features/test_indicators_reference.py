"""Columns agree with plain implementations of their textbook definitions."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import talib
from hypothesis import given, settings
from hypothesis import strategies as st

from features import build_panel
from features.rolling import change, lag, percent_rank, rolling_mean, rolling_slope, rolling_sum, rolling_var


@pytest.fixture(scope="module")
def frame(make_bars):
    bars = make_bars(seed=11, n=900)
    panel = build_panel([bars])
    prices = pd.DataFrame({f: getattr(bars, f) for f in ("open", "high", "low", "close", "volume")})
    return pd.DataFrame(panel.features, columns=panel.feature_names).astype(float), prices


def agree(got: pd.Series, expected: pd.Series, skip: int = 0, tolerance: float = 2e-6) -> None:
    np.testing.assert_allclose(got.to_numpy()[skip:], expected.to_numpy()[skip:], rtol=tolerance, atol=tolerance)


def test_moving_averages_agree(frame):
    got, p = frame
    weights = np.arange(1, 21)
    agree(got["sma_distance_20"], np.log(p.close / p.close.rolling(20).mean()))
    agree(got["wma_distance_20"], np.log(p.close / p.close.rolling(20).apply(lambda x: x @ weights / weights.sum())))
    ema = p.close.ewm(span=20, adjust=False).mean()
    agree(got["ema_distance_20"], np.log(p.close / ema), skip=400)


def test_momentum_indicators_agree(frame):
    got, p = frame
    move = p.close.diff()
    up = move.clip(lower=0.0).ewm(alpha=1 / 20, adjust=False).mean()
    down = (-move.clip(upper=0.0)).ewm(alpha=1 / 20, adjust=False).mean()
    agree(got["rsi_20"], 1.0 - 2.0 / (1.0 + up / down), skip=700, tolerance=1e-5)
    agree(got["rsi_20"], pd.Series(talib.RSI(p.close.to_numpy(), 20) / 50.0 - 1.0))
    high, low = p.high.rolling(20).max(), p.low.rolling(20).min()
    position = 2.0 * (p.close - low) / (high - low) - 1.0
    agree(got["williams_r_20"], position)
    agree(got["stochastic_20"], position.rolling(3).mean())
    typical = (p.high + p.low + p.close) / 3.0
    deviation = typical.rolling(20).apply(lambda x: np.abs(x - x.mean()).mean())
    agree(got["cci_20"], (typical - typical.rolling(20).mean()) / (0.015 * deviation) / 100.0)
    agree(got["roc_5"], np.log(p.close / p.close.shift(5)))
    returns = np.log(p.close).diff()
    agree(got["momentum_t_60"], np.log(p.close / p.close.shift(60)) / (returns.rolling(60).std(ddof=0) * np.sqrt(60)))


def test_volatility_estimators_agree(frame):
    got, p = frame
    overnight, body = np.log(p.open / p.close.shift()), np.log(p.close / p.open)
    up, down = np.log(p.high / p.open), np.log(p.low / p.open)
    spread = up - down
    v = overnight**2 + 0.5 * spread**2 - (2 * np.log(2) - 1) * body**2
    for window in (5, 22, 66):
        agree(got[f"har_{window}"], np.log(v.rolling(window).mean()), skip=22)
    agree(got["ewma_volatility"], 0.5 * np.log(v.ewm(alpha=0.06, adjust=True).mean()))
    agree(got["parkinson_20"], 0.5 * np.log((spread**2 / (4 * np.log(2))).rolling(20).mean()))
    rs = (up * (up - body) + down * (down - body)).rolling(20).mean()
    agree(got["rogers_satchell_20"], 0.5 * np.log(rs))
    k = 0.34 / (1.34 + 21 / 19)
    yang_zhang = overnight.rolling(20).var() + k * body.rolling(20).var() + (1 - k) * rs
    agree(got["yang_zhang_20"], 0.5 * np.log(yang_zhang))
    log_close = np.log(p.close)
    agree(got["bollinger_position_20"], (log_close - log_close.rolling(20).mean()) / log_close.rolling(20).std(ddof=0))
    falls = (v * (np.log(p.close).diff() < 0)).where(v.notna())
    agree(got["negative_semivariance_22"], falls.rolling(22).sum() / v.rolling(22).sum())


def test_volume_indicators_agree(frame):
    got, p = frame
    typical = (p.high + p.low + p.close) / 3.0
    vwap = (typical * p.volume).rolling(20).sum() / p.volume.rolling(20).sum()
    agree(got["vwap_distance_20"], np.log(p.close / vwap))
    arrays = [p[f].to_numpy() for f in ("high", "low", "close", "volume")]
    agree(got["mfi_20"], pd.Series(talib.MFI(*arrays, 20) / 50.0 - 1.0))
    agree(got["volume_ratio_60"], np.log1p(p.volume / p.volume.rolling(60).mean()) - np.log(2.0))
    agree(got["volume_zscore_60"], (p.volume - p.volume.rolling(60).mean()) / p.volume.rolling(60).std(ddof=0))
    size = np.log(p.close).diff().abs()
    agree(got["volume_return_correlation_60"], size.rolling(60).corr(p.volume))
    balance = (np.sign(p.close.diff()).fillna(0.0) * p.volume).cumsum()
    time = np.arange(20) - 9.5
    slope = balance.rolling(20).apply(lambda x: time @ x / (time @ time))
    agree(got["obv_slope_20"], slope / p.volume.rolling(20).mean())


def test_microstructure_indicators_agree(frame):
    got, p = frame
    agree(got["price_percentile_20"], (p.close.rolling(20).rank() - 0.5) / 20.0 - 0.5)
    returns = np.log(p.close).diff()
    agree(got["volatility_clustering_60"], returns.abs().rolling(60).corr(returns.abs().shift()))
    covariance = returns.rolling(60).cov(returns.shift(), ddof=0)
    agree(got["roll_spread_60"], -2.0 * np.sign(covariance) * np.sqrt(covariance.abs()))


def test_corwin_schultz_recovers_a_planted_spread():
    rng = np.random.default_rng(3)
    days, steps, half = 4000, 390, 0.005
    path = np.cumsum(rng.normal(0.0, 0.01 / np.sqrt(steps), (days * steps))).reshape(days, steps)
    # Buyers pay half a spread above the value and sellers receive half below it, so the range widens by one spread.
    traded = np.exp(path + half * rng.choice([-1.0, 1.0], path.shape))
    from features.bars.schema import SymbolBars

    bars = SymbolBars(
        "X",
        np.datetime64("2000-01-03", "ns") + np.arange(days) * np.timedelta64(1, "D"),
        traded[:, 0],
        traded.max(axis=1),
        traded.min(axis=1),
        traded[:, -1],
        np.zeros(days),
        True,
        False,
    )
    panel = build_panel([bars])
    spread = panel.features[panel.warmup :, panel.feature_names.index("corwin_schultz_60")].mean()
    assert 0.6 * 2 * half < spread < 1.4 * 2 * half


series = st.lists(st.floats(-1e6, 1e6, allow_subnormal=False), min_size=0, max_size=60).map(np.array)


@settings(max_examples=60, deadline=None)
@given(series, st.integers(1, 70), st.booleans())
def test_rolling_kernels_agree_with_pandas(x, window, with_gap):
    x = x.astype(float)
    if with_gap and len(x) > 3:
        x[len(x) // 2] = np.nan
    s = pd.Series(x, dtype=float)
    scale = np.nanmax(np.abs(x), initial=1.0)
    np.testing.assert_allclose(rolling_sum(x, window), s.rolling(window).sum().to_numpy(), rtol=1e-9, atol=1e-9 * scale)
    np.testing.assert_allclose(
        rolling_mean(x, window), s.rolling(window).mean().to_numpy(), rtol=1e-9, atol=1e-9 * scale
    )
    expected = s.rolling(window).var(ddof=0).to_numpy()
    np.testing.assert_allclose(rolling_var(x, window), expected, rtol=1e-6, atol=1e-9 * scale**2)
    rank = (s.rolling(window).rank() - 0.5).to_numpy() / window
    np.testing.assert_allclose(percent_rank(x, window), rank, atol=1e-12)
    np.testing.assert_array_equal(lag(x, window), s.shift(window).to_numpy())
    np.testing.assert_array_equal(change(x, window), s.diff(window).to_numpy())


def test_percent_rank_counts_beyond_one_byte():
    x = np.arange(600.0)
    assert percent_rank(x, 520)[-1] == pytest.approx((519 + 520) / (2 * 520))


def test_a_spike_and_a_gap_affect_their_windows_only():
    x = np.full(300, 0.1)
    x[100], x[150] = 1e18, np.nan
    total = rolling_sum(x, 20)
    clean = np.ones(300, bool)
    clean[:19] = clean[100:120] = clean[150:170] = False
    np.testing.assert_allclose(total[clean], 2.0, rtol=1e-15)
    assert (rolling_var(x, 20)[clean] == 0.0).all()


def test_the_slope_of_a_line_is_exact():
    np.testing.assert_allclose(rolling_slope(3.0 + 0.25 * np.arange(50), 7)[6:], 0.25)
