"""A trial scores as a training run on the same folds does; symbols that cannot be fitted have a reason."""

from contextlib import suppress
from dataclasses import replace

import numpy as np
import pytest

from configs.errors import ConfigError
from training import tasks
from training.predictors import predictor_class
from training.validation.evaluate import evaluate
from tuning.objective import Objective, TrialFailed
from tuning.space import configured, defaults, space_of

pytestmark = pytest.mark.slow


class Stop(Exception):
    pass


@pytest.fixture(scope="module", params=["direction", pytest.param("volatility", marks=pytest.mark.slow)])
def task(request, task_of):
    return task_of(request.param)


def test_scores_are_those_of_the_predictor_on_each_fold(task):
    outcome = Objective(task)({})
    losses = []
    for fold, by_symbol in zip(task.folds, outcome.by_symbol, strict=True):
        examples = tasks.task_of(task.kind).examples(task.panel, fold, task.config)
        predictor = predictor_class(task.kind)(task.config)
        predictor.fit_examples(examples, predictor.fit_pooled(examples))
        found = evaluate(predictor, examples)
        score = "log_loss" if task.kind == "direction" else "qlike"
        assert by_symbol == pytest.approx({name: own[score] for name, own in found.per_symbol.items()}, rel=1e-5)
        losses.append(found.table.column("loss").to_numpy())
    assert outcome.loss == pytest.approx(np.concatenate(losses).mean(), rel=1e-6)
    assert outcome.baseline > 0 and outcome.seconds > 0 and not outcome.failed
    assert outcome.edge.mean == pytest.approx(outcome.loss - outcome.baseline) and outcome.edge.se > 0
    assert Objective(task)({}).loss == outcome.loss


def test_only_epochs_of_the_first_fit_are_reported(task):
    seen = []
    Objective(task)({}, lambda epoch, loss: seen.append((epoch, loss)))
    epochs = [epoch for epoch, _ in seen]
    assert epochs == list(range(1, len(epochs) + 1)) and len(epochs) <= 3
    assert all(np.isfinite(loss) for _, loss in seen)
    assert [loss for _, loss in seen] == sorted((loss for _, loss in seen), reverse=True)  # the best so far


def test_an_exception_of_the_epoch_callback_ends_the_trial(task):
    seen = []

    def on_epoch(epoch, loss):
        seen.append(epoch)
        if epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        Objective(task)({}, on_epoch)
    assert seen == [1, 2]
    Objective(task)({})  # the next trial does not call it
    assert seen == [1, 2]


def test_values_reach_the_fit(task):
    path = f"{task.kind}.fit.learning_rate"
    assert path in space_of(task.config, task.kind)
    curves = []

    def on_epoch(epoch, loss):
        curves[-1].append(loss)
        if epoch == task.config.section(task.kind).fit.epochs:
            raise Stop  # the other folds report nothing

    for rate in (1e-4, 5e-3):
        curves.append([])
        with suppress(Stop):
            Objective(task)({path: rate}, on_epoch)
    assert curves[0] != curves[1]


def test_values_that_make_no_configuration_fail_with_the_reason(task):
    with pytest.raises(ConfigError, match="attention_heads"):
        Objective(task)({f"{task.kind}.network.lstm_units": "[5]", f"{task.kind}.network.attention_heads": 2})


def broken(task, *symbols):
    """Return the task with infinite features of these symbols, given by position."""
    panel = replace(task.panel, features=task.panel.features.copy())
    for i in symbols:
        panel.features[panel.rows(i)] = np.inf
    return replace(task, panel=panel)


def test_a_symbol_that_no_settings_fit_is_reported_and_leaves_the_other_symbols_unaffected(task_of):
    task = task_of("direction", "direction.strategy=per_symbol", "features.scaling_method=none")
    complete, part = Objective(task)({}), Objective(broken(task, 1))({})
    assert part.failed.keys() == {"BBB"} and "never finite" in part.failed["BBB"]
    for fold, rest in zip(complete.by_symbol, part.by_symbol, strict=True):
        assert rest == pytest.approx({name: loss for name, loss in fold.items() if name != "BBB"})
    assert part.loss == pytest.approx(np.mean([list(fold.values()) for fold in part.by_symbol]))
    other = Objective(broken(task, 1))({"direction.fit.learning_rate": 1e-4})
    assert other.failed.keys() == {"BBB"} and all("BBB" not in fold and len(fold) == 5 for fold in other.by_symbol)
    with pytest.raises(TrialFailed, match=r"all 6 symbols fail; AAA: .*never finite"):
        Objective(broken(task, *range(6)))({})


class Losing(Objective):
    """Has no model of one symbol at the higher learning rates."""

    def _score(self, config, split):
        score = super()._score(config, split)
        return replace(score, failed={"BBB": "diverged"}) if config.direction.fit.learning_rate > 0.01 else score


def test_settings_that_lose_a_symbol_fail_unless_the_default_settings_lose_it_too(task_of):
    task = task_of("direction", "direction.fit.learning_rate=0.001")
    assert not Losing(task)({}).failed
    with pytest.raises(TrialFailed, match="no model of BBB, where the default settings make one: diverged"):
        Losing(task)({"direction.fit.learning_rate": 0.02})
    lost_by_default = Losing(task_of("direction", "direction.fit.learning_rate=0.02"))
    assert lost_by_default({"direction.fit.learning_rate": 0.03}).failed == {"BBB": "diverged"}


def test_the_score_of_the_last_fold_has_rows_of_that_fold_only(task):
    score = Objective(task).score_last_fold({})
    assert score.dates.min() >= task.last.test_start and score.dates.max() <= task.last.test_end
    assert score.by_symbol().keys() == set(task.panel.symbols)
    assert np.isfinite(score.loss).all() and score.loss.shape == score.baseline.shape
    assert isinstance(Objective(task).score_last_fold({f"{task.kind}.network.window": -1}), TrialFailed)


def test_defaults_outside_the_space_are_none(task):
    assert defaults(task.config, space_of(task.config, task.kind)) is None
    assert configured(task.config, {}) == task.config
