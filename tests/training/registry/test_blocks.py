import datetime as dt
import json
import os
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from configs.errors import ModelError
from features.store.store import Store
from training.data.arrays import part_of, prefixed
from training.registry.block_files import read_index, read_part, read_test, verify_block
from training.registry.block_index import BLOCK_SCHEMA, FileRecord, to_json
from training.registry.blocks import Block, read_block, write_block

SUFFIXES = (".safetensors", ".test.parquet", ".json")
PREFIX = "runs/ab12/direction/block-00000"


def losses(symbols: tuple[str, ...], days: int = 3) -> pa.Table:
    dates = np.datetime64("2020-01-01", "ns") + np.arange(days) * np.timedelta64(1, "D")
    return pa.table(
        {
            "symbol": pa.array(np.repeat(symbols, days)).dictionary_encode(),
            "date": np.tile(dates, len(symbols)),
            "loss": np.linspace(0.5, 1.5, days * len(symbols), dtype=np.float32),
        }
    )


def block(**changes: object) -> Block:
    fields: dict[str, object] = {
        "kind": "direction",
        "symbols": ("AAPL", "^GSPC"),
        "arrays": {"net/lstm0/kernel": np.arange(6.0, dtype=np.float32).reshape(2, 3), "scale": np.array(2.0)},
        "meta": {"features": ["a", "b"], "horizon": 1},
        "metrics": {"AAPL": {"log_loss": 1.09}, "rows": 6},
        "test": losses(("AAPL", "^GSPC")),
    }
    return Block(**(fields | changes))  # type: ignore[arg-type]


def files(store: Store, prefix: str) -> dict[str, bytes]:
    return {suffix: store.read(prefix + suffix) for suffix in SUFFIXES if store.exists(prefix + suffix)}


ARRAYS = st.dictionaries(
    st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(lambda n: n != "__metadata__"),
    st.one_of(hnp.boolean_dtypes(), hnp.integer_dtypes(), hnp.unsigned_integer_dtypes(), hnp.floating_dtypes()).flatmap(
        lambda dtype: hnp.arrays(
            dtype if dtype.itemsize <= 8 else np.dtype("f8"), hnp.array_shapes(min_dims=0, min_side=0, max_side=4)
        )
    ),
    max_size=5,
)


