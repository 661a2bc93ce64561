"""Every file that decides an answer: damage is refused with the file's name, and older files are still read."""

import importlib
import json
import shutil
import sys
from dataclasses import fields
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs.errors import FleetcastError, StoreError, UnreadableError
from features.store.lake import Lake
from features.store.sealed import parse_sealed, seal_json, seal_parquet
from features.store.store import Store
from serving.fleets import resolve_versions
from training.registry.manager import ModelManager

BENCHMARKS = Path(__file__).parents[1] / "benchmarks"
SUBJECTS = ("models", "training runs", "walk-forward runs", "the lake", "featurised windows")


@pytest.fixture(scope="module")
def hostile():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))
        return importlib.import_module("hostile.store_attacks")


@pytest.fixture(scope="module")
def subjects(hostile):
    return sys.modules["hostile.store_subjects"]


@pytest.fixture(scope="module")
def published(subjects, tmp_path_factory):
    folder = tmp_path_factory.mktemp("published")
    subjects.make_registry(folder)
    return folder


@pytest.fixture
def models(published, tmp_path, subjects):
    """A copy of a store of two versions, the second one champion, and the function that reads all of it."""
    shutil.copytree(published, tmp_path, dirs_exist_ok=True)
    return Store(tmp_path), partial(subjects.read_registry, Store(tmp_path))


def text_of(store, pattern):
    return sorted(Path(store.root).glob(pattern))


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_flipped_bit_is_refused_with_the_file_or_changes_no_answer(hostile, tmp_path, name):
    counts = hostile.flip_bits(tmp_path, hostile.SUBJECTS[name], 40, seed=7)
    assert counts["refused"] + counts["missed"] > 35


@pytest.mark.slow
@given(st.dictionaries(st.text(), st.integers() | st.text() | st.lists(st.integers())), st.data())
def test_any_change_of_a_json_file_is_an_error_or_the_same_value(value, data):
    sealed = seal_json(value)
    assert parse_sealed(sealed) == (value, True) and json.loads(sealed).items() >= value.items()
    at, bit = data.draw(st.integers(0, len(sealed) - 1)), data.draw(st.integers(0, 7))
    damaged = bytearray(sealed)
    damaged[at] ^= 1 << bit
    try:
        found, is_sealed = parse_sealed(bytes(damaged))
    except ValueError:
        return
    assert not is_sealed and len(found) == len(value) + 1 and found.items() >= value.items()


@pytest.mark.parametrize(
    "damage", [b"garbage", b"", b"[" * 50_000, b'{"a":' * 50_000, b"null", b"[]", b'{"champion": 3}']
)
def test_garbage_in_a_file_of_one_kind_is_an_error_and_no_kind_without_models(models, damage):
    store, _ = models
    manager = ModelManager(store)
    manager.store.copy("models/direction/aliases.json", "models/volatility/aliases.json")
    version = manager.resolve("direction", "champion")
    for path in text_of(store, f"models/direction/{version}/*"):
        store.copy(f"models/direction/{version}/{path.name}", f"models/volatility/{version}/{path.name}")
    assert len(resolve_versions(manager, "champion")) == len(manager.find_all("champion")) == 2
    store.write("models/direction/aliases.json", damage)
    for find in (lambda: resolve_versions(manager, "champion"), lambda: manager.find_all("champion")):
        with pytest.raises(UnreadableError, match=r"direction/aliases\.json.*models promote VERSION --kind direction"):
            find()
    assert len(resolve_versions(manager, "latest")) == 2, "aliases are not needed"
    store.delete("models/direction/aliases.json")
    manager.promote("direction", "latest", "as the error says")
    assert len(resolve_versions(manager, "champion")) == 2
    store.write(f"models/direction/{version}/manifest.json", damage)
    with pytest.raises(UnreadableError, match=r"manifest\.json"):
        ModelManager(store).manifest("direction", version)


def test_a_champion_whose_files_are_gone_is_an_error_and_no_kind_without_models(models):
    store, _ = models
    manager = ModelManager(store)
    shutil.copytree(store.path("models/direction"), store.path("models/volatility"))
    store.delete(f"models/direction/{manager.resolve('direction', 'champion')}")
    with pytest.raises(UnreadableError, match=r"'champion' names .*, which no longer exists, in direction\. Choose"):
        resolve_versions(manager, "champion")


def test_the_manifest_of_another_version_is_refused(models):
    store, _ = models
    manager = ModelManager(store)
    champion, previous = (manager.resolve("direction", alias) for alias in ("champion", "previous"))
    store.write(f"models/direction/{champion}/manifest.json", store.read(f"models/direction/{previous}/manifest.json"))
    with pytest.raises(UnreadableError, match=rf"{champion}/manifest\.json' is the manifest of direction {previous}"):
        manager.manifest("direction", champion)


