"""What a version's own test period says of it, in one word and by baseline."""

import math

import pytest

from training.validation.verdict import Verdict, verdict


def metrics(**differences):
    out = {}
    for name, (difference, error) in differences.items():
        out |= {f"qlike_vs_{name}": difference, f"qlike_vs_{name}_se": error}
    return out


def test_a_difference_counts_from_two_standard_errors_on():
    found = verdict("volatility", metrics(garch=(-0.3, 0.1), ewma=(-0.19, 0.1), log_har=(0.05, 0.1)))
    assert found == Verdict("no detectable edge", ("garch",), ())
    assert str(found) == "no detectable edge; better than garch"


def test_one_better_baseline_is_enough_to_be_worse():
    found = verdict("volatility", metrics(garch=(-0.3, 0.1), log_har=(0.21, 0.1)))
    assert found == Verdict("worse", ("garch",), ("log_har",))
    assert str(found) == "worse than log_har; better than garch"


def test_better_means_better_than_each_that_could_be_compared_with():
    found = verdict("volatility", metrics(garch=(-0.3, 0.1), log_har=(-0.21, 0.1), ewma=(math.nan, math.nan)))
    assert (found.status, found.better_than) == ("better", ("log_har", "garch"))
    assert str(found) == "better than log_har, garch"


@pytest.mark.parametrize("given", [{}, {"log_loss": 1.0}, {"log_loss_vs_prior": None, "log_loss_vs_prior_se": None}])
def test_without_a_comparison_there_is_no_verdict(given):
    assert verdict("direction", given) == Verdict("not tested", (), ())


def test_direction_is_judged_by_its_log_loss():
    found = verdict("direction", {"log_loss_vs_prior": 0.01, "log_loss_vs_prior_se": 0.001, "brier_vs_prior": -1.0})
    assert found.worse_than == ("prior",)


def test_a_difference_of_nothing_is_none_however_sure_its_sign():
    sure = {"log_loss_prior": 1.0986, "log_loss_vs_prior": 1e-8, "log_loss_vs_prior_se": 3e-9}
    assert verdict("direction", sure) == Verdict("no detectable edge", (), ())
    assert verdict("direction", sure | {"log_loss_vs_prior": 0.002}).worse_than == ("prior",)
