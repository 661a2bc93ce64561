"""A trial's score is that of a training run on the same fold; what cannot be fitted fails with its reason."""

from dataclasses import replace

import numpy as np
import pytest

from configs.errors import ConfigError
from training.tasks import task_of
from training.validation.evaluate import evaluate
from tuning.objective import Objective, TrialFailed
from tuning.space import configured, defaults, space_of


class Enough(Exception):
    pass


@pytest.fixture(scope="module", params=["direction", "volatility"])
def task(request, task_of):
    return task_of(request.param)


def test_scores_are_those_of_the_predictor_on_each_fold(task):
    outcome = Objective(task)({})
    losses = []
    for fold, told in zip(task.folds, outcome.by_symbol, strict=True):
        examples = task_of(task.kind).examples(task.panel, fold, task.config)
        predictor = task_of(task.kind).predictor(task.config)
        predictor.fit_examples(examples, predictor.fit_pooled(examples))
        found = evaluate(predictor, examples)
        score = "log_loss" if task.kind == "direction" else "qlike"
        assert told == pytest.approx({name: one[score] for name, one in found.per_symbol.items()}, rel=1e-5)
        losses.append(found.table.column("loss").to_numpy())
    assert outcome.loss == pytest.approx(np.concatenate(losses).mean(), rel=1e-6)
    assert outcome.baseline > 0 and outcome.seconds > 0 and not outcome.failed
    assert outcome.edge.mean == pytest.approx(outcome.loss - outcome.baseline) and outcome.edge.se > 0
    assert Objective(task)({}).loss == outcome.loss


def test_epochs_of_the_first_fit_are_told_and_no_others(task):
    seen = []
    Objective(task)({}, lambda epoch, loss: seen.append((epoch, loss)))
    epochs = [epoch for epoch, _ in seen]
    assert epochs == list(range(1, len(epochs) + 1)) and len(epochs) <= 3
    assert all(np.isfinite(loss) for _, loss in seen)
    assert [loss for _, loss in seen] == sorted((loss for _, loss in seen), reverse=True)  # the best so far


def test_what_follows_raises_ends_the_trial_at_once(task):
    seen = []

    def follow(epoch, loss):
        seen.append(epoch)
        if epoch == 2:
            raise Enough

    with pytest.raises(Enough):
        Objective(task)({}, follow)
    assert seen == [1, 2]
    Objective(task)({})  # and nobody follows the next one
    assert seen == [1, 2]


def test_values_reach_the_fit(task):
    path = f"{task.kind}.fit.learning_rate"
    assert path in space_of(task.config, task.kind)
    curves = []
    for rate in (1e-4, 5e-3):
        curves.append([])
        Objective(task)({path: rate}, lambda epoch, loss: curves[-1].append(loss))
    assert curves[0] != curves[1]


def test_values_that_make_no_configuration_fail_with_the_reason(task):
    with pytest.raises(ConfigError, match="attention_heads"):
        Objective(task)({f"{task.kind}.network.lstm_units": "[5]", f"{task.kind}.network.attention_heads": 2})


def broken(task, *numbers):
    panel = replace(task.panel, features=task.panel.features.copy())
    for number in numbers:
        panel.features[panel.rows(number)] = np.inf
    return replace(task, panel=panel)


def test_a_symbol_that_fails_at_any_settings_is_told_and_costs_the_others_nothing(task_of):
    task = task_of("direction", "direction.strategy=per_symbol", "features.scaling_method=none")
    whole, part = Objective(task)({}), Objective(broken(task, 1))({})
    assert part.failed.keys() == {"BBB"} and "never finite" in part.failed["BBB"]
    for fold, others in zip(whole.by_symbol, part.by_symbol, strict=True):
        assert others == pytest.approx({name: loss for name, loss in fold.items() if name != "BBB"})
    assert part.loss == pytest.approx(np.mean([list(fold.values()) for fold in part.by_symbol]))
    other = Objective(broken(task, 1))({"direction.fit.learning_rate": 1e-4})
    assert other.failed.keys() == {"BBB"} and all("BBB" not in fold and len(fold) == 5 for fold in other.by_symbol)
    with pytest.raises(TrialFailed, match=r"all 6 symbols fail; AAA: .*never finite"):
        Objective(broken(task, *range(6)))({})


class Losing(Objective):
    """Has no model of one symbol at the higher learning rates."""

    def _scored(self, config, split):
        score = super()._scored(config, split)
        return replace(score, failed={"BBB": "diverged"}) if config.direction.fit.learning_rate > 0.01 else score


def test_settings_that_lose_a_symbol_fail_however_hard_it_is(task_of):
    task = task_of("direction", "direction.fit.learning_rate=0.001")
    assert not Losing(task)({}).failed
    with pytest.raises(TrialFailed, match="no model of BBB, where the default settings make one: diverged"):
        Losing(task)({"direction.fit.learning_rate": 0.02})
    excused = Losing(task_of("direction", "direction.fit.learning_rate=0.02"))
    assert excused({"direction.fit.learning_rate": 0.03}).failed == {"BBB": "diverged"}


def test_the_last_fold_is_judged_on_its_own(task):
    score = Objective(task).judged({})
    assert score.dates.min() >= task.last.test_start and score.dates.max() <= task.last.test_end
    assert score.by_symbol().keys() == set(task.panel.symbols)
    assert np.isfinite(score.loss).all() and score.loss.shape == score.baseline.shape
    assert isinstance(Objective(task).judged({f"{task.kind}.network.window": -1}), TrialFailed)


def test_defaults_of_the_smallest_configuration_are_outside_of_the_space(task):
    assert defaults(task.config, space_of(task.config, task.kind)) is None
    assert configured(task.config, {}) == task.config
