"""Distances between distributions, and what they are by chance."""

import numpy as np
import pytest

from serving.monitoring.drift import (
    bin_counts,
    kolmogorov_smirnov,
    psi,
    psi_quantile,
    psi_tail,
    quantile_edges,
)
from serving.monitoring.feature_drift import feature_drift
from training.metrics.volatility import qlike


def test_known_indices():
    assert psi([0.25] * 4, [0.1, 0.2, 0.3, 0.4]) == pytest.approx(0.2282, abs=5e-5)
    assert psi([0.1] * 10, [0.15, 0.05] + [0.1] * 8) == pytest.approx(0.05493, abs=5e-6)
    assert psi([50, 50, 0], [40, 50, 10], are_counts=True) == pytest.approx(0.3217, abs=5e-5)


def test_the_index_without_drift_is_not_zero():
    n, m = 5000, 63
    assert 9 * (1 / n + 1 / m) == pytest.approx(0.1447, abs=5e-5)
    assert psi_tail(0.2, 10, n, m) == pytest.approx(0.19, abs=0.005)
    rng = np.random.default_rng(0)
    counts = rng.multinomial(n, [0.1] * 10, 4000), rng.multinomial(m, [0.1] * 10, 4000)
    found = np.array([psi(a, b, are_counts=True) for a, b in zip(*counts, strict=True)])
    assert found.mean() == pytest.approx(0.1447, rel=0.08), "half an observation a bin shrinks it a little"
    assert 0.15 < (found > 0.2).mean() < 0.19
    assert 0.02 < (found > psi_quantile(10, n, m, 0.05)).mean() < 0.06


def test_known_distance_and_losses():
    found = kolmogorov_smirnov([1, 2, 3, 4, 5], [3, 4, 5, 6, 7])
    assert found.distance == pytest.approx(0.4) and found.p_value == pytest.approx(0.873, abs=5e-4)
    assert qlike([0.04], [0.09]) == pytest.approx(0.2554, abs=5e-5)
    assert qlike([0.09], [0.04]) == pytest.approx(0.4391, abs=5e-5)


def test_missing_values_and_constants_are_bins_of_their_own_or_none():
    sample = np.r_[np.zeros(50), np.arange(50.0), np.nan]
    edges = quantile_edges(sample)
    assert (np.diff(edges) > 0).all() and bin_counts(sample, edges).sum() == 100
    assert len(quantile_edges([np.nan])) == 0 and len(quantile_edges(np.ones(9))) == 1


@pytest.mark.parametrize("shares", [([0.5, 0.5], [1.0]), ([0.5, 0.5], [1.0, 0.0]), ([np.nan, 1.0], [0.5, 0.5])])
def test_wrong_bins_are_refused(shares):
    with pytest.raises(ValueError, match=r"expected|finite|share"):
        psi(*shares)


def test_an_empty_sample_has_no_distance():
    with pytest.raises(ValueError, match="at least one"):
        kolmogorov_smirnov([np.nan], [1.0])


def test_only_the_feature_that_changed_has_drifted():
    """Three autocorrelated features of eight symbols; the level of the second changes in the last quarter."""
    rng = np.random.default_rng(5)
    days, symbols = 1000, 8
    noise = rng.normal(size=(days, 3))
    common = np.zeros((days, 3))
    for t in range(1, days):
        common[t] = 0.97 * common[t - 1] + 0.25 * noise[t]
    values = common[:, None] + 0.3 * rng.normal(size=(days, symbols, 3))
    values[-63:, :, 1] += 6.0
    values[::50, 0, 2] = np.nan
    dates = np.repeat(np.datetime64("2020-01-01") + np.arange(days), symbols).astype("datetime64[ns]")
    found, chance = feature_drift(values.reshape(-1, 3), dates, ("a", "b", "c"), np.datetime64("2022-06-01"), 63)
    assert 1 / 15 <= chance < 0.5
    assert [one.name for one in found if one.is_drifted] == ["b"]
    assert found[0].name == "b" and found[0].shift > 1 and found[0].distance > 0.9 and found[0].periods >= 13
    autocorrelated = {one.name: one.psi for one in found if one.name != "b"}
    by_chance = psi_quantile(10, 1000 * symbols, 63 * symbols, 0.01)
    assert min(autocorrelated.values()) > by_chance, "a limit for independent rows would call all of them drifted"
    assert feature_drift(values.reshape(-1, 3), dates, ("a", "b", "c"), np.datetime64("2020-02-01"), 63).features == []


@pytest.mark.slow
def test_drift_of_all_features_is_rarely_found_where_there_is_none():
    """Twenty features with a common factor, days independent: 19 earlier periods show a chance of 1 in 20."""
    rng, names, found = np.random.default_rng(7), [f"f{i}" for i in range(20)], []
    dates = np.datetime64("2020-01-01", "ns") + np.arange(800) * np.timedelta64(1, "D")
    for _ in range(60):
        values = rng.normal(size=(800, 1)) + rng.normal(size=(800, 20))
        found.append(feature_drift(values, dates, names, dates[759], 40).chance)
    chances = np.array(found)
    assert chances.min() >= 0.05 and (chances <= 0.05).mean() <= 0.15 and 0.4 < chances.mean() < 0.65
    values[-40:] *= 2.0
    assert feature_drift(values, dates, names, dates[759], 40).chance == pytest.approx(0.05)
