"""Studies outlive their process: nothing finished is lost or repeated, and trials of other tasks never mix."""

import optuna
import pytest
from optuna.trial import TrialState

from configs.errors import ConfigError, StoreError
from configs.schema import TuneConfig
from configs.space import Choice, Range
from tuning.objective import Outcome
from tuning.study import open_storage, open_study

SPACE = {"direction.fit.learning_rate": Range(low=1e-4, high=1e-2, log=True), "x": Choice(values=((8,), (16, 8)))}
FIRST = {"direction.fit.learning_rate": 0.001, "x": "[16, 8]"}


def outcome(loss=1.0):
    return Outcome(loss, 1.1, ({"AAA": loss, "BBB": loss + 0.1}, {"AAA": loss}), 2.5)


@pytest.fixture
def opened(store):
    def make(**options):
        given = {"name": "one", "store": store, "task": "t", "space": SPACE, "config": TuneConfig(trials=5)}
        return open_study(**{**given, "first": FIRST, **options})

    return make


def test_the_default_comes_first_and_ends_are_kept(opened):
    with opened() as study:
        first, second, third = study.ask(), study.ask(), study.ask()
        assert first.params == FIRST
        study.report(first, 1.5, 1)
        study.report(first, 1.4, 2)
        study.report(first, 9.0, 2)  # told again at the end
        study.complete(first, outcome())
        study.report(second, 1.6, 1)
        study.prune(second)
        study.fail(third, "out of\nmemory")
        assert study.left == 2 and study.latest.number == 2
        one, two, three = study.trials
    assert (one.state, one.loss, one.baseline, one.seconds) == ("complete", 1.0, 1.1, 2.5)
    assert one.by_symbol == ({"AAA": 1.0, "BBB": 1.1}, {"AAA": 1.0}) and one.curve == {1: 1.5, 2: 1.4}
    assert (two.state, two.loss, two.curve) == ("pruned", None, {1: 1.6})
    assert (three.state, three.reason) == ("fail", "out of memory")


def test_going_on_repeats_nothing_that_is_finished_and_everything_that_is_not(opened):
    with opened() as study:
        study.complete(study.ask(), outcome())
        before = study.trials
        running = study.ask().params
    with opened(resume=True) as study:
        assert study.trials == before and study.left == 4
        assert study.ask().params == running
        drawn = [study.ask().params for _ in range(3)]
    assert running not in drawn and FIRST not in drawn
    assert len({str(one) for one in drawn}) == 3


def test_random_draws_are_not_repeated_by_who_goes_on(opened):
    config = TuneConfig(trials=50, sampler="random")
    seen = []
    for resume in (False, True, True):
        with opened(config=config, resume=resume) as study:
            for _ in range(4):
                trial = study.ask()
                seen.append(str(trial.params))
                study.complete(trial, outcome())
    assert len(set(seen)) == 12


def test_an_existing_study_needs_to_be_asked_for(opened):
    with opened():
        pass
    with pytest.raises(ConfigError, match="--resume"), opened():
        pass
    with opened(name="two"):
        pass


def test_trials_of_another_task_are_refused(opened):
    with opened():
        pass
    with pytest.raises(ConfigError, match="do not compare"), opened(task="other", resume=True):
        pass
    with pytest.raises(ConfigError, match="do not compare"), opened(config=TuneConfig(sampler="nsga2"), resume=True):
        pass


def test_loss_and_cost_are_searched_for_together(opened):
    with opened(config=TuneConfig(sampler="nsga2", trials=2)) as study:
        trial = study.ask()
        study.report(trial, 1.5, 1)
        study.complete(trial, outcome())
        assert study.trials[0].loss == 1.0 and study.optuna.best_trials[0].values == [1.0, 2.5]


def test_the_database_is_optunas_own(opened, store):
    with opened() as study:
        study.complete(study.ask(), outcome())
        url = study.url
    loaded = optuna.load_study(study_name="one", storage=url)
    assert loaded.best_value == 1.0 and loaded.trials[0].state == TrialState.COMPLETE


def test_a_database_that_cannot_be_opened_is_told(store, tmp_path):
    with pytest.raises(StoreError, match="--storage"):
        open_storage(store, f"sqlite:///{tmp_path}/nosuch/place.db")
    with pytest.raises(StoreError, match="--storage"):
        open_storage(store, "nosuch://host/name")


def test_studies_on_object_storage_need_a_database(monkeypatch, store):
    monkeypatch.setattr(type(store), "is_local", False)
    with pytest.raises(ConfigError, match="--storage"):
        open_storage(store)
