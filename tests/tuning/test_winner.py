"""What a study found reaches training only where it fits: the same task, and a test period that no trial saw."""

import pytest

from configs.errors import ConfigError
from features.store.lake import Lake
from features.store.store import Store
from training import ModelManager, ModelTrainer
from tuning.optimizer import HyperparameterOptimizer
from tuning.score import Difference
from tuning.task import task_settings
from tuning.winner import check_periods, check_tasks, overrides_of, read_verdicts, told, with_own

VALUES = {"direction.network.window": 10, "direction.network.lstm_units": "[8]", "direction.fit.learning_rate": 0.002}


@pytest.fixture(scope="module")
def swept(make_universe, sweep_config, tmp_path_factory):
    """A store with a lake and a finished study of direction models."""
    store = Store(tmp_path_factory.mktemp("winner") / "store")
    for one in make_universe(("AAA", "BBB", "CCC"), bars=700, seed=5):
        Lake(store).append(one)
    config = sweep_config("tune.trials=2", "tune.finalists=1")
    HyperparameterOptimizer(config, store).optimize("direction", study="direction")
    return store


@pytest.fixture
def plan_of(swept):
    return lambda config: ModelTrainer(config, swept).prepare().plan


def test_a_study_ends_with_a_verdict_a_report_and_its_trials(swept):
    verdict = read_verdicts(swept, ["direction"])[0]
    assert verdict.kind == "direction" and verdict.task["horizon"] == 1 and verdict.until > "2010"
    assert verdict.chosen in ("winner", "default") and verdict.baseline > 0
    page = swept.read("studies/direction/report.html").decode()
    assert "Validation loss on the first fold" in page and "src=" not in page.partition("<body>")[2]


def test_settings_are_taken_from_winners_and_named(swept, sweep_config, plan_of):
    won = read_verdicts(swept, ["direction"])[0].model_copy(update={"chosen": "winner", "values": VALUES, "trial": 4})
    task = task_settings(sweep_config(), "volatility")
    lost = won.model_copy(update={"chosen": "default", "kind": "volatility", "study": "volatility", "task": task})
    config = sweep_config(*overrides_of([won, lost]))
    assert (config.direction.network.window, config.direction.network.lstm_units) == (10, (8,))
    assert config.volatility == sweep_config().volatility
    assert config.run.studies == ("direction/4", "volatility/default")
    check_tasks([won, lost], config)
    check_periods([won, lost], plan_of(config))
    assert "settings of trial 4" in told([won, lost], config)[0] and "stay as they are" in told([won, lost], config)[1]
    assert overrides_of([]) == []


def test_a_version_tells_where_its_settings_were_found(swept, sweep_config):
    won = read_verdicts(swept, ["direction"])[0].model_copy(update={"chosen": "winner", "values": VALUES, "trial": 4})
    config = sweep_config(*overrides_of([won]), "run.kinds=[direction]")
    version = ModelTrainer(config, swept).train_multi_asset_models().results[0].version
    manifest = ModelManager(swept).manifest("direction", version)
    assert (
        manifest.config["run"]["studies"] == ["direction/4"] and manifest.config["direction"]["network"]["window"] == 10
    )


@pytest.fixture
def own_of(swept):
    """Return the maker of verdicts of a study in the store, by which symbols would have settings of their own."""

    def make(**changes):
        values = {7: {"direction.network.lstm_units": "[4, 8]", "direction.network.window": 10}}
        values[9] = {"direction.network.window": 3, "direction.fit.learning_rate": 1e-05}
        found = {"own": {"AAA": 7, "CCC": 7, "BBB": 9}, "own_values": values, "own_helps": True}
        given = {"chosen": "winner", "values": VALUES, "trial": 4, "own_gain": Difference(mean=-0.1, se=0.01)} | found
        verdict = read_verdicts(swept, ["direction"])[0].model_copy(update=given | changes)
        swept.write_json(
            "studies/own/verdict.json", verdict.model_copy(update={"study": "own"}).model_dump(mode="json")
        )
        return read_verdicts(swept, ["own"])

    return make


