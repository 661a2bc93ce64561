"""Evidence is right to the digits, and rarely wrong however often one looks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.monitoring.e_process import Betting, Wealth, e_process

CONSTANT = Betting(stakes=(0.5,))


def test_a_gap_of_a_fifth_each_day_is_found_on_day_32():
    e = e_process([0.2] * 40, CONSTANT)
    assert int((e >= 20).argmax()) + 1 == 32
    np.testing.assert_allclose(e, 1.1 ** np.arange(1, 41))


def test_six_misses_of_a_90_percent_set_in_ten_days():
    """Factors 2 and 8/9: the likelihood ratio of a miss rate of 20 % to one of 10 %."""
    gaps = [(1.0 - 0.1) / 0.1] * 6 + [(0.0 - 0.1) / 0.1] * 4
    assert e_process(gaps, Betting(stakes=(1.0 / 9.0,)))[-1] == pytest.approx(39.95, abs=0.005)


@pytest.mark.slow
def test_looking_every_day_misleads_a_z_test_and_not_an_e_process():
    x = np.random.default_rng(22).normal(size=(2000, 1000))
    z = x.cumsum(axis=1) / np.sqrt(np.arange(1, 1001))
    assert (np.abs(z[:, 19:]) > 1.96).any(axis=1).mean() == pytest.approx(0.417, abs=0.02)
    for gaps in (np.clip(x / 3.0, -1.0, 1.0), np.sign(x)):
        for betting in (CONSTANT, Betting(), Betting(change_steps=250.0)):
            assert (e_process(gaps, betting) >= 20.0).any(axis=1).mean() <= 0.05


@pytest.mark.parametrize("betting", [CONSTANT, Betting(), Betting(change_steps=30.0)])
def test_the_mean_of_the_evidence_is_one_without_a_gap(betting):
    """Two-point gaps of mean 0: the average over all paths is exactly 1."""
    paths = np.array(np.meshgrid(*[[-1.0, 0.5]] * 8)).reshape(8, -1).T
    chance = np.prod(np.where(paths > 0, 2.0 / 3.0, 1.0 / 3.0), axis=1)
    e = e_process(paths, betting)
    np.testing.assert_allclose(chance @ e, 1.0)


@given(st.lists(st.floats(-1.0, 9.0), min_size=1, max_size=30))
def test_a_mixture_over_changes_is_the_mean_of_tests_that_begin_on_each_day(gaps):
    betting = Betting(stakes=(0.2, 0.8), change_steps=5.0)
    weights = [betting.waiting(t - 1) - betting.waiting(t) for t in range(len(gaps))]
    started = [w * e_process(gaps[t:], Betting(stakes=(0.2, 0.8)))[-1] for t, w in enumerate(weights)]
    expected = sum(started) + betting.waiting(len(gaps) - 1)
    np.testing.assert_allclose(e_process(gaps, betting)[-1], expected)


def test_a_loss_after_a_long_good_time_is_found_soon():
    gaps = np.r_[np.full(500, -0.2), np.full(300, 0.2)]
    late = int((e_process(gaps, Betting(change_steps=250.0)) >= 20.0).argmax()) - 500
    assert 0 < late <= 90
    assert (e_process(gaps, Betting()) < 20.0).all()


def test_evidence_has_an_end_and_a_total_failure_none():
    e = e_process(np.full(2000, 9.0), Betting())
    assert np.isfinite(e).all() and e[-1] > 1e99
    assert e_process([-1.0] * 500, Betting())[-1] >= 0.0


def test_wrong_values_are_refused():
    with pytest.raises(ValueError, match="at least -1"):
        e_process([0.1, -1.5])
    with pytest.raises(ValueError, match="at least -1"):
        e_process([np.nan])
    for stakes in ((), (0.0,), (1.0,)):
        with pytest.raises(ValueError, match="stakes"):
            Betting(stakes=stakes)
    with pytest.raises(ValueError, match="change_steps"):
        Betting(change_steps=0.0)
    assert Wealth.initial(Betting()).evidence(Betting()) == 1.0
