"""Names of versions, models and symbols are resolved, and errors list the choices."""

from collections.abc import Callable

import pytest

from configs.errors import ModelError
from training.registry.blocks import Block, write_block
from training.registry.layout import manifest_path
from training.registry.manager import ModelManager
from training.registry.model_names import parse_model_name

Release = Callable[..., str]


def test_an_incompatible_schema_is_one_error_that_names_both(manager: ModelManager, release: Release) -> None:
    version = release(manager, "r")
    path = manifest_path("direction", version)
    manager.store.write_json(path, {**manager.store.read_json(path), "schema_version": 42})
    with pytest.raises(ModelError, match=r"schema 42; this Fleetcast reads manifest schema 7\b"):
        ModelManager(manager.store).manifest("direction", version)
    manager.store.write_json(path, {"schema_version": 6, "kind": "direction"})
    with pytest.raises(ModelError, match="Field required"):
        ModelManager(manager.store).manifest("direction", version)
    manager.store.write(path, b"{")
    with pytest.raises(ModelError, match="not valid JSON"):
        ModelManager(manager.store).manifest("direction", version)


@pytest.mark.parametrize(
    "name", ["..", "../volatility/x", "/etc/passwd", "", ".", "a\0b", "latest/../x", "*", "%2E%2E"]
)
def test_names_cannot_leave_the_store(manager: ModelManager, name: str, release: Release) -> None:
    version = release(manager, "r")
    for call in (manager.resolve, manager.manifest, lambda k, v: manager.promote(k, v, "why")):
        with pytest.raises(ModelError, match="Choose one of"):
            call("direction", name)
        with pytest.raises(ModelError, match="is not a kind"):
            call(name, version)
    write_block(manager.store, "runs/k/b", Block(name, ("A",), {}))
    with pytest.raises(ModelError, match="is not a kind"):
        manager.publish(name, ["runs/k/b"], {"config": {}, "data_hash": ""})


def test_a_version_is_resolved_from_its_name_a_beginning_an_alias_or_latest(
    manager: ModelManager, release: Release
) -> None:
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


def test_a_version_is_found_without_its_kind_if_only_one_kind_has_it(manager: ModelManager, release: Release) -> None:
    with pytest.raises(ModelError, match="fleetcast train"):
        manager.find("latest")
    direction, volatility = release(manager, "a"), release(manager, "a", kind="volatility")
    assert manager.find(direction) == ("direction", direction)
    assert manager.find("latest", "volatility") == ("volatility", volatility)
    with pytest.raises(ModelError, match="direction and volatility"):
        manager.find("latest")
    with pytest.raises(ModelError, match=f"(?s){direction}.*{volatility}"):
        manager.find("nope")


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


def test_a_symbol_matches_exactly_before_it_matches_in_any_case(manager: ModelManager, release: Release) -> None:
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
