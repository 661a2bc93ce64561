import json
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from configs.errors import ModelError
from features.store.store import Store
from training.registry.aliases import MAX_HISTORY, Aliases
from training.registry.blocks import Block, write_block
from training.registry.layout import manifest_path, version_name
from training.registry.manager import ModelManager
from training.registry.model_names import parse_model_name
from training.run.publication import promote_if_better

NOTHING = timedelta(0)


def train(store: Store, run: str, blocks: dict[str, list[str]], kind: str = "direction") -> list[str]:
    """Write one block per entry, as workers do, and return the prefixes."""
    prefixes = []
    for name, symbols in blocks.items():
        prefix = f"runs/{run}/{kind}/{name}"
        test = pa.table(
            {
                "symbol": symbols,
                "date": np.full(len(symbols), np.datetime64("2020-01-01", "ns")),
                "loss": np.full(len(symbols), len(run), dtype=np.float32),
            }
        )
        weights = {"w": np.arange(len(symbols), dtype=np.float32)}
        write_block(store, prefix, Block(kind, tuple(symbols), weights, {"run": run}, {}, test))
        prefixes.append(prefix)
    return prefixes


def release(
    manager: ModelManager, run: str, symbols: tuple[str, ...] = ("AAPL", "^GSPC"), kind: str = "direction"
) -> str:
    prefixes = train(manager.store, run, {"block-00000": list(symbols)}, kind)
    return manager.publish(kind, prefixes, {"config": {"run": run}, "data_hash": "d1"}).version


@pytest.fixture
def manager(tmp_path: Path) -> ModelManager:
    return ModelManager(tmp_path / "store")


def test_a_version_holds_what_the_run_wrote(manager: ModelManager) -> None:
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


def test_a_version_outlives_its_run(manager: ModelManager) -> None:
    version = release(manager, "r")
    manager.store.delete("runs")
    assert manager.load_block("direction", version, "AAPL").meta == {"run": "r"}


def test_a_file_system_without_hard_links_gets_copies(manager: ModelManager, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: str, target: str) -> None:
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    version = release(manager, "r")
    assert manager.load_block("direction", version, "AAPL").symbols == ("AAPL", "^GSPC")


def test_publishing_the_same_content_again_returns_the_same_version(manager: ModelManager) -> None:
    prefixes = train(manager.store, "r", {"block-00000": ["AAPL"]})
    first = manager.publish("direction", prefixes, {"config": {"a": 1}, "data_hash": "d", "seconds": {"fit": 9.0}})
    again = manager.publish("direction", prefixes, {"config": {"a": 1}, "data_hash": "d", "seconds": {"fit": 1.0}})
    other = manager.publish("direction", prefixes, {"config": {"a": 2}, "data_hash": "d"})
    assert (again.version, again.is_new) == (first.version, False)
    assert other.is_new and manager.versions("direction") == [first.version, other.version]


def test_publishing_again_replaces_a_damaged_version(manager: ModelManager) -> None:
    first = release(manager, "r")
    Path(manager.store.path(f"models/direction/{first}/block-00000.safetensors")).write_bytes(b"rot")
    second = release(manager, "r")
    assert second > first
    assert manager.load_block("direction", second, "AAPL").symbols == ("AAPL", "^GSPC")


