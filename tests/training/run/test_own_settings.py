"""Runs whose symbols have settings of their own: what was trained before neither disturbs them nor changes a byte."""

import pytest

from features.store.lake import Lake
from features.store.store import Store
from training import ModelManager, ModelTrainer

NAMES = ("AAA", "BBB", "CCC", "DDD")
WIDER = ("direction.network.window=7",)
OWN = ("own=[{kind: direction, symbols: [CCC, DDD], values: {direction.network.window: 7}}]",)


@pytest.fixture
def run(tiny_config, make_universe, tmp_path):
    """Train directions on the store of this name."""

    def trained(name, overrides):
        store = Store(tmp_path / name)
        if not Lake(store).symbols():
            for one in make_universe(NAMES, bars=400):
                Lake(store).append(one)
        settings = ("data.bars=lake", "run.block_symbols=2", "run.kinds=[direction]")
        return ModelTrainer(tiny_config(*settings, *overrides), store).train_multi_asset_models([], ["direction"])

    return trained


@pytest.fixture
def train(run, block_files, tmp_path):
    """Return the files of the run's blocks, and what it came to."""

    def told(name, overrides):
        result = run(name, overrides)
        [found] = result.results
        assert found.version and set(found.per_symbol) == set(NAMES)
        outputs = {job.output for job in result.plan.jobs}
        files = block_files(tmp_path / name)
        return {file: data for file, data in files.items() if file.partition(".")[0] in outputs}, found

    return told


def test_blocks_of_equal_settings_that_other_runs_left_are_not_mistaken_for_its_own(train, tmp_path):
    """CCC and DDD are a block with a window of 7 in both runs, and only where all share it does it share its arrays."""
    wider, _ = train("store", WIDER)
    own, found = train("store", OWN)
    assert "first version" not in found.decision and "cannot be compared" not in found.decision
    assert train("alone", OWN)[0] == own and train("alone", WIDER)[0] == wider
    assert len(ModelManager(str(tmp_path / "store")).versions("direction")) == 2


def test_a_run_with_groups_goes_on_where_it_was(train, tmp_path):
    whole, found = train("store", OWN)
    lost = {name for name in whole if "/own-" in name or "/pooled" in name}
    assert len({name.partition(".")[0] for name in lost}) == 3, "two pooled fits and a group's block"
    kept = {name: (tmp_path / "store" / name).stat().st_ino for name in whole if name not in lost}
    for name in lost:
        (tmp_path / "store" / name).unlink()
    again, second = train("store", OWN)
    assert again == whole and second.version == found.version
    assert {name: (tmp_path / "store" / name).stat().st_ino for name in kept} == kept


def test_a_group_whose_pooled_fit_fails_costs_its_own_symbols_only(run, tmp_path):
    """No window of 390 bars fits into a training period of fewer."""
    result = run("store", ("own=[{kind: direction, symbols: [DDD], values: {direction.network.window: 390}}]",))
    [found] = result.results
    assert found.version and set(found.per_symbol) == {"AAA", "BBB", "CCC"}
    [(symbol, reason)] = found.failed
    assert symbol == "DDD" and "pooled fit, which failed" in reason and ": 0 training windows" in reason
