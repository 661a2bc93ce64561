"""Whether luck is called luck, given all that was tried."""

import numpy as np
import pytest

from training.metrics.money import sharpe
from training.validation.significance.judgement import Tried, judge

YEAR = 252.0


def test_a_single_trial_is_the_probabilistic_ratio():
    r = np.random.default_rng(0).normal(0.0004, 0.01, 1000)
    found = judge(r, YEAR, Tried(1, (float(sharpe(r, YEAR)),)))
    assert found.deflated.probability == pytest.approx(found.probabilistic)
    assert found.to_json()["trials"] == 1 and "after 1 trial " in found.sentence


def test_the_variance_is_that_of_known_ratios_and_of_sampling_for_the_others():
    """Ratios of 1 and 2 a year: variance 0.5 a year, 0.5/252 per bar; with 9 studied models, 9/1000 more squares."""
    assert Tried(2, (1.0, 2.0)).variance(1000, YEAR) == pytest.approx(0.5 / YEAR)
    assert Tried(11, (1.0, 2.0)).variance(1000, YEAR) == pytest.approx((0.5 / YEAR + 9 / 1000) / 10)
    assert Tried(40, (1.0,)).variance(1000, YEAR) == Tried(0, ()).variance(1000, YEAR) == 1 / 1000


def test_the_best_of_ten_without_skill_is_called_luck():
    lucky = naive = 0
    for seed in range(100):
        returns = np.random.default_rng(seed).normal(0.0, 0.01, (10, 500))
        ratios = sharpe(returns, YEAR)
        found = judge(returns[ratios.argmax()], YEAR, Tried(10, tuple(ratios.tolist())))
        lucky += "not distinguishable from luck" in found.sentence
        naive += found.probabilistic > 0.95
    assert lucky >= 95 and naive > 25, "without the number of trials, a third would look like skill"


def test_skill_is_found_after_twenty_trials():
    skilled = np.random.default_rng(1).normal(0.0015, 0.01, 5000)
    others = np.random.default_rng(2).normal(0.0, 0.01, (19, 5000))
    ratios = (float(sharpe(skilled, YEAR)), *sharpe(others, YEAR).tolist())
    assert "unlikely to be luck" in judge(skilled, YEAR, Tried(20, ratios)).sentence


def test_a_strategy_that_held_nothing_has_no_ratio():
    found = judge(np.zeros(100), YEAR, Tried(3, ()))
    assert "no Sharpe ratio to judge" in found.sentence and np.isnan(found.deflated.probability)
