"""The winner is compared with the default and the baseline on a fold that scored no trial."""

from dataclasses import replace

import numpy as np
import pytest

from tuning.objective import TrialFailed
from tuning.score import Score
from tuning.sweep_verdict import conclude
from tuning.trial_view import TrialView, varied

NAMES = tuple(f"S{i:02d}" for i in range(40))
DAYS = np.datetime64("2015-01-01", "ns") + np.arange(250) * np.timedelta64(1, "D")


def trial(number, loss, by_symbol=(), state="complete", values=None):
    return TrialView(number, state, values or {"x": number}, loss, 1.2, by_symbol, {}, 1.0, "")


def score(loss, days=DAYS, symbols=NAMES, seed=0):
    """Return a score with this mean loss; the noise is the same for all configurations of one seed."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(len(DAYS), 1)) + rng.normal(size=(len(DAYS), len(symbols)))
    rows = np.asarray(loss) + 0.1 * noise[-len(days) :]
    symbol = np.tile(np.arange(len(symbols)), len(days))
    return Score(symbols, symbol, np.repeat(days, len(symbols)), rows.ravel(), np.full(symbol.shape, 1.2))


def judge_of(scores):
    """Return a judge that looks scores up by the value of x."""
    return lambda values: [scores[trial["x"]] for trial in values]


def test_the_winner_is_chosen_only_if_it_is_better_on_the_last_fold():
    trials = [trial(0, 1.1, values={"x": 0}), trial(1, 1.0), trial(2, 1.05)]
    default = {"x": 0}
    better = conclude("s", "direction", trials, default, 2, 1, judge_of({0: score(1.1), 1: score(1.05), 2: score(1.2)}))
    assert (better.trial, better.default_trial, better.chosen) == (1, 0, "winner")
    assert better.gain.mean == pytest.approx(-0.05) and better.gain.se < 1e-9
    assert better.baseline == pytest.approx(1.2) and "better than the baseline" in better.baseline_comparison
    worse = conclude("s", "direction", trials, default, 2, 1, judge_of({0: score(1.0), 1: score(1.05), 2: score(0.5)}))
    assert (worse.trial, worse.chosen) == (1, "default")  # trial 2 was not the winner of the sweep


def test_a_winner_that_is_worse_than_the_baseline_is_called_worse():
    lost = conclude("s", "direction", [trial(1, 1.0)], {"x": 0}, 1, 1, judge_of({0: score(1.4), 1: score(1.3)}))
    assert lost.chosen == "winner" and lost.edge.mean > 0 and "WORSE than the baseline" in lost.baseline_comparison


def test_standard_errors_are_of_days_not_of_rows():
    rng = np.random.default_rng(3)
    daily = 0.05 * rng.normal(size=(len(DAYS), 1))
    found = conclude(
        "s", "direction", [trial(1, 1.0)], {"x": 0}, 1, 1, judge_of({0: score(1.0), 1: score(1.0 + daily)})
    )
    assert found.gain.se == pytest.approx(0.05 / np.sqrt(len(DAYS)), rel=0.15)


def test_only_rows_that_all_scores_have_count():
    late = score(0.0, days=DAYS[50:])
    found = conclude("s", "direction", [trial(1, 1.0)], {"x": 0}, 1, 1, judge_of({0: score(1.0), 1: late}))
    assert found.gain.mean == pytest.approx(-1.0)


def test_symbols_without_a_model_and_finalists_without_a_score_are_listed():
    missing = {"S01": "diverged"}
    part = replace(score(1.0, symbols=NAMES[:1] + NAMES[2:]), failed=missing)
    trials = [trial(1, 1.0), trial(2, 1.05)]
    lost = TrialFailed("no model of BBB")
    found = conclude("s", "direction", trials, {"x": 0}, 2, 1, judge_of({0: score(1.1), 1: lost, 2: part}))
    assert (found.trial, found.chosen) == (2, "winner")
    assert found.unusable == {1: "no model of BBB"} and found.left_out == missing
    assert [line.split(":")[0] for line in found.exclusions] == [
        "trial 1 cannot be scored there",
        "without a model, with the default settings too",
    ]
    with pytest.raises(TrialFailed, match=r"best 1 trials can be scored .*tune\.finalists"):
        conclude("s", "direction", trials, {"x": 0}, 1, 1, judge_of({0: score(1.1), 1: lost}))


def test_finalists_without_a_common_row_are_an_error():
    early, late = score(1.0, days=DAYS[:50]), score(1.0, days=DAYS[50:])
    with pytest.raises(TrialFailed, match="no rows of the last fold in common"):
        conclude("s", "direction", [trial(1, 1.0)], {"x": 0}, 1, 1, judge_of({0: early, 1: late}))


def test_a_default_that_wins_is_scored_once_and_stays():
    judged = []

    def judge(values):
        judged.extend(values)
        return [score(1.0) for _ in values]

    found = conclude("s", "direction", [trial(0, 1.0), trial(1, 1.1)], {"x": 0}, 2, 1, judge)
    assert judged == [{"x": 0}, {"x": 1}]
    assert found.chosen == "default" and found.gain.mean == 0 and "no trial was better" in found.default_comparison


def test_trials_that_score_the_same_have_no_winner():
    trials = [trial(number, 1.0 + 1e-12 * number) for number in range(3)]
    scores = {0: score(1.1), 1: score(1.0), 2: score(1.0)}
    found = conclude("s", "direction", trials, {"x": 0}, 2, 1, judge_of(scores))
    assert (found.tied, found.chosen, found.gain.mean) == (3, "default", 0.0) and found.loss == found.default_loss
    assert (
        found.default_comparison.startswith("all 3 trials score the same") and "no winner" in found.default_comparison
    )
    assert found.baseline_comparison.startswith("the default is better than the baseline")
    one = conclude("s", "direction", trials[:1], {"x": 0}, 2, 1, judge_of(scores))
    assert one.tied == 0 and "no trial was better than the default" in one.default_comparison


def test_only_settings_with_several_values_have_varied():
    trials = [trial(0, 1.0, values={"a": 1, "b": 2}), trial(1, 1.1, values={"a": 1, "b": 3})]
    assert varied(trials) == ["b"]
    assert varied([*trials, trial(2, None, state="pruned", values={"a": 5, "b": 2})]) == ["b"]


def test_a_sweep_without_a_complete_trial_or_a_score_of_the_default_is_an_error():
    with pytest.raises(TrialFailed, match="none of 1 trials is complete"):
        conclude("s", "direction", [trial(1, None, state="pruned")], {}, 2, 1, judge_of({}))
    with pytest.raises(TrialFailed, match="default cannot be scored"):
        conclude("s", "direction", [trial(1, 1.0)], {"x": 0}, 1, 1, judge_of({0: TrialFailed("no"), 1: score(1.0)}))
