"""Scaling and selection of features with any values, constant and missing ones included."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.data import FeatureConfig
from configs.errors import DataError
from features.scaling import FleetScaler
from features.selection import select_features


def config(method: str, clip: float = 5.0) -> FeatureConfig:
    return FeatureConfig(scaling_method=method, clip=clip)


def parts(seed: int = 0) -> list[np.ndarray]:
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(3.0, 2.0, (n, 4)).astype(np.float32) for n in (50, 200, 31)]
    arrays[0][:20, 1] = np.nan
    arrays[1][:, 2] = 0.3
    arrays[2][:, 3] = np.nan
    return arrays


def test_standard_and_robust_agree_with_numpy():
    x = parts()
    standard, robust = (FleetScaler.fit(x, config(m)) for m in ("standard", "robust"))
    assert standard.center.shape == standard.scale.shape == (3, 4) and standard.center.dtype == np.float32
    np.testing.assert_allclose(standard.center[0], np.nanmean(x[0], axis=0), rtol=1e-6)
    np.testing.assert_allclose(standard.scale[0], np.nanstd(x[0], axis=0), rtol=1e-5)
    low, middle, high = np.nanquantile(x[0].astype(float), [0.25, 0.5, 0.75], axis=0)
    np.testing.assert_allclose(robust.center[0], middle, rtol=1e-6)
    np.testing.assert_allclose(robust.scale[0], (high - low) / 1.349, rtol=1e-5)


@pytest.mark.parametrize("method", ["standard", "robust"])
def test_constant_and_missing_columns_are_scaled_to_zero(method):
    x = parts()
    scaler = FleetScaler.fit(x, config(method))
    later = np.array([[9.0, 9.0, 9.0, 9.0]], np.float32)
    assert scaler.transform(later, 1)[0, 2] == 0.0
    assert scaler.transform(later, 2)[0, 3] == 0.0
    assert (scaler.transform(later, 0)[0] > 0.0).all()


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.one_of(st.floats(-(2.0**99), 2.0**99, width=32), st.just(np.nan)), min_size=1, max_size=30),
    st.sampled_from(["standard", "robust"]),
    st.floats(0.5, 10.0),
)
def test_output_is_finite_and_clipped(values, method, clip):
    x = np.array(values, np.float32)[:, None]
    scaler = FleetScaler.fit([x], config(method, clip))
    out = scaler.transform(x)
    assert out.dtype == np.float32 and np.isfinite(out).all()
    assert np.abs(out).max() <= np.float32(clip)


def test_method_none_changes_missing_values_only():
    x = parts()[0] * 100.0
    out = FleetScaler.fit([x], config("none")).transform(x)
    np.testing.assert_array_equal(out, np.nan_to_num(x))


def test_a_pooled_scaler_is_fitted_on_all_rows():
    x = parts()
    for method in ("standard", "robust"):
        pooled, together = (
            FleetScaler.fit(x, config(method), pooled=True),
            FleetScaler.fit([np.concatenate(x)], config(method)),
        )
        np.testing.assert_allclose(pooled.center, together.center, rtol=1e-6)
        np.testing.assert_allclose(pooled.scale, together.scale, rtol=1e-5)
        np.testing.assert_array_equal(pooled.transform(x[1], 1), pooled.transform(x[1], 0))


def test_a_symbols_scale_does_not_depend_on_other_symbols():
    x = parts()
    alone, among = FleetScaler.fit(x[1:2], config("standard")), FleetScaler.fit(x, config("standard"))
    np.testing.assert_array_equal(alone.center[0], among.center[1])
    np.testing.assert_array_equal(among.take(np.array([1])).scale, alone.scale)


def test_a_scaler_is_restored_from_its_arrays_and_needs_a_symbol():
    scaler = FleetScaler.fit(parts(), config("robust"))
    again = FleetScaler.from_arrays(scaler.to_arrays())
    np.testing.assert_array_equal(again.transform(parts()[1], 1), scaler.transform(parts()[1], 1))
    for pooled in (False, True):
        for method in ("standard", "robust"):
            with pytest.raises(DataError, match="no symbol to fit"):
                FleetScaler.fit([], config(method), pooled=pooled)


def planted(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    x = rng.normal(size=(n, 12)).astype(np.float32)
    y = np.digitize(x[:, 3] + 0.5 * rng.normal(size=n), [-0.4, 0.4]).astype(np.int8)
    wide = rng.normal(size=n) * np.where(np.abs(x[:, 7]) > 1.0, 4.0, 0.2)
    y = np.where(np.abs(wide) > 3.0, np.where(wide > 0, 2, 0), y).astype(np.int8)
    x[:, 5] = x[:, 3] + 0.01 * rng.normal(size=n)
    x[::3, 9] = np.nan
    return x, y


def test_selection_finds_signals_of_level_and_spread_before_a_copy():
    x, y = planted()
    chosen = select_features(x, y, 2)
    assert 7 in chosen and (3 in chosen) != (5 in chosen)
    assert select_features(x, y, 3).dtype == np.int64
    np.testing.assert_array_equal(select_features(x, y, 5), select_features(x.copy(), y.copy(), 5))
    np.testing.assert_array_equal(select_features(x, y, 99), np.arange(12))


def test_selection_for_a_continuous_target_and_too_few_rows():
    x, _ = planted()
    y = np.exp(x[:, 4] + 0.1 * np.random.default_rng(0).normal(size=len(x)))
    y[:50] = np.nan
    assert select_features(x, y, 1).tolist() == [4]
    with pytest.raises(DataError, match="has 20 train rows"):
        select_features(x[:20], y[50:70], 1)
