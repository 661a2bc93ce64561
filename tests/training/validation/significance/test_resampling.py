"""Stationary bootstrap and shuffles: known answers and calibration."""

from itertools import permutations

import numpy as np
import pytest

from training.metrics.money import max_drawdown, money_metrics, total_return
from training.validation.significance.bootstrap import block_length, bootstrap_metrics, bootstrap_paths, resampled_rows
from training.validation.significance.shuffles import shuffled_drawdowns


def ar1(seed, n=2_000, rho=0.5):
    e = np.random.default_rng(seed).normal(0, 0.01, n)
    r = np.empty(n)
    r[0] = e[0] / np.sqrt(1 - rho**2)
    for t in range(1, n):
        r[t] = rho * r[t - 1] + e[t]
    return r


def exact_variance_ratio(r, block):
    """Return the variance of the bootstrapped mean over that of independent draws (Politis & Romano 1994, lemma 1)."""
    n, p, c = len(r), 1 / block, r - r.mean()
    lags = np.arange(1, n)
    covariance = np.array([(c[k:] * c[:-k]).sum() for k in lags]) / n
    weight = (1 - lags / n) * (1 - p) ** lags + lags / n * (1 - p) ** (n - lags)
    return 1 + 2 * (weight * covariance).sum() / c.var()


@pytest.mark.slow
def test_the_bootstrap_of_dependent_returns_widens_by_root_three():
    for seed in range(3):
        r = ar1(seed)
        means = {b: np.concatenate([p.mean(axis=1) for p in bootstrap_paths(r, 4_000, block=b)]) for b in (14.8, 1.0)}
        assert means[14.8].std() / means[1.0].std() == pytest.approx(exact_variance_ratio(r, 14.8) ** 0.5, rel=0.05)
        assert 5 < block_length(r) < 40
    wide = [exact_variance_ratio(ar1(seed, n=20_000), 60.0) ** 0.5 for seed in range(5)]
    assert np.mean(wide) == pytest.approx(np.sqrt(3), abs=0.05), "longer histories, longer blocks"


def test_rows_come_in_blocks_of_the_right_length_and_evenly_often():
    rows = resampled_rows(50, 4_000, 8.0, np.random.default_rng(0))
    assert rows.shape == (4_000, 50) and rows.min() == 0 and rows.max() == 49
    follows = (rows[:, 1:] == (rows[:, :-1] + 1) % 50).mean()
    assert follows == pytest.approx(1 - 1 / 8 + 1 / 8 / 50, abs=0.003)
    np.testing.assert_allclose(np.bincount(rows.ravel(), minlength=50) / rows.size, 1 / 50, rtol=0.05)
    assert np.array_equal(rows, resampled_rows(50, 4_000, 8.0, np.random.default_rng(0)))


def test_every_metric_has_an_interval_that_covers():
    covered = 0
    for seed in range(60):
        r = np.random.default_rng(seed).normal(0.001, 0.01, 500)
        table = bootstrap_metrics(r, 252, 300, block=1, seed=seed)
        covered += table.loc["sharpe", "low"] <= 0.1 * np.sqrt(252) <= table.loc["sharpe", "high"]
    assert 48 <= covered <= 59
    assert table.index.tolist() == list(money_metrics(r, 252))
    assert (table["low"] <= table["high"]).all() and (table["paths"] == 300).all()
    assert table.loc["sharpe", "estimate"] == pytest.approx(float(money_metrics(r, 252)["sharpe"]))
    assert table.equals(bootstrap_metrics(r, 252, 300, block=1, seed=seed))


def test_metrics_that_a_path_does_not_have_are_counted():
    table = bootstrap_metrics([0.01, 0.02, -0.01], 252, 200, block=1)
    assert 0 < table.loc["sharpe", "paths"] < 200
    assert np.isnan(bootstrap_metrics([0.01], 252, 5).loc["sharpe", "low"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"paths": 0}, "paths"),
        ({"block": 0.5}, "block"),
        ({"confidence": 1.0}, "confidence"),
        ({"returns": []}, "return"),
    ],
)
def test_arguments_out_of_range(arguments, words):
    with pytest.raises(ValueError, match=words):
        bootstrap_metrics(**{"returns": [0.1, 0.2], "bars_per_year": 252, "paths": 10} | arguments)


def test_shuffles_say_how_deep_and_never_whether():
    r = [0.1, -0.1, 0.1, -0.1]
    orders = sorted(set(permutations(r)))
    depths = sorted(round(float(max_drawdown(order)), 3) for order in orders)
    assert depths == [-0.19, -0.19, -0.19, -0.109, -0.109, -0.1]
    assert np.ptp([total_return(order) for order in orders]) < 1e-12
    found = np.round(shuffled_drawdowns(r, 6_000), 3)
    share = [np.mean(found == depth) for depth in (-0.19, -0.109, -0.1)]
    np.testing.assert_allclose(share, [1 / 2, 1 / 3, 1 / 6], atol=0.03)
    assert np.array_equal(shuffled_drawdowns(r, 100, seed=3), shuffled_drawdowns(r, 100, seed=3))
    with pytest.raises(ValueError, match="shuffles"):
        shuffled_drawdowns(r, 0)
