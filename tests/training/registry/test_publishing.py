"""Publishing: a version contains what its run wrote, and appears complete or not at all."""

import json
import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from configs.errors import ModelError
from features.store.store import Store
from training.registry.blocks import Block, write_block
from training.registry.layout import manifest_path, version_name
from training.registry.manager import ModelManager
from training.registry.manifest import MANIFEST_SCHEMA

NOTHING = timedelta(0)
Train = Callable[..., list[str]]
Release = Callable[..., str]


def test_a_version_holds_what_the_run_wrote(manager: ModelManager, train: Train) -> None:
    prefixes = train(manager.store, "r", {"block-00000": ["MSFT", "AAPL"], "block-00001": ["^GSPC"]})
    extra = {
        "config": {"seed": 7},
        "data_hash": "d1",
        "metrics": {"log_loss": 1.1, "ece": float("nan")},
        "seconds": {"fit": 2},
    }
    made = manager.publish("direction", prefixes, extra)
    assert made.is_new and manager.versions("direction") == [made.version] and manager.kinds() == ["direction"]
    manifest = manager.manifest("direction", made.version)
    roster = manager.roster("direction", made.version)
    assert manifest.symbols == 3 and roster.symbols() == ["AAPL", "MSFT", "^GSPC"]
    assert [roster.locate(symbol) for symbol in roster.symbols()] == [(0, 1), (0, 0), (1, 0)]
    assert (manifest.config, manifest.data_hash, manifest.metrics) == (
        {"seed": 7},
        "d1",
        {"log_loss": 1.1, "ece": None},
    )
    assert manifest.libraries["numpy"] == np.__version__ and manifest.created.tzinfo is not None
    folder = Path(manager.store.path(f"models/direction/{made.version}"))
    suffixes = (".json", ".safetensors", ".test.parquet")
    blocks = (f"block-0000{i}{suffix}" for i in (0, 1) for suffix in suffixes)
    expected = sorted(["manifest.json", "symbols.parquet", *blocks])
    assert sorted(os.listdir(folder)) == expected
    assert manifest.size == sum((folder / name).stat().st_size for name in expected if name != "manifest.json")
    assert manager.load_block("direction", "latest", "^GSPC").symbols == ("^GSPC",)
    assert manager.load_block("direction", "latest", "aapl").symbols == ("MSFT", "AAPL")
    assert manager.load_block("direction", "latest", 1).test is None
    assert manager.load_block("direction", "latest", 1, test=True).test is not None
    assert [table.num_rows for table in manager.test_predictions("direction")] == [2, 1]


def test_a_version_outlives_its_run(manager: ModelManager, release: Release) -> None:
    version = release(manager, "r")
    manager.store.delete("runs")
    assert manager.load_block("direction", version, "AAPL").meta == {"run": "r"}


def test_a_file_system_without_hard_links_gets_copies(
    manager: ModelManager, monkeypatch: pytest.MonkeyPatch, release: Release
) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    version = release(manager, "r")
    assert manager.load_block("direction", version, "AAPL").symbols == ("AAPL", "^GSPC")


def test_publishing_the_same_content_again_returns_the_same_version(manager: ModelManager, train: Train) -> None:
    prefixes = train(manager.store, "r", {"block-00000": ["AAPL"]})
    first = manager.publish("direction", prefixes, {"config": {"a": 1}, "data_hash": "d", "seconds": {"fit": 9.0}})
    again = manager.publish("direction", prefixes, {"config": {"a": 1}, "data_hash": "d", "seconds": {"fit": 1.0}})
    other = manager.publish("direction", prefixes, {"config": {"a": 2}, "data_hash": "d"})
    assert (again.version, again.is_new) == (first.version, False)
    assert other.is_new and manager.versions("direction") == [first.version, other.version]


def test_publishing_again_replaces_a_damaged_version(manager: ModelManager, release: Release) -> None:
    first = release(manager, "r")
    Path(manager.store.path(f"models/direction/{first}/block-00000.safetensors")).write_bytes(b"rot")
    second = release(manager, "r")
    assert second > first
    assert manager.load_block("direction", second, "AAPL").symbols == ("AAPL", "^GSPC")


