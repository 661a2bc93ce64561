"""A training run takes settings of a study only if its task is the same and its test period was not used."""

import pytest

from configs.errors import ConfigError
from features.store.lake import Lake
from features.store.store import Store
from training import ModelManager, ModelTrainer
from training.registry.trials import TrialLedger
from tuning.optimizer import HyperparameterOptimizer
from tuning.sweep_task import task_settings
from tuning.winner import check_periods, check_tasks, overrides_of, read_verdicts, summary_lines

pytestmark = pytest.mark.slow

VALUES = {"direction.network.window": 10, "direction.network.lstm_units": "[8]", "direction.fit.learning_rate": 0.002}


@pytest.fixture(scope="module")
def swept(make_universe, sweep_config, tmp_path_factory):
    """A store with a lake and a finished study of direction models."""
    store = Store(tmp_path_factory.mktemp("winner") / "store")
    for series in make_universe(("AAA", "BBB", "CCC"), bars=700, seed=5):
        Lake(store).append(series)
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
    assert [(one.kind, one.count) for one in TrialLedger(swept).trials() if one.kind == "study"] == [("study", 2)]
    page = swept.read("studies/direction/report.html").decode()
    assert "Validation loss on the first fold" in page and "src=" not in page.partition("<body>")[2]


def test_settings_are_taken_from_winners_and_recorded(swept, sweep_config, plan_of):
    won = read_verdicts(swept, ["direction"])[0].model_copy(update={"chosen": "winner", "values": VALUES, "trial": 4})
    task = task_settings(sweep_config(), "volatility")
    lost = won.model_copy(update={"chosen": "default", "kind": "volatility", "study": "volatility", "task": task})
    config = sweep_config(*overrides_of([won, lost]))
    assert (config.direction.network.window, config.direction.network.lstm_units) == (10, (8,))
    assert config.volatility == sweep_config().volatility
    assert config.run.studies == ("direction/4", "volatility/default")
    check_tasks([won, lost], config)
    check_periods([won, lost], plan_of(config))
    lines = summary_lines([won, lost])
    assert "settings of trial 4" in lines[0] and "stay as they are" in lines[1]
    assert overrides_of([]) == []


def test_the_manifest_of_a_version_names_the_study_of_its_settings(swept, sweep_config):
    won = read_verdicts(swept, ["direction"])[0].model_copy(update={"chosen": "winner", "values": VALUES, "trial": 4})
    config = sweep_config(*overrides_of([won]), "run.kinds=[direction]")
    version = ModelTrainer(config, swept).train_multi_asset_models().results[0].version
    manifest = ModelManager(swept).manifest("direction", version)
    assert manifest.config["run"]["studies"] == ["direction/4"]
    assert manifest.config["direction"]["network"]["window"] == 10


def test_a_strategy_that_was_varied_is_another_task_only_if_it_lost(swept, sweep_config):
    values = {"direction.strategy": "per_symbol"}
    won = read_verdicts(swept, ["direction"])[0].model_copy(update={"chosen": "winner", "values": values})
    check_tasks([won], sweep_config(*overrides_of([won])))
    with pytest.raises(ConfigError, match="of another strategy"):
        check_tasks([won.model_copy(update={"chosen": "default"})], sweep_config("direction.strategy=per_symbol"))


def test_a_test_period_that_overlaps_bars_of_a_sweep_is_refused(swept, sweep_config, plan_of):
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


def test_studies_that_cannot_be_used_are_refused_with_the_reason(swept, sweep_config):
    with pytest.raises(ConfigError, match="of one kind"):
        read_verdicts(swept, ["direction", "direction"])
    with pytest.raises(ConfigError, match=r"no finished study 'nosuch'.*has: direction"):
        read_verdicts(swept, ["nosuch"])
    with pytest.raises(ConfigError, match="is not a valid name"):
        read_verdicts(swept, ["../direction"])
    config = sweep_config("run.kinds=[volatility]")
    with pytest.raises(ConfigError, match="volatility models are to be"):
        check_tasks(read_verdicts(swept, ["direction"]), config)