def test_a_value_edited_by_hand_is_refused(models):
    store, _ = models
    version = ModelManager(store).resolve("direction", "champion")
    edits = {f"{version}/manifest.json": ("0.059", "4.059"), "aliases.json": ('"previous": "', '"previous": "X')}
    for name, edit in edits.items():
        text = store.read(f"models/direction/{name}").decode()
        assert edit[0] in text
        store.write(f"models/direction/{name}", text.replace(*edit).encode())
        with pytest.raises(UnreadableError, match=f"{name}.*its content differs from its SHA-256"):
            ModelManager(store).manifest("direction", "champion")
        store.write(f"models/direction/{name}", text.encode())


def test_models_without_digests_of_the_schema_before_are_read(models, hostile):
    store, read = models
    expected = hostile.content(read()[1])
    aliases = ModelManager(store).aliases("direction")
    _rewrite(store, "models/direction/aliases.json", {})
    _rewrite(store, "saved/X/v1.json", {"schema_version": 5})
    for path in text_of(store, "models/direction/*/manifest.json"):
        _rewrite(store, str(path.relative_to(store.root)), {"schema_version": 6})
    found = read()
    assert found[0] == aliases and hostile.content(found[1]) == expected and found[2].schema_version == 6
    _rewrite(store, "saved/X/v1.json", {"schema_version": 6})
    with pytest.raises(UnreadableError, match=r"v1\.json.*lacks its SHA-256"):
        read()


def _rewrite(store, path, changes):
    store.write(path, json.dumps({**store.read_json(path), **changes}, sort_keys=True, indent=1).encode())


def test_bars_of_a_lake_without_digests_are_read(tmp_path, subjects):
    read = subjects.make_lake(tmp_path)
    lake = Lake(Store(tmp_path))
    bars, info, size = lake.read("IBM"), lake.info(), lake.store.size("lake/bars/IBM.parquet")
    path = tmp_path / "lake/bars/IBM.parquet"
    sink = pa.BufferOutputStream()
    pq.write_table(pq.read_table(path), sink, compression="zstd")
    path.write_bytes(sink.getvalue().to_pybytes())
    assert lake.store.size("lake/bars/IBM.parquet") < size and read()
    again = lake.read("IBM")
    assert all(np.array_equal(getattr(again, field.name), getattr(bars, field.name)) for field in fields(bars))
    assert [one.last for one in lake.info()] == [one.last for one in info]


@pytest.mark.parametrize("keep", [0, 3, 11, 100, 5000, -1, -7, -9, -80])
def test_a_file_of_the_lake_that_ends_early_is_refused(tmp_path, subjects, keep):
    subjects.make_lake(tmp_path)
    lake, path = Lake(Store(tmp_path)), tmp_path / "lake/bars/IBM.parquet"
    path.write_bytes(path.read_bytes()[:keep])
    for read in (lambda: lake.read("IBM"), lake.info, lambda: lake.append(subjects.bars_of("IBM", 300))):
        with pytest.raises(StoreError, match=r"IBM\.parquet.*import its data again"):
            read()


def test_the_file_of_another_symbol_is_refused(tmp_path, subjects):
    subjects.make_lake(tmp_path)
    lake = Lake(Store(tmp_path))
    lake.store.write("lake/bars/IBM.parquet", lake.store.read("lake/bars/MSFT.parquet"))
    with pytest.raises(StoreError, match=r"IBM\.parquet.*the bars of 'MSFT'"):
        lake.read("IBM")


def test_other_programs_read_sealed_tables(tmp_path):
    table = pa.table({"a": list(range(1000))})
    sink = pa.BufferOutputStream()
    pq.write_table(table, sink)
    (tmp_path / "t.parquet").write_bytes(seal_parquet(sink.getvalue().to_pybytes()))
    assert pq.read_table(tmp_path / "t.parquet").equals(table)


def test_swapped_symbols_of_stored_windows_are_not_served(tmp_path, subjects):
    read = subjects.make_windows(tmp_path)
    assert read()
    (path,) = (tmp_path / "tails").glob("*.json")
    path.write_text(path.read_text().replace("IBM", "X").replace("MSFT", "IBM").replace("X", "MSFT"))
    assert read() is None


def test_a_manifest_that_claims_more_symbols_than_its_roster_is_refused(models):
    store, _ = models
    (path, _) = text_of(store, "models/direction/*/manifest.json")
    relative = str(path.relative_to(store.root))
    store.write_json(relative, {**store.read_json(relative), "symbols": 10**7})
    with pytest.raises(FleetcastError, match=r"symbols\.parquet.*3 symbols with a model.*10000000"):
        ModelManager(store).roster("direction", path.parent.name)


@pytest.mark.parametrize("name", SUBJECTS)
def test_a_file_that_was_replaced_is_refused(hostile, tmp_path, name):
    assert not hostile.replace_files(tmp_path, hostile.SUBJECTS[name], every=3)["harmless"]
