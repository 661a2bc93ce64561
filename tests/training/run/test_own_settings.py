"""Runs whose symbols have settings of their own: what was trained before neither disturbs them nor changes a byte."""

from pathlib import Path

import pytest

from features.lake import Lake
from features.store import Store
from training import ModelManager, ModelTrainer

NAMES = ("AAA", "BBB", "CCC", "DDD")
WIDER = ("direction.network.window=7",)
OWN = ("own=[{kind: direction, symbols: [CCC, DDD], values: {direction.network.window: 7}}]",)


@pytest.fixture
def train(tiny_config, make_universe, tmp_path):
    """Train on the store of this name; return the files of the run's blocks, and what it came to."""

    def run(name, overrides):
        store = Store(tmp_path / name)
        if not Lake(store).symbols():
            for one in make_universe(NAMES, bars=400):
                Lake(store).append(one)
        settings = ("data.bars=lake", "run.block_symbols=2", "run.kinds=[direction]")
        result = ModelTrainer(tiny_config(*settings, *overrides), store).train_multi_asset_models([], ["direction"])
        [found] = result.results
        assert found.version and set(found.per_symbol) == set(NAMES)
        outputs = {job.output for job in result.plan.jobs}
        paths = {str(path.relative_to(store.root)): path for path in Path(store.root).glob("runs/*/*.*")}
        return {name: path.read_bytes() for name, path in paths.items() if name.partition(".")[0] in outputs}, found

    return run


def test_blocks_of_equal_settings_that_other_runs_left_are_not_mistaken_for_its_own(train, tmp_path):
    """CCC and DDD are a block with a window of 7 in both runs, and only where all share it does it share its arrays."""
    wider, _ = train("store", WIDER)
    own, found = train("store", OWN)
    assert "first version" not in found.decision and "cannot be compared" not in found.decision
    assert train("alone", OWN)[0] == own and train("alone", WIDER)[0] == wider
    assert len(ModelManager(str(tmp_path / "store")).versions("direction")) == 2
