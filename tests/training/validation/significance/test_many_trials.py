"""Known answers of tests over many strategies: PBO, SPA, StepM, MCS, simulated p-values, false discoveries."""

import numpy as np
import pandas as pd
import pytest

from training.validation.significance.discoveries import false_discoveries, simulated_p_value
from training.validation.significance.overfitting import backtest_overfitting
from training.validation.significance.superiority import confidence_set, superior_ability, superior_strategies


def test_overfitting_of_four_strategies_in_four_blocks():
    means = np.array([[4, 1, 0, 0.5], [4, 1, 0, 0.5], [-4, 1, 0, 0.5], [-4, 1, 0, 0.5]])
    result = backtest_overfitting(means, blocks=4, statistic="mean")
    assert sorted(np.round(result.logits, 3)) == [-1.386, 0.405, 1.386, 1.386, 1.386, 1.386]
    assert result.probability == pytest.approx(1 / 6) and result.splits == 6


def test_a_dominant_strategy_is_not_overfitted_and_noise_is_even():
    rng = np.random.default_rng(3)
    noise = rng.normal(0, 0.01, (960, 20))
    assert backtest_overfitting(noise + np.eye(20)[0] * 0.01).probability == 0
    many = [backtest_overfitting(rng.normal(0, 0.01, (480, 20)), blocks=10).probability for _ in range(20)]
    assert np.mean(many) == pytest.approx(0.5, abs=0.1)


@pytest.mark.parametrize("statistic", ["sharpe", "mean"])
def test_ties_are_even_and_do_not_depend_on_the_order_of_columns(statistic):
    rng = np.random.default_rng(4)
    r = rng.normal(0, 0.01, (64, 1))
    assert backtest_overfitting(np.repeat(r, 3, axis=1), blocks=8, statistic=statistic).probability == 0.5
    mixed = np.hstack([np.repeat(r, 2, axis=1), rng.normal(0, 0.01, (64, 2))])
    forward, backward = (backtest_overfitting(m, 8, statistic).probability for m in (mixed, mixed[:, ::-1]))
    assert forward == pytest.approx(backward)
    assert backtest_overfitting(np.zeros((64, 3)), 8, statistic).probability == 0.5


def test_overfitting_refuses_what_it_cannot_use():
    r = np.random.default_rng(0).normal(size=(40, 3))
    for bad, words in ((r[:, :1], "at least 2"), (r[:20], "too few"), (np.where(r > 2, np.nan, r), "finite")):
        with pytest.raises(ValueError, match=words):
            backtest_overfitting(bad)
    for blocks in (3, 0, 22):
        with pytest.raises(ValueError, match="even"):
            backtest_overfitting(r, blocks=blocks)


def strategies(winner=0.0, seed=0, n=500, k=8):
    r = np.random.default_rng(seed).normal(0, 0.01, (n, k))
    r[:, 0] += winner
    return r


def test_superior_ability_takes_returns():
    r = strategies(0.002, seed=2)
    assert superior_ability(r, simulations=500).consistent < 0.05
    assert superior_ability(-r, simulations=500).consistent > 0.2
    assert superior_ability(r + 0.1, simulations=100).consistent == pytest.approx(1 / 101), "never 0"
    assert superior_ability(r, r[:, 0], simulations=200).consistent > 0.5, "nothing beats the winner"


def test_superior_ability_without_any_difference():
    flat = np.zeros((50, 3))
    assert superior_ability(flat).consistent == 1.0 and superior_strategies(flat) == []
    with pytest.raises(ValueError, match="same bars"):
        superior_ability(strategies(), np.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        superior_ability(np.full((50, 2), np.nan))
    with pytest.raises(ValueError, match="10 bars"):
        superior_ability(np.zeros((5, 2)))


@pytest.mark.slow
def test_false_positives_of_superior_ability_keep_their_rate():
    p = [superior_ability(strategies(seed=s, n=250, k=5), simulations=199, block=1).consistent for s in range(100)]
    assert np.sum(np.array(p) <= 0.05) <= 7


def test_the_superior_strategies_are_named_even_if_all_are():
    frame = pd.DataFrame(strategies(0.004, seed=0), columns=list("abcdefgh"))
    assert superior_strategies(frame, simulations=300) == ["a"]
    noise = np.random.default_rng(6).normal(size=(800, 3))
    rounds = pd.DataFrame(noise * [0.05, 0.002, 0.002] + [0.02, 0.0008, 0.0008], columns=list("xyz"))
    assert superior_strategies(rounds, simulations=300) == list("xyz"), "the volatile one hides the others at first"


def test_a_confidence_set_with_equal_columns():
    r = strategies(0.004, seed=7, k=4)
    frame = pd.DataFrame(np.column_stack([r, r[:, 0]]), columns=["a", "b", "c", "d", "again"])
    p = confidence_set(frame, simulations=300)
    assert p["a"] == p["again"] and (p[["b", "c", "d"]] < 0.1).all() and p["a"] > 0.1
    assert p.index.tolist() == frame.columns.tolist() and p.min() >= 1 / 301
    assert confidence_set(frame[["a", "again"]]).tolist() == [1.0, 1.0]


def test_simulated_p_values_are_never_zero():
    assert simulated_p_value(9.0, np.zeros(100)) == pytest.approx(1 / 101) == pytest.approx(0.0099, abs=1e-5)
    assert simulated_p_value(0.0, np.zeros(100)) == 1.0
    assert simulated_p_value(1.0, [0.5, np.nan, 2.0]) == 3 / 4
    assert np.isnan(simulated_p_value(np.nan, [1.0]))
    with pytest.raises(ValueError, match="simulations"):
        simulated_p_value(1.0, [])


def test_false_discoveries():
    p = [0.001, 0.008, 0.039, 0.041, 0.042, 0.06, 0.074, 0.205, 0.212, 0.216]
    result = false_discoveries(p)
    assert result.found.sum() == 2
    np.testing.assert_allclose(result.adjusted[:5], [0.01, 0.04, 0.084, 0.084, 0.084])
    harmonic = (1 / np.arange(1, 11)).sum()
    strict = false_discoveries(p, dependence="any")
    np.testing.assert_allclose(strict.adjusted[:2], [0.01 * harmonic, 0.04 * harmonic])
    assert strict.found.sum() == 1
    gaps = false_discoveries([np.nan, 0.001, np.nan])
    assert (
        gaps.adjusted[1] == 0.001
        and np.isnan(gaps.adjusted[[0, 2]]).all()
        and gaps.found.tolist() == [False, True, False]
    )
    assert len(false_discoveries([]).found) == 0
    for bad in ({"p_values": [1.2]}, {"p_values": [0.1], "rate": 0}, {"p_values": [0.1], "dependence": "none"}):
        with pytest.raises(ValueError):
            false_discoveries(**bad)
