"""The winner is judged where no trial looked; noise between symbols is not taken for settings of their own."""

from dataclasses import replace

import numpy as np
import pytest

from tuning.objective import TrialFailed
from tuning.score import Score
from tuning.study import TrialView
from tuning.verdict import conclude, own_choices

NAMES = tuple(f"S{i:02d}" for i in range(40))
DAYS = np.datetime64("2015-01-01", "ns") + np.arange(250) * np.timedelta64(1, "D")


def trial(number, loss, by_symbol=(), state="complete", values=None):
    return TrialView(number, state, values or {"x": number}, loss, 1.2, by_symbol, {}, 1.0, "")


def folds_of(losses):
    return tuple(dict(zip(NAMES, fold.tolist(), strict=True)) for fold in losses)


def score(loss, days=DAYS, symbols=NAMES, seed=0):
    """Return equal market noise for all configurations, and this mean loss."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(len(DAYS), 1)) + rng.normal(size=(len(DAYS), len(symbols)))
    rows = np.asarray(loss) + 0.1 * noise[-len(days) :]
    symbol = np.tile(np.arange(len(symbols)), len(days))
    return Score(symbols, symbol, np.repeat(days, len(symbols)), rows.ravel(), np.full(symbol.shape, 1.2))


def test_differences_that_repeat_are_used_and_noise_is_not():
    rng = np.random.default_rng(1)
    shared = np.full((2, len(NAMES)), 1.0)
    noise = 0.1 * rng.normal(size=(2, len(NAMES)))
    taste = np.where(np.arange(len(NAMES)) % 2, -0.1, 0.15)
    real, share = own_choices([trial(0, 1.0, folds_of(shared)), trial(1, 1.02, folds_of(shared + taste + noise))])
    assert share > 0.5 and set(real) >= set(NAMES[1::2][:10]) and set(real.values()) == {1}
    shares, counts = [], []
    for _ in range(20):
        noise = 0.1 * rng.normal(size=(2, len(NAMES)))
        chance, share = own_choices([trial(0, 1.0, folds_of(shared)), trial(1, 1.02, folds_of(shared + 0.02 + noise))])
        shares.append(share)
        counts.append(len(chance))
    assert np.mean(shares) < 0.25 and np.mean(counts) < 0.25 * len(NAMES)


def test_one_fold_tells_nothing_of_own_settings():
    losses = np.random.default_rng(0).normal(size=(2, 1, len(NAMES)))
    assert own_choices([trial(i, float(i), folds_of(one)) for i, one in enumerate(losses)]) == ({}, 0.0)


def test_nobody_leaves_the_winner_for_a_trial_that_is_better_only_where_symbols_count_alike():
    shared, other = np.ones((2, 3)), np.ones((2, 3)) - np.array([[0.02, 0.0, 0.01], [0.0, 0.02, 0.01]])
    small = [tuple(dict(zip("ABC", fold, strict=True)) for fold in losses.tolist()) for losses in (shared, other)]
    assert own_choices([trial(0, 0.99, small[0]), trial(1, 1.0, small[1])])[0] == {}


def judged(table):
    return lambda values: [table[one["x"]] for one in values]


def test_the_winner_is_used_only_if_it_is_better_where_no_trial_looked():
    trials = [trial(0, 1.1, values={"x": 0}), trial(1, 1.0), trial(2, 1.05)]
    default = {"x": 0}
    better = conclude("s", "direction", trials, default, 2, 1, judged({0: score(1.1), 1: score(1.05), 2: score(1.2)}))
    assert (better.trial, better.default_trial, better.chosen) == (1, 0, "winner")
    assert better.gain.mean == pytest.approx(-0.05) and better.gain.se < 1e-9
    assert better.baseline == pytest.approx(1.2) and "better than the baseline" in better.standing
    worse = conclude("s", "direction", trials, default, 2, 1, judged({0: score(1.0), 1: score(1.05), 2: score(0.5)}))
    assert (worse.trial, worse.chosen) == (1, "default")  # trial 2 was not the winner of the sweep


def test_a_winner_that_is_worse_than_the_baseline_is_told_so():
    lost = conclude("s", "direction", [trial(1, 1.0)], {"x": 0}, 1, 1, judged({0: score(1.4), 1: score(1.3)}))
    assert lost.chosen == "winner" and lost.edge.mean > 0 and "WORSE than the baseline" in lost.standing


def test_standard_errors_are_of_days_not_of_rows():
    rng = np.random.default_rng(3)
    daily = 0.05 * rng.normal(size=(len(DAYS), 1))
    found = conclude("s", "direction", [trial(1, 1.0)], {"x": 0}, 1, 1, judged({0: score(1.0), 1: score(1.0 + daily)}))
    assert found.gain.se == pytest.approx(0.05 / np.sqrt(len(DAYS)), rel=0.15)


def test_rows_that_not_all_have_are_left_out():
    late = score(0.0, days=DAYS[50:])
    found = conclude("s", "direction", [trial(1, 1.0)], {"x": 0}, 1, 1, judged({0: score(1.0), 1: late}))
    assert found.gain.mean == pytest.approx(-1.0)


def test_own_settings_are_judged_there_too():
    taste = np.where(np.arange(len(NAMES)) % 2, -0.1, 0.1)
    flat, other = folds_of(np.ones((2, len(NAMES)))), folds_of(np.ones((2, len(NAMES))) + taste)
    trials = [trial(1, 1.0, flat), trial(2, 1.01, other)]
    table = {0: score(1.0), 1: score(1.0), 2: score(1.0 + taste[None])}
    found = conclude("s", "direction", trials, {"x": 0}, 2, 1, judged(table))
    assert set(found.own) == set(NAMES[1::2]) and found.own_gain.mean == pytest.approx(-0.05) and found.own_helps
    assert found.own_values == {2: {"x": 2}} and set(found.own.values()) == {2}
    assert found.chosen == "default" and not found.uses_own, "better than a winner that is no better than the default"
    assert "not used" in found.own_judgement
    better = conclude("s", "direction", trials, {"x": 0}, 2, 1, judged(table | {0: score(1.1)}))
    assert better.uses_own and "gives them theirs" in better.own_judgement
    stays = conclude("s", "direction", trials, {"x": 1}, 2, 1, judged(table))
    assert (stays.trial, stays.default_trial, stays.chosen, stays.uses_own) == (1, 1, "default", True)
    table[2] = score(1.0 - taste[None])
    found = conclude("s", "direction", trials, {"x": 0}, 2, 1, judged(table))
    assert found.own_gain.mean == pytest.approx(0.05) and not found.own_helps


def test_own_settings_are_of_symbols_that_were_judged_and_trials_that_vary_the_same():
    taste = np.where(np.arange(len(NAMES)) % 2, -0.1, 0.1)
    flat, other = folds_of(np.ones((2, len(NAMES)))), folds_of(np.ones((2, len(NAMES))) + taste)
    trials = [trial(1, 1.0, flat), trial(2, 1.01, other)]
    part = {"symbols": NAMES[:20]}
    table = {0: score(1.1, **part), 1: score(1.0, **part), 2: score(1.0 + taste[None, :20], **part)}
    found = conclude("s", "direction", trials, {"x": 0}, 2, 1, judged(table))
    assert found.uses_own and set(found.own) == set(NAMES[1:20:2])
    trials[1] = trial(2, 1.01, other, values={"x": 2, "y": 3})
    assert conclude("s", "direction", trials, {"x": 0}, 2, 1, judged(table)).own == {}


def test_symbols_without_a_model_and_finalists_without_a_score_are_told():
    missing = {"S01": "diverged"}
    part = replace(score(1.0, symbols=NAMES[:1] + NAMES[2:]), failed=missing)
    trials = [trial(1, 1.0), trial(2, 1.05)]
    lost = TrialFailed("no model of BBB")
    found = conclude("s", "direction", trials, {"x": 0}, 2, 1, judged({0: score(1.1), 1: lost, 2: part}))
    assert (found.trial, found.chosen) == (2, "winner")
    assert found.unusable == {1: "no model of BBB"} and found.left_out == missing
    assert [text.split(":")[0] for text in found.absences] == [
        "trial 1 cannot be judged there",
        "without a model, with the default settings too",
    ]
    with pytest.raises(TrialFailed, match=r"best 1 trials can be judged .*tune\.finalists"):
        conclude("s", "direction", trials, {"x": 0}, 1, 1, judged({0: score(1.1), 1: lost}))


def test_finalists_without_a_common_row_are_told():
    early, late = score(1.0, days=DAYS[:50]), score(1.0, days=DAYS[50:])
    with pytest.raises(TrialFailed, match="no rows of the last fold in common"):
        conclude("s", "direction", [trial(1, 1.0)], {"x": 0}, 1, 1, judged({0: early, 1: late}))


def test_a_default_that_wins_is_fitted_once_and_stays():
    asked = []

    def judge(values):
        asked.extend(values)
        return [score(1.0) for _ in values]

    found = conclude("s", "direction", [trial(0, 1.0), trial(1, 1.1)], {"x": 0}, 2, 1, judge)
    assert asked == [{"x": 0}, {"x": 1}]
    assert found.chosen == "default" and found.gain.mean == 0 and "no trial was better" in found.judgement


def test_without_a_complete_trial_the_reasons_are_told():
    with pytest.raises(TrialFailed, match="none of 1 trials is complete"):
        conclude("s", "direction", [trial(1, None, state="pruned")], {}, 2, 1, judged({}))
    with pytest.raises(TrialFailed, match="default cannot be scored"):
        conclude("s", "direction", [trial(1, 1.0)], {"x": 0}, 1, 1, judged({0: TrialFailed("no"), 1: score(1.0)}))