def test_versions_sort_by_creation_within_a_second_and_after_the_clock_is_set_back(
    manager: ModelManager, release: Release
) -> None:
    future = version_name(datetime.now(UTC) + timedelta(days=400), "abcdef")
    Path(manager.store.path(f"models/direction/{future}")).mkdir(parents=True)
    made = [release(manager, run) for run in ("a", "b", "c", "d")]
    assert made == sorted(made) == manager.versions("direction")
    assert min(made) > future and manager.latest("direction") == made[-1]


@pytest.mark.parametrize(
    ("blocks", "extra", "problem"),
    [
        ([], {"config": {}, "data_hash": ""}, "no trained symbol"),
        (["runs/none/direction/block-00000"], {"config": {}, "data_hash": ""}, "is missing"),
        (["A"], {"config": {}}, "data_hash: Field required"),
        (["A"], {"config": {}, "data_hash": "", "extra": 1}, "extra: Extra .* into notes"),
        (["A"], {"config": {}, "data_hash": "", "seconds": {"fit": float("nan")}}, "seconds.fit: Input should be"),
        (["A", "A"], {"config": {}, "data_hash": ""}, "symbol 'X' is in blocks"),
        (["B"], {"config": {}, "data_hash": ""}, "of kind 'volatility'"),
    ],
)
def test_a_rejected_publication_leaves_no_files(
    manager: ModelManager, blocks: list[str], extra: dict[str, object], problem: str
) -> None:
    for name, kind in (("A", "direction"), ("B", "volatility")):
        write_block(manager.store, name, Block(kind, ("X",), {}))
    with pytest.raises(ModelError, match=problem):
        manager.publish("direction", blocks, extra)
    assert manager.store.names("models") == []


def test_an_object_store_works_the_same(release: Release) -> None:
    manager = ModelManager(Store("memory://"))
    assert not manager.store.is_local
    first, second = release(manager, "a"), release(manager, "b")
    assert (release(manager, "b"), manager.versions("direction")) == (second, [first, second])
    manager.promote("direction", first, "x")
    manager.promote("direction", release(manager, "c"), "x")
    assert manager.rollback("direction").champion == first
    freed = manager.prune("direction", keep=1, grace=NOTHING)
    assert freed.versions == (second,) and freed.runs == ("a", "b", "c") and freed.size > 0
    assert manager.load_block("direction", "champion", "AAPL", test=True).meta == {"run": "a"}


def test_a_failed_publication_removes_its_files(
    manager: ModelManager, monkeypatch: pytest.MonkeyPatch, release: Release
) -> None:
    def full(source: str, target: str) -> None:
        if target.endswith("block-00000.safetensors"):
            raise KeyboardInterrupt
        Path(target).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(KeyboardInterrupt):
        release(manager, "r")
    assert manager.store.names("models/direction") == [] and manager.versions("direction") == []


@pytest.mark.parametrize("suffix", [".safetensors", ".test.parquet", ".json"])
def test_a_corrupt_block_of_a_version_is_named(manager: ModelManager, suffix: str, release: Release) -> None:
    version = release(manager, "r")
    path = Path(manager.store.path(f"models/direction/{version}/block-00000{suffix}"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=f"block-00000{suffix}"):
        manager.load_block("direction", version, "AAPL", test=True)


def test_the_manifest_is_readable_by_other_tools(manager: ModelManager, release: Release) -> None:
    version = release(manager, "r")
    manifest = json.loads(manager.store.read(manifest_path("direction", version)))
    assert manifest["schema_version"] == MANIFEST_SCHEMA and manifest["symbols"] == 2
    assert len(manifest["blocks"][0]["index"]) == 64
    names = pq.read_table(manager.store.path(f"models/direction/{version}/symbols.parquet")).to_pylist()
    assert names[0] == {
        "symbol": "AAPL",
        "outcome": "trained",
        "block": 0,
        "row": 0,
        "reason": None,
        "in_universe": True,
    }
