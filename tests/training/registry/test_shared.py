"""Arrays that the blocks of a run share are stored once per version, and every block verifies them."""

import os
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest

from configs.errors import ModelError
from features.store.store import Store
from training.registry.block_files import is_finished, read_arrays, read_index
from training.registry.blocks import Block, read_block, write_block
from training.registry.manager import ModelManager

FOREST = np.arange(1000.0)
EXTRA = {"config": {}, "data_hash": "d"}


def train(store: Store, run: str = "r", forest: np.ndarray = FOREST) -> list[str]:
    """Write a pooled fit and two blocks that have its forest, as workers do, and return the blocks' prefixes."""
    base = f"runs/{run}/pooled"
    write_block(store, base, Block("volatility", (), {"forest": forest, "grams": np.zeros(3), "linear": np.ones(2)}))
    prefixes = [f"runs/{run}/block-{name}" for name in "AB"]
    for number, prefix in enumerate(prefixes):
        arrays = {"forest": forest, "linear": np.full(2, 2.0 + number), "own": np.array([number])}
        write_block(store, prefix, Block("volatility", (prefix[-1],), arrays), share=True)
    return prefixes


@pytest.fixture
def manager(tmp_path) -> ModelManager:
    return ModelManager(tmp_path / "store")


def test_arrays_equal_to_the_pooled_fit_are_not_stored_again_and_are_read_back(manager):
    first, second = train(manager.store)
    index = read_index(manager.store, first)
    assert index.shared is not None and index.shared.arrays == ("forest",)
    assert sorted(read_arrays(manager.store, first, index)) == ["linear", "own"]
    assert manager.store.size(first + ".safetensors") < FOREST.nbytes / 10
    arrays = read_block(manager.store, second).arrays
    assert list(arrays) == ["forest", "linear", "own"]
    np.testing.assert_array_equal(arrays["forest"], FOREST)
    np.testing.assert_array_equal(arrays["linear"], [3.0, 3.0])


def test_only_arrays_that_are_equal_bit_for_bit_are_shared(manager):
    store = manager.store
    write_block(store, "runs/r/pooled", Block("volatility", (), {"a": np.zeros(2), "b": np.zeros(2), "c": np.zeros(2)}))
    arrays = {"a": np.zeros(2, np.float32), "b": np.zeros((1, 2)), "c": np.array([0.0, -0.0]), "d": np.zeros(2)}
    write_block(store, "runs/r/b", Block("volatility", ("A",), arrays), share=True)
    assert read_index(store, "runs/r/b").shared is None
    found = read_block(store, "runs/r/b").arrays
    assert all((found[n].dtype, found[n].tobytes()) == (a.dtype, a.tobytes()) for n, a in arrays.items())
    with pytest.raises(ModelError, match=r"other/pooled\.json' is missing"):
        write_block(store, "runs/other/b", Block("volatility", ("A",), arrays), share=True)


def test_a_version_stores_shared_arrays_once_and_outlives_its_run(manager):
    prefixes = train(manager.store)
    made = manager.publish("volatility", prefixes, EXTRA)
    folder = Path(manager.store.path(f"models/volatility/{made.version}"))
    manifest = manager.manifest("volatility")
    assert manifest.shared is not None and manifest.shared.size > FOREST.nbytes
    files = [path for path in folder.iterdir() if path.name != "manifest.json"]
    assert len(files) == 7 and manifest.size == sum(path.stat().st_size for path in files)
    assert not manager.publish("volatility", prefixes, EXTRA).is_new
    manager.store.delete("runs")
    for symbol in "AB":
        np.testing.assert_array_equal(manager.load_block("volatility", "latest", symbol).arrays["forest"], FOREST)


def test_pruning_the_run_frees_nothing_that_a_version_shares(manager):
    prefixes = train(manager.store)
    manager.publish("volatility", prefixes, EXTRA)
    assert manager.prune("volatility", keep=1, grace=timedelta(0)).size == 0
    np.testing.assert_array_equal(manager.load_block("volatility", "latest", "B").arrays["forest"], FOREST)


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
@pytest.mark.parametrize("damage", ["flip", "delete", "other"])
def test_damage_to_the_pooled_block_is_an_error_for_readers_and_publishing(manager, suffix, damage):
    prefixes = train(manager.store)
    version = manager.publish("volatility", prefixes, EXTRA).version
    train(manager.store, "other", FOREST + 1)
    for folder in ("runs/r", f"models/volatility/{version}"):
        path = Path(manager.store.path(f"{folder}/pooled{suffix}"))
        data = bytearray(path.read_bytes())
        path.unlink()
        if damage == "flip":
            data[-2] ^= 1
            path.write_bytes(data)
        elif damage == "other":
            path.write_bytes(manager.store.read(f"runs/other/pooled{suffix}"))
    with pytest.raises(ModelError, match="pooled"):
        manager.load_block("volatility", version, "A")
    with pytest.raises(ModelError, match="pooled"):
        manager.publish("volatility", prefixes, EXTRA)
    assert manager.versions("volatility") == [version]


def test_publishing_again_replaces_a_version_whose_shared_block_is_damaged(manager):
    prefixes = train(manager.store)
    first = manager.publish("volatility", prefixes, EXTRA).version
    os.unlink(manager.store.path(f"models/volatility/{first}/pooled.safetensors"))
    second = manager.publish("volatility", prefixes, EXTRA)
    assert second.is_new
    np.testing.assert_array_equal(manager.load_block("volatility", second.version, "A").arrays["forest"], FOREST)


def test_blocks_are_finished_without_the_pooled_block_but_not_with_another(manager):
    """A pooled fit that is gone is made again with the same bytes; with others, the blocks must be fitted anew."""
    prefixes = train(manager.store)
    manager.store.delete("runs/r/pooled.json")
    assert all(is_finished(manager.store, prefix) for prefix in prefixes)
    write_block(manager.store, "runs/r/pooled", Block("volatility", (), {"forest": FOREST + 1}))
    assert not any(is_finished(manager.store, prefix) for prefix in prefixes)


def test_blocks_with_different_pooled_fits_cannot_be_one_version(manager):
    one, other = train(manager.store)[0], train(manager.store, "other", FOREST + 1)[1]
    with pytest.raises(ModelError, match="blocks of one run"):
        manager.publish("volatility", [one, other], EXTRA)