@settings(max_examples=60, deadline=None)
@given(ARRAYS)
def test_arrays_of_any_type_shape_and_order_round_trip_bit_for_bit(
    tmp_path_factory: pytest.TempPathFactory, arrays: dict[str, np.ndarray]
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    write_block(store, PREFIX, block(arrays={name: array.T for name, array in arrays.items()}))
    found = read_block(store, PREFIX).arrays
    assert list(found) == sorted(arrays)
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype.newbyteorder("<") and found[name].shape == array.T.shape
        little = array.T.astype(array.dtype.newbyteorder("<"))
        assert found[name].tobytes() == little.tobytes()


def test_everything_else_round_trips(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_block(store, PREFIX, block(metrics={"loss": float("nan"), "n": np.int64(3), "by": (1.5, np.float32(0.5))}))
    found = read_block(store, PREFIX)
    assert (found.kind, found.symbols, found.meta) == (
        "direction",
        ("AAPL", "^GSPC"),
        {"features": ["a", "b"], "horizon": 1},
    )
    assert found.metrics == {"loss": None, "n": 3, "by": [1.5, 0.5]}
    assert found.test is not None and found.test.to_pylist() == losses(("AAPL", "^GSPC")).to_pylist()
    assert read_test(store, PREFIX, read_index(store, PREFIX), columns=["loss", "absent"]).column_names == ["loss"]
    assert read_block(store, PREFIX, test=False).test is None


def test_a_block_may_have_no_symbols_arrays_or_table(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_block(store, PREFIX, Block("volatility", (), {}))
    found = read_block(store, PREFIX)
    assert (found.symbols, found.arrays, found.test) == ((), {}, None)
    assert not store.exists(PREFIX + ".test.parquet")


def test_equal_blocks_give_byte_equal_files(tmp_path: Path) -> None:
    store, one = Store(tmp_path), block()
    table = one.test
    assert table is not None
    reordered = Block(
        kind=one.kind,
        symbols=one.symbols,
        arrays={name: np.asarray(one.arrays[name], order="F") for name in reversed(one.arrays)},
        meta=dict(reversed(one.meta.items())),
        metrics=dict(reversed(one.metrics.items())),
        test=pa.concat_tables([table.slice(0, 2), table.slice(2)]).replace_schema_metadata({"made": "later"}),
    )
    write_block(store, "runs/a/block-00000", one)
    write_block(store, "runs/b/block-00000", reordered)
    assert len(files(store, "runs/a/block-00000")) == 3
    assert files(store, "runs/a/block-00000") == files(store, "runs/b/block-00000")


@pytest.mark.parametrize("suffix", SUFFIXES)
@pytest.mark.parametrize("damage", ["flip", "truncate", "delete", "replace"])
def test_damage_is_an_error_that_names_the_file(tmp_path: Path, suffix: str, damage: str) -> None:
    store = Store(tmp_path)
    write_block(store, PREFIX, block())
    path = Path(store.path(PREFIX + suffix))
    data = bytearray(path.read_bytes())
    if damage == "delete":
        path.unlink()
    elif damage == "truncate":
        path.write_bytes(data[: len(data) // 2])
    elif damage == "replace":
        path.write_bytes(b"\x80\x04K\x01.")
    elif suffix == ".json":
        path.write_bytes(data.replace(b'"schema_version": %d' % BLOCK_SCHEMA, b'"schema_version": 99'))
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
    for check in (read_block, verify_block):
        with pytest.raises(ModelError, match=r"block-00000") as caught:
            check(store, PREFIX)
        assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_garbage_is_rejected_even_if_it_is_what_the_index_says(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_block(store, PREFIX, block())
    index, before = read_index(store, PREFIX), files(store, PREFIX)
    for suffix in index.files:
        garbage = b"\xff" * len(before[suffix])
        forged = index.model_copy(update={"files": {**index.files, suffix: FileRecord.of(garbage)}})
        store.write(PREFIX + suffix, garbage)
        store.write_json(PREFIX + ".json", forged.model_dump(mode="json"))
        with pytest.raises(ModelError, match="is not a"):
            read_block(store, PREFIX)
        for name, data in before.items():
            store.write(PREFIX + name, data)
    assert read_block(store, PREFIX).symbols == ("AAPL", "^GSPC")


def with_length(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def header(**entry: object) -> bytes:
    return with_length(json.dumps({"daily/a": {"dtype": "F64", "shape": [2], **entry}}).encode())


BROKEN = {
    "length": b"\xff" * 8,
    "text": with_length(b"\xff"),
    "JSON": with_length(b"{"),
    "list": with_length(b"[]"),
    "depth": with_length(b"[" * 10_000),
    "no offsets": header(),
    **{f"offsets {found}": header(data_offsets=found) for found in (3, ["", 16], [0, 8, 16], [-8, 8], [8, 0])},
    "offsets outside": header(data_offsets=[2**40, 2**40 + 16]),
    "fewer bytes": header(data_offsets=[0, 8]),
    "type": header(data_offsets=[0, 16], dtype="F7"),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_a_broken_header_is_an_error_also_where_a_part_is_read(tmp_path: Path, problem: str) -> None:
    store = Store(tmp_path)
    write_block(store, PREFIX, block(arrays={"daily/a": np.arange(2.0), "weights": np.zeros(2000)}))
    path = Path(store.path(PREFIX + ".safetensors"))
    path.write_bytes(BROKEN[problem] + path.read_bytes()[len(BROKEN[problem]) :])
    with pytest.raises(ModelError, match=r"block-00000\.safetensors' is not a safetensors file \(.*\)\. \S"):
        read_part(store, PREFIX, read_index(store, PREFIX), "daily")


def test_a_part_of_a_file_that_is_not_whole_is_an_error(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_block(store, PREFIX, block())
    index, path = read_index(store, PREFIX), Path(store.path(PREFIX + ".safetensors"))
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ModelError, match=r"safetensors' holds \d+ bytes instead of \d+"):
        read_part(store, PREFIX, index, "daily")
    path.unlink()
    with pytest.raises(ModelError, match="safetensors' is missing"):
        read_part(store, PREFIX, index, "daily")


@settings(max_examples=60, deadline=None)
@given(ARRAYS, ARRAYS)
def test_a_part_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, part: dict[str, np.ndarray], others: dict[str, np.ndarray]
) -> None:
    store = Store(tmp_path_factory.mktemp("store"))
    write_block(store, PREFIX, block(arrays={**others, **prefixed("daily", part)}))
    whole, index = read_block(store, PREFIX).arrays, read_index(store, PREFIX)
    parts = read_part(store, PREFIX, index, "daily"), part_of(whole, "daily")
    found, expected = ({name: (a.dtype, a.shape, a.tobytes()) for name, a in arrays.items()} for arrays in parts)
    assert found == expected and found.keys() == part.keys()


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"symbols": ("A", "A")}, "names a symbol twice"),
        ({"arrays": {"x": np.array([object()])}}, "type object cannot be stored"),
        ({"arrays": {"x": np.array(["2020-01-01"], "M8[D]")}}, "Store dates as int64"),
        ({"arrays": {"x": np.zeros(2, "c16")}}, "complex128"),
        ({"arrays": {"__metadata__": np.zeros(2)}}, "__metadata__"),
        ({"test": pa.table({"symbol": ["A"]})}, "lacks date, loss"),
        ({"meta": {"model": object()}}, "cannot be stored as JSON"),
    ],
)
def test_a_block_that_cannot_be_stored_is_rejected_before_anything_is_written(
    tmp_path: Path, changes: dict[str, object], problem: str
) -> None:
    store = Store(tmp_path)
    with pytest.raises(ModelError, match=problem):
        write_block(store, PREFIX, block(**changes))
    assert os.listdir(tmp_path) == []


def test_an_interrupted_rewrite_leaves_no_finished_block(tmp_path: Path) -> None:
    store = Store(tmp_path)
    write_block(store, PREFIX, block())
    Path(store.path(PREFIX + ".safetensors")).unlink()
    Path(store.path(PREFIX + ".safetensors")).mkdir()
    with pytest.raises(Exception, match="safetensors"):
        write_block(store, PREFIX, block(meta={"other": 1}))
    with pytest.raises(ModelError, match=r"json' is missing"):
        read_index(store, PREFIX)


def test_json_values_are_plain() -> None:
    value = {1: np.array([1, 2]), "d": dt.date(2020, 1, 2), "t": np.datetime64("2020-01-02"), "b": np.bool_(True)}
    assert to_json(value) == {"1": [1, 2], "d": "2020-01-02", "t": "2020-01-02", "b": True}
    assert to_json([float("inf"), np.float32("nan"), None, "x"]) == [None, None, None, "x"]