def test_settings_of_symbols_own_are_trained_with_only_if_they_were_better(own_of, sweep_config):
    won = own_of()
    config = with_own(sweep_config(*overrides_of(won)), won)
    assert [(own.found, own.symbols) for own in config.own] == [("own/7", ("AAA", "CCC")), ("own/9", ("BBB",))]
    first, second = (config.with_values(own.values).direction for own in config.own)
    assert (first.network.lstm_units, second.network.window, second.fit.learning_rate) == ((4, 8), 3, 1e-05)
    assert "settings of their own for 3 of the symbols" in told(won, config)[0]
    assert with_own(config, own_of(own_helps=False)).own == (), "the winner alone takes the place of what was before"
    lost = own_of(chosen="default")
    assert with_own(sweep_config(), lost).own == () and with_own(config, lost) == config, "all stays as it was"


def test_what_is_given_by_hand_holds_for_all_and_other_kinds_keep_theirs(own_of, sweep_config):
    won = own_of()
    theirs = "own=[{kind: volatility, symbols: [AAA], values: {features.clip: 3}}, "
    theirs += "{kind: direction, symbols: [AAA], values: {features.clip: 4}}]"
    by_hand = "direction.network.window=6", "direction.fit.learning_rate=0.1"
    config = with_own(sweep_config(*overrides_of(won), *by_hand, theirs), won)
    assert [(own.kind, own.symbols, dict(own.values)) for own in config.own] == [
        ("volatility", ("AAA",), {"features.clip": 3}),
        ("direction", ("AAA", "CCC"), {"direction.network.lstm_units": (4, 8)}),
    ]
    assert "; settings of their own for 2 of the symbols" in told(won, config)[0]
    assert with_own(config, []) == config


def test_a_verdict_that_does_not_hold_the_settings_it_speaks_of_is_told(own_of):
    with pytest.raises(ConfigError, match="'own' is of another Fleetcast"):
        own_of(own_values={})


def test_a_strategy_that_was_varied_is_no_other_task_where_it_won(swept, sweep_config):
    values = {"direction.strategy": "per_symbol"}
    won = read_verdicts(swept, ["direction"])[0].model_copy(update={"chosen": "winner", "values": values})
    check_tasks([won], sweep_config(*overrides_of([won])))
    with pytest.raises(ConfigError, match="of another strategy"):
        check_tasks([won.model_copy(update={"chosen": "default"})], sweep_config("direction.strategy=per_symbol"))


def test_a_test_period_that_a_sweep_looked_into_is_refused(swept, sweep_config, plan_of):
    verdicts = read_verdicts(swept, ["direction"])
    check_periods(verdicts, plan_of(sweep_config()))
    earlier = sweep_config("split.test_fraction=0.35")
    with pytest.raises(ConfigError, match="would not be untouched"):
        check_periods(verdicts, plan_of(earlier))


@pytest.mark.parametrize("setting", ["direction.horizon=3", "direction.label.k=0.5", "direction.strategy=per_symbol"])
def test_another_task_is_refused(swept, sweep_config, setting):
    config = sweep_config(setting)
    with pytest.raises(ConfigError, match="is of another"):
        check_tasks(read_verdicts(swept, ["direction"]), config)


def test_studies_that_do_not_fit_are_named(swept, sweep_config):
    with pytest.raises(ConfigError, match="of one kind"):
        read_verdicts(swept, ["direction", "direction"])
    with pytest.raises(ConfigError, match=r"no finished study 'nosuch'.*has: direction"):
        read_verdicts(swept, ["nosuch"])
    with pytest.raises(ConfigError, match="is no name"):
        read_verdicts(swept, ["../direction"])
    config = sweep_config("run.kinds=[volatility]")
    with pytest.raises(ConfigError, match="volatility models are to be"):
        check_tasks(read_verdicts(swept, ["direction"]), config)
