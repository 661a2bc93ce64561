"""Differences of returns and Sharpe ratios, with errors that simulations confirm."""

import numpy as np
import pytest

from training.validation.paired import return_difference, sharpe_difference


def test_a_difference_by_hand():
    """Differences 1, 0 and 2 %: mean 1 %, standard error 1 % / √3; a year of four bars has four times both."""
    found = return_difference([0.02, 0.01, 0.03], [0.01, 0.01, 0.01], bars_per_year=4)
    assert found.value == pytest.approx(0.04) and found.se == pytest.approx(0.04 / np.sqrt(3))
    same = return_difference([0.01, np.nan, -0.02], [0.01, 0.5, -0.02], bars_per_year=252)
    assert same == (0.0, 0.0), "a bar that one of them lacks is left out"
    with pytest.raises(ValueError, match="3 and 2 returns"):
        return_difference([0.0, 0.0, 0.0], [0.0, 0.0], 252)


def test_the_errors_are_those_of_repeated_samples():
    rng = np.random.default_rng(0)
    own, other = rng.normal(0.001, 0.01, (2, 400, 500))
    other = 0.8 * own + 0.6 * other
    found = [(return_difference(a, b, 252), sharpe_difference(a, b, 252)) for a, b in zip(own, other, strict=True)]
    for k in (0, 1):
        values = np.array([one[k].value for one in found])
        errors = np.array([one[k].se for one in found])
        assert errors.mean() == pytest.approx(values.std(ddof=1), rel=0.08)


def test_leverage_changes_no_sharpe_ratio_and_cash_has_none():
    r = np.random.default_rng(1).normal(0.001, 0.01, 300)
    found = sharpe_difference(r, 3.0 * r, 252)
    assert found.value == pytest.approx(0.0, abs=1e-12) and found.se == pytest.approx(0.0, abs=1e-12)
    assert np.isnan(sharpe_difference(r, np.zeros(300), 252).value)
