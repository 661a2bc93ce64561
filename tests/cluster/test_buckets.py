"""Training with a bucket as store: the driver, Ray's workers and readers of models use HTTP only."""

import pytest

from training.registry.manager import ModelManager
from training.trainer import ModelTrainer

pytestmark = pytest.mark.slow


def test_a_run_on_a_bucket_gives_the_same_bytes_as_one_on_a_disk(s3, ray_cluster, tiny_run):
    result = ModelTrainer(tiny_run.config, s3).train_multi_asset_models()
    assert tiny_run.hashes(s3) == tiny_run.hashes(tiny_run.store)
    models, here = ModelManager(s3), ModelManager(tiny_run.store)
    for kind in result.results:
        assert models.aliases(kind.kind).champion == kind.version
        ours, theirs = (manager.load_block(kind.kind, "champion", "S02", test=True) for manager in (models, here))
        assert ours.test.equals(theirs.test) and list(ours.arrays) == list(theirs.arrays)
    trainer = ModelTrainer(tiny_run.config, s3)
    assert trainer.prepare().is_finished
    again = trainer.train_multi_asset_models()
    assert [kind.version for kind in again.results] == [kind.version for kind in result.results]
    assert models.store.names("runs/ray") in ([], ["in-use"])
