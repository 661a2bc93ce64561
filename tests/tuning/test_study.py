"""Studies outlive their process: no finished trial is lost or repeated, and trials of different tasks never mix."""

import sqlite3
from types import SimpleNamespace

import optuna
import pytest
from optuna.trial import TrialState

from configs.errors import ConfigError, StoreError
from configs.operation import TuneConfig
from configs.space import Choice, Range
from features.store.store import Store
from tuning.open_study import check_study, open_study
from tuning.score import Difference, Outcome

pytestmark = pytest.mark.slow

SPACE = {"direction.fit.learning_rate": Range(low=1e-4, high=1e-2, log=True), "x": Choice(values=((8,), (16, 8)))}
FIRST = {"direction.fit.learning_rate": 0.001, "x": "[16, 8]"}


def outcome(loss=1.0):
    by_symbol = {"AAA": loss, "BBB": loss + 0.1}, {"AAA": loss}
    edge, failed = Difference(mean=loss - 1.1, se=0.01), {"CCC": "diverged"}
    return Outcome(loss=loss, baseline=1.1, edge=edge, by_symbol=by_symbol, seconds=2.5, failed=failed)


@pytest.fixture
def opened(store):
    def make(**options):
        given = {"name": "one", "store": store, "task": "t", "space": SPACE, "config": TuneConfig(trials=5)}
        return open_study(**{**given, "first": FIRST, **options})

    return make


def test_the_first_trial_has_the_default_values_and_every_end_is_recorded(opened):
    with opened() as study:
        first, second, third = study.ask(), study.ask(), study.ask()
        assert first.params == FIRST
        study.report(first, 1.5, 1)
        study.report(first, 1.4, 2)
        study.report(first, 9.0, 2)  # Tune reports the last epoch twice
        study.complete(first, outcome())
        study.report(second, 1.6, 1)
        study.prune(second)
        study.fail(third, "out of\nmemory")
        assert study.left == 2 and study.latest.number == 2
        one, two, three = study.trials
    assert (one.state, one.loss, one.baseline, one.seconds) == ("complete", 1.0, 1.1, 2.5)
    assert one.by_symbol == ({"AAA": 1.0, "BBB": 1.1}, {"AAA": 1.0}) and one.curve == {1: 1.5, 2: 1.4}
    assert (str(one.edge), one.failed) == ("−0.10000 ± 0.01000", {"CCC": "diverged"}) and two.edge is None
    assert (two.state, two.loss, two.curve) == ("pruned", None, {1: 1.6})
    assert (three.state, three.reason) == ("fail", "out of memory")


def test_a_resumed_study_repeats_unfinished_trials_only(opened):
    with opened() as study:
        study.complete(study.ask(), outcome())
        before = study.trials
        running = study.ask().params
    with opened(resume=True) as study:
        assert study.trials == before and study.left == 4
        assert study.ask().params == running
        drawn = [study.ask().params for _ in range(3)]
    assert running not in drawn and FIRST not in drawn
    assert len({str(values) for values in drawn}) == 3


def test_a_resumed_study_does_not_repeat_random_draws(opened):
    config = TuneConfig(trials=50, sampler="random")
    seen = []
    for resume in (False, True, True):
        with opened(config=config, resume=resume) as study:
            for _ in range(4):
                trial = study.ask()
                seen.append(str(trial.params))
                study.complete(trial, outcome())
    assert len(set(seen)) == 12


def test_an_existing_study_is_opened_only_with_resume(opened):
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


def test_a_sweep_for_loss_and_cost_records_both(opened):
    with opened(config=TuneConfig(sampler="nsga2", trials=2)) as study:
        trial = study.ask()
        study.report(trial, 1.5, 1)
        study.complete(trial, outcome())
        assert study.trials[0].loss == 1.0 and study.optuna.best_trials[0].values == [1.0, 2.5]


def test_optuna_reads_the_database(opened):
    with opened() as study:
        study.complete(study.ask(), outcome())
        url = study.url
    loaded = optuna.load_study(study_name="one", storage=url)
    assert loaded.best_value == 1.0 and loaded.trials[0].state == TrialState.COMPLETE


def test_a_database_that_cannot_be_opened_names_the_option(store, tmp_path):
    with pytest.raises(StoreError, match="--storage"):
        check_study(None, store, False, f"sqlite:///{tmp_path}/nosuch/place.db")
    with pytest.raises(StoreError, match="--storage"):
        check_study(None, store, False, "nosuch://host/name")


def test_a_database_that_fails_during_a_sweep_says_how_to_continue(opened, store):
    with pytest.raises(StoreError, match="--resume"), opened() as study:
        study.complete(study.ask(), outcome())
        with sqlite3.connect(store.path("studies", "studies.db")) as database:
            database.execute("drop table trials")
        study.ask()