def test_versions_sort_by_creation_within_a_second_and_after_the_clock_is_set_back(
    manager: ModelManager,
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


def test_an_object_store_works_the_same() -> None:
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


def test_a_failed_publication_removes_its_files(manager: ModelManager, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(source: str, target: str) -> None:
        if target.endswith("block-00000.safetensors"):
            raise KeyboardInterrupt
        Path(target).write_bytes(Path(source).read_bytes())

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(KeyboardInterrupt):
        release(manager, "r")
    assert manager.store.names("models/direction") == [] and manager.versions("direction") == []


@pytest.mark.parametrize("suffix", [".safetensors", ".test.parquet", ".json"])
def test_a_corrupt_block_of_a_version_is_named(manager: ModelManager, suffix: str) -> None:
    version = release(manager, "r")
    path = Path(manager.store.path(f"models/direction/{version}/block-00000{suffix}"))
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelError, match=f"block-00000{suffix}"):
        manager.load_block("direction", version, "AAPL", test=True)


def test_an_incompatible_schema_is_one_error_that_names_both(manager: ModelManager) -> None:
    version = release(manager, "r")
    path = manifest_path("direction", version)
    manager.store.write_json(path, {**manager.store.read_json(path), "schema_version": 42})
    with pytest.raises(ModelError, match=r"schema 42; this Fleetcast reads schema 4\b"):
        ModelManager(manager.store).manifest("direction", version)
    manager.store.write_json(path, {"schema_version": 4, "kind": "direction"})
    with pytest.raises(ModelError, match="Field required"):
        ModelManager(manager.store).manifest("direction", version)
    manager.store.write(path, b"{")
    with pytest.raises(ModelError, match="not valid JSON"):
        ModelManager(manager.store).manifest("direction", version)


@pytest.mark.parametrize(
    "name", ["..", "../volatility/x", "/etc/passwd", "", ".", "a\0b", "latest/../x", "*", "%2E%2E"]
)
def test_names_cannot_leave_the_store(manager: ModelManager, name: str) -> None:
    version = release(manager, "r")
    for call in (manager.resolve, manager.manifest, lambda k, v: manager.promote(k, v, "why")):
        with pytest.raises(ModelError, match="Choose one of"):
            call("direction", name)
        with pytest.raises(ModelError, match="is not a kind"):
            call(name, version)
    write_block(manager.store, "runs/k/b", Block(name, ("A",), {}))
    with pytest.raises(ModelError, match="is not a kind"):
        manager.publish(name, ["runs/k/b"], {"config": {}, "data_hash": ""})


def test_a_version_is_resolved_from_its_name_a_beginning_an_alias_or_latest(manager: ModelManager) -> None:
    with pytest.raises(ModelError, match="fleetcast train"):
        manager.resolve("direction", "latest")
    first, second = release(manager, "a"), release(manager, "b")
    manager.promote("direction", first, "first")
    assert [manager.resolve("direction", v) for v in (first, second[:-2], "champion", "latest")] == [
        first,
        second,
        first,
        second,
    ]
    with pytest.raises(ModelError, match="matches 2 versions"):
        manager.resolve("direction", first[:4])
    with pytest.raises(ModelError, match=f"champion, latest, {second}, {first}"):
        manager.resolve("direction", "previous")
    manager.store.delete(f"models/direction/{first}")
    with pytest.raises(ModelError, match=f"names {first}, which no longer exists"):
        manager.resolve("direction", "champion")


def test_a_version_is_found_without_its_kind_if_only_one_kind_has_it(manager: ModelManager) -> None:
    with pytest.raises(ModelError, match="fleetcast train"):
        manager.find("latest")
    direction, volatility = release(manager, "a"), release(manager, "a", kind="volatility")
    assert manager.find(direction) == ("direction", direction)
    assert manager.find("latest", "volatility") == ("volatility", volatility)
    with pytest.raises(ModelError, match="direction and volatility"):
        manager.find("latest")
    with pytest.raises(ModelError, match=f"(?s){direction}.*{volatility}"):
        manager.find("nope")


def test_promote_and_rollback_change_both_aliases_and_record_history(manager: ModelManager) -> None:
    first, second = release(manager, "a"), release(manager, "b")
    with pytest.raises(ModelError, match="no previous champion"):
        manager.rollback("direction")
    manager.promote("direction", first, "first of its kind")
    assert manager.aliases("direction").named() == {"champion": first}
    before = manager.store.read("models/direction/aliases.json")
    manager.promote("direction", "latest", "better")
    moved = manager.aliases("direction")
    assert (moved.champion, moved.previous) == (second, first)
    manager.promote("direction", second, "again")
    assert manager.aliases("direction") == moved and before != manager.store.read("models/direction/aliases.json")
    back = manager.rollback("direction", "worse live")
    assert (back.champion, back.previous) == (first, second)
    assert [(c.action, c.reason) for c in back.history] == [
        ("promote", "first of its kind"),
        ("promote", "better"),
        ("rollback", "worse live"),
    ]


def test_the_history_keeps_only_its_newest_entries() -> None:
    aliases, at = Aliases(), datetime(2026, 1, 2, tzinfo=UTC)
    for number in range(MAX_HISTORY + 5):
        aliases = aliases.promoted(f"v{number}", "why", at)
    assert len(aliases.history) == MAX_HISTORY and aliases.history[-1].champion == f"v{MAX_HISTORY + 4}"


def test_an_alias_file_that_is_not_one_is_a_clear_error(manager: ModelManager) -> None:
    release(manager, "a")
    manager.store.write("models/direction/aliases.json", b"[]")
    with pytest.raises(ModelError, match="does not hold aliases"):
        manager.resolve("direction", "champion")


def test_a_version_is_promoted_only_over_the_champion_it_was_compared_with(manager: ModelManager) -> None:
    first, better, between = (release(manager, run) for run in ("xxxx", "xx", "xxx"))
    manager.promote("direction", first, "the first")
    assert manager.promote_over("direction", better, first, "lower loss")
    assert not manager.promote_over("direction", between, first, "lower loss than the first")
    assert not manager.promote_over("direction", between, None, "there was none")
    assert manager.aliases("direction").champion == better
    decision = promote_if_better(manager, "direction", between, "auto", 1)
    assert not decision.promote
    assert manager.aliases("direction").champion == better


def test_prune_keeps_the_newest_and_aliased_versions(manager: ModelManager) -> None:
    made = [release(manager, run) for run in "abcdef"]
    manager.promote("direction", made[1], "x")
    manager.promote("direction", made[0], "y")
    untouched = manager.prune("direction", keep=2, older_than=timedelta(hours=1))
    assert untouched.versions == () and untouched.runs == ()
    freed = manager.prune("direction", keep=2)
    assert freed.versions == (made[2], made[3]) and freed.size > 0
    assert manager.versions("direction") == [made[0], made[1], made[4], made[5]]
    assert manager.load_block("direction", "previous", "AAPL").symbols == ("AAPL", "^GSPC")
    with pytest.raises(ModelError, match="at least 1"):
        manager.prune("direction", keep=0)


def test_prune_spares_recent_leftovers_and_counts_a_shared_file_once(manager: ModelManager) -> None:
    version = release(manager, "r")
    incomplete = version_name(datetime(2020, 1, 1, tzinfo=UTC), "abcdef")
    manager.store.write(f"models/direction/{incomplete}/block-00000.safetensors", b"x" * 10)
    manager.store.write("runs/dead/direction/block-00000.safetensors", b"x" * 100)
    manager.store.write("models/direction/notes.txt", b"mine")
    assert manager.prune("direction", keep=1).half_versions == ()
    freed = manager.prune("direction", keep=1, grace=NOTHING)
    assert (freed.versions, freed.half_versions, freed.runs) == ((), (incomplete,), ("dead", "r"))
    manifestless = 10 + 100
    assert freed.size == manifestless
    assert manager.load_block("direction", version, "AAPL").symbols == ("AAPL", "^GSPC")
    assert manager.store.read("models/direction/notes.txt") == b"mine"


def test_prune_spares_a_run_that_still_writes(manager: ModelManager) -> None:
    prefixes = train(manager.store, "alive", {"block-00000": ["A"], "block-00001": ["B"]})
    old = (datetime.now() - timedelta(days=30)).timestamp()
    for folder, _, names in os.walk(manager.store.path("runs")):
        for name in (".", *names):
            os.utime(Path(folder, name), (old, old))
    os.utime(manager.store.path(prefixes[1] + ".json"))
    assert manager.prune("direction", keep=1).runs == ()
    os.utime(manager.store.path(prefixes[1] + ".json"), (old, old))
    assert manager.prune("direction", keep=1).runs == ("alive",)


@pytest.mark.parametrize(
    ("name", "kind", "symbol"),
    [
        ("price_direction_aapl", "direction", "aapl"),
        ("volatility_^GSPC", "volatility", "^GSPC"),
        ("volatility_price_direction_x", "volatility", "price_direction_x"),
    ],
)
def test_model_names(name: str, kind: str, symbol: str) -> None:
    assert parse_model_name(name) == (kind, symbol)


@pytest.mark.parametrize("name", ["", "aapl", "price_direction_", "direction_aapl", "PRICE_DIRECTION_aapl"])
def test_other_model_names_are_an_error_with_an_example(manager: ModelManager, name: str) -> None:
    with pytest.raises(ModelError, match="such as price_direction_aapl"):
        manager.load_model(name)


def test_a_symbol_matches_exactly_before_it_matches_in_any_case(manager: ModelManager) -> None:
    release(manager, "r", ("Abc", "ABC", "xyz"))

    def row(symbol: str) -> str:
        manifest = manager.manifest("direction")
        block = manager.load_block("direction", manifest.version, symbol)
        return block.symbols[manager.roster("direction").locate(symbol)[1]]

    assert row("Abc") == "Abc" and row("ABC") == "ABC"
    assert "xyz" in manager.load_block("direction", "latest", "XYZ").symbols
    with pytest.raises(ModelError, match="could be 'ABC' or 'Abc'"):
        manager.load_block("direction", "latest", "abc")
    with pytest.raises(ModelError, match="not among the 3 of direction"):
        manager.load_block("direction", "latest", "MSFT")
    with pytest.raises(ModelError, match="has no block 7"):
        manager.load_block("direction", "latest", 7)


def test_the_manifest_is_readable_by_other_tools(manager: ModelManager) -> None:
    version = release(manager, "r")
    manifest = json.loads(manager.store.read(manifest_path("direction", version)))
    assert manifest["schema_version"] == 4 and manifest["symbols"] == 2
    assert len(manifest["blocks"][0]["index"]) == 64
    names = pq.read_table(manager.store.path(f"models/direction/{version}/symbols.parquet")).to_pylist()
    assert names[0] == {"symbol": "AAPL", "outcome": "trained", "block": 0, "row": 0, "reason": None}
