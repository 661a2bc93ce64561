"""Training with a bucket as store: the driver, Ray's workers and readers of models use HTTP only."""

import pytest

from training.registry.manager import ModelManager
from training.trainer import ModelTrainer

pytestmark = pytest.mark.slow


def test_a_run_on_a_bucket_gives_the_same_bytes_as_one_on_a_disk(s3, ray_cluster, undisturbed):
    result = ModelTrainer(undisturbed.config, s3).train_multi_asset_models(model_types=["direction"])
    assert undisturbed.hashes(s3) == undisturbed.hashes(undisturbed.store)
    models, here = ModelManager(s3), ModelManager(undisturbed.store)
    assert models.aliases("direction").champion == result.results[0].version
    ours, theirs = (manager.load_block("direction", "champion", "S07", test=True) for manager in (models, here))
    assert ours.test.equals(theirs.test) and list(ours.arrays) == list(theirs.arrays)
    again = ModelTrainer(undisturbed.config, s3).train_multi_asset_models(model_types=["direction"])
    assert again.results[0].version == result.results[0].version and again.seconds["train"] < 1.0
    assert models.store.names("runs/ray") in ([], ["in-use"])