def test_studies_on_object_storage_need_a_database(monkeypatch, store):
    monkeypatch.setattr(type(store), "is_local", False)
    with pytest.raises(ConfigError, match="--storage"):
        check_study(None, store, False, None)


@pytest.mark.parametrize("name", ["../x", "studies.db", "", "a/b", ".hidden", "x" * 81])
def test_names_that_cannot_be_folder_names_are_refused(opened, store, name):
    with pytest.raises(ConfigError, match="is not a valid name"), opened(name=name):
        pass
    with pytest.raises(ConfigError, match="is not a valid name"):
        check_study(name, store, False, None)


def test_a_study_to_continue_must_exist(opened, store):
    with opened():
        pass
    check_study("one", store, True, None, must_exist=True)
    with pytest.raises(ConfigError, match=r"no study 'two' to continue \(there are: one\)"):
        check_study("two", store, True, None, must_exist=True)
    check_study("two", store, True, None)


def test_only_one_process_at_a_time_opens_a_study(opened, store):
    with opened() as study:
        trial = study.ask()
        with pytest.raises(ConfigError, match="another process"), opened(resume=True):
            pass
        with pytest.raises(ConfigError, match="another process"):
            check_study("one", store, True, None)
        with opened(name="two"):
            pass
        study.complete(trial, outcome())
    with opened(resume=True) as study:
        assert len(study.trials) == 1


def test_only_one_machine_at_a_time_opens_a_study_in_a_shared_database(opened, tmp_path, monkeypatch):
    url = f"sqlite:///{tmp_path}/shared.db"
    here, there = Store(tmp_path / "here"), Store(tmp_path / "there")
    with opened(store=here, url=url) as study:
        study.ask()
        with pytest.raises(ConfigError, match="another process"), opened(store=there, url=url, resume=True):
            pass
    with opened(store=there, url=url, resume=True):
        pass
    killed = optuna.load_study(study_name="one", storage=url)
    monkeypatch.setattr("tuning.study_database.time", SimpleNamespace(time=lambda: 1_000.0))
    killed.set_user_attr("alive", 1_000.0 - 20.0)  # the last heartbeat of a process that was killed
    with pytest.raises(ConfigError, match=r"another process .* 20 s ago"), opened(store=here, url=url, resume=True):
        pass
    killed.set_user_attr("alive", 1_000.0 - 31.0)
    with opened(store=here, url=url, resume=True):
        pass


def test_changed_choices_are_refused_and_changed_ranges_are_used(opened):
    with opened() as study:
        study.complete(study.ask(), outcome())
    other = SPACE | {"x": Choice(values=((8,), (32,)))}
    with pytest.raises(ConfigError, match="varies x over other values"), opened(space=other, resume=True):
        pass
    narrower = SPACE | {"direction.fit.learning_rate": Range(low=1e-3, high=1e-2, log=True)}
    with opened(space=narrower, resume=True) as study:
        assert study.ask().params["direction.fit.learning_rate"] >= 1e-3


def test_a_study_without_a_task_is_taken_as_new(opened):
    with opened() as study:
        url = study.url
    optuna.delete_study(study_name="one", storage=url)
    bare = optuna.create_study(study_name="one", storage=url)
    with opened(resume=True) as study:
        assert study.ask().params == FIRST
    bare.set_user_attr("task", "t")
    assert optuna.load_study(study_name="one", storage=url).user_attrs["task"] == "t"


def test_a_trial_killed_before_it_drew_its_values_is_repeated(opened):
    with opened() as study:
        study.optuna.ask()  # takes FIRST from the queue, but draws none of its values
    with opened(resume=True) as study:
        assert study.ask().params == FIRST


EDITS = (
    "UPDATE trial_params SET param_value = 1e9",
    "UPDATE trial_params SET distribution_json = '{\"name'",
    "UPDATE trial_user_attributes SET value_json = '{{{'",
    "UPDATE trial_user_attributes SET value_json = '7'",
    "UPDATE trials SET state = 'x'",
    "UPDATE trials SET datetime_complete = 'yesterday'",
    f"UPDATE study_user_attributes SET value_json = '{'[' * 5000}'",
)


@pytest.mark.parametrize("edit", EDITS)
def test_an_edited_database_is_one_error(opened, store, edit):
    with opened() as study:
        study.complete(study.ask(), outcome())
    with sqlite3.connect(store.path("studies", "studies.db")) as database:
        database.execute(edit)
    database.close()
    with pytest.raises(StoreError, match=r"study|studies") as caught, opened(resume=True) as study:
        assert study.trials
        study.ask()
    assert "\n" not in str(caught.value) and len(str(caught.value)) < 700
