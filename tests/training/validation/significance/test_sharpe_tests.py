"""Known answers of PSR, minimum track record and the deflated Sharpe ratio."""

import math

import numpy as np
import pytest

from training.validation.significance.sentence import significance_sentence
from training.validation.significance.sharpe_tests import (
    TrackRecord,
    deflated_sharpe,
    expected_best_sharpe,
    minimum_track_record,
    probabilistic_sharpe,
)

PAPER = TrackRecord(2.5 / math.sqrt(250), 1_250, skew=-3, kurtosis=10)
V = 0.5 / 250


def test_the_deflated_sharpe_ratio_of_the_paper():
    best = deflated_sharpe(PAPER, 100, V)
    assert best.benchmark == pytest.approx(0.113172, abs=5e-7)
    assert best.probability == pytest.approx(0.900397, abs=5e-7)
    assert deflated_sharpe(PAPER, 46, V).probability == pytest.approx(0.950502, abs=5e-7)
    normal = TrackRecord(PAPER.sharpe, 1_250)
    assert deflated_sharpe(normal, 88, V).probability == pytest.approx(0.950491, abs=5e-7)
    assert str(best) == "DSR 0.90 of 100 trials"


def test_annualised_variances_and_missing_trials_are_refused():
    with pytest.raises(ValueError, match="annualised"):
        deflated_sharpe(PAPER, 100, 1.5)
    for trials in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="trials"):
            deflated_sharpe(PAPER, trials, V)
    with pytest.raises(ValueError, match="variance"):
        expected_best_sharpe(10, -1.0)
    with pytest.raises(TypeError):
        deflated_sharpe(PAPER)  # type: ignore[call-arg]


def test_one_trial_is_the_probabilistic_ratio():
    assert deflated_sharpe(PAPER, 1, V).probability == probabilistic_sharpe(PAPER)


def test_padding_with_nan_changes_nothing():
    r = np.random.default_rng(0).normal(0.001, 0.01, 500)
    padded = np.concatenate([np.full(100, np.nan), r[:250], [np.nan], r[250:]])
    assert TrackRecord.of(padded) == TrackRecord.of(r)
    assert (
        deflated_sharpe(TrackRecord.of(padded), 12, V).probability
        == deflated_sharpe(TrackRecord.of(r), 12, V).probability
    )


def test_the_probabilistic_ratio_and_the_track_record_it_needs():
    record = TrackRecord(0.458, 24, skew=-2.448, kurtosis=10.164)
    assert probabilistic_sharpe(record) == pytest.approx(0.91336, abs=5e-6)
    daily = TrackRecord(2 / math.sqrt(250), 250)
    needed = minimum_track_record(daily, 1 / math.sqrt(250))
    assert needed == pytest.approx(682.8, abs=0.1) and needed / 250 == pytest.approx(2.73, abs=5e-3)
    assert probabilistic_sharpe(TrackRecord(daily.sharpe, round(needed)), 1 / math.sqrt(250)) == pytest.approx(
        0.95, abs=1e-4
    )
    assert minimum_track_record(daily, daily.sharpe) == math.inf
    with pytest.raises(ValueError, match="confidence"):
        minimum_track_record(daily, 0, 0.3)


def test_a_record_without_variation_is_unknown():
    record = TrackRecord.of(np.full(300, 0.001))
    assert math.isnan(probabilistic_sharpe(record)) and math.isnan(minimum_track_record(record))
    sentence = significance_sentence(deflated_sharpe(record, 3, V), 252)
    assert sentence == "after 3 trials there is no Sharpe ratio to judge: 300 returns without enough variation"


def test_the_sentence_in_plain_words():
    luck = deflated_sharpe(TrackRecord(0.41 / math.sqrt(252), 2_520), 12, 0.0496 / 252)
    assert (
        significance_sentence(luck, 252)
        == "after 12 trials the Sharpe of 0.41 is not distinguishable from luck (DSR 0.55)"
    )
    skill = deflated_sharpe(TrackRecord(2 / math.sqrt(252), 2_520), 1, 0.0)
    assert significance_sentence(skill, 252) == "after 1 trial the Sharpe of 2.00 is unlikely to be luck (DSR 0.99)"
    almost = TrackRecord(1.0, 10)
    for bars in range(2_520, 9_000, 10):
        almost = TrackRecord(0.4 / math.sqrt(252), bars)
        if 0.945 < probabilistic_sharpe(almost) < 0.95:
            break
    assert "not distinguishable from luck (DSR 0.94)" in significance_sentence(deflated_sharpe(almost, 1, 0), 252)
    loss = deflated_sharpe(TrackRecord(-0.5 / math.sqrt(252), 2_520), 4, V)
    assert significance_sentence(loss, 252).startswith(
        "after 4 trials the Sharpe of -0.50 is not distinguishable from luck"
    )


def test_markets_without_an_edge_are_said_to_be_luck_and_a_planted_one_is_found():
    rng = np.random.default_rng(1)
    said = 0
    for _ in range(100):
        trials = rng.normal(0, 0.01, (10, 1_000))
        ratios = trials.mean(axis=1) / trials.std(axis=1, ddof=1)
        best = deflated_sharpe(TrackRecord.of(trials[ratios.argmax()]), 10, float(ratios.var(ddof=1)))
        said += "not distinguishable from luck" in significance_sentence(best, 252)
    assert said >= 95
    planted = rng.normal(0.1 * 0.01, 0.01, 5_000)
    record = TrackRecord.of(planted)
    assert abs(record.sharpe - 0.1) < 2.5 * record.standard_error
    assert "unlikely to be luck" in significance_sentence(deflated_sharpe(record, 10, 1 / 5_000), 252)
