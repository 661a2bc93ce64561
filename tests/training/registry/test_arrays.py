"""Some arrays of a block are read without the others."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ModelError
from features.store.store import Store
from training.registry.arrays import read_arrays
from training.registry.block_index import ARRAYS
from training.registry.blocks import Block, read_block, write_block

PREFIX = "runs/a/block-00000"
NAMES = st.builds(
    lambda part, name: part + name,
    st.sampled_from(["daily/", "dail", "net/", ""]),
    st.text("abé|/", min_size=1, max_size=4),
)
TYPES = st.sampled_from(["f8", "f4", "i8", "i4", "u1", "?", "f2"])
SHAPES = st.lists(st.integers(0, 3), max_size=3).map(tuple)


def stored(store: Store, arrays: dict[str, np.ndarray]) -> Path:
    write_block(store, PREFIX, Block("direction", ("A",), arrays))
    return Path(store.path(PREFIX + ARRAYS))


@settings(max_examples=60, deadline=None)
@given(
    facts=st.dictionaries(NAMES, st.tuples(TYPES, SHAPES), max_size=6), beginning=st.sampled_from(["daily/", "", "x"])
)
def test_they_are_those_of_the_whole_block(tmp_path_factory, facts, beginning):
    store = Store(tmp_path_factory.mktemp("store"))
    rng = np.random.default_rng(0)
    stored(store, {name: rng.integers(0, 2, shape).astype(dtype) for name, (dtype, shape) in facts.items()})
    whole = read_block(store, PREFIX).arrays
    found = read_arrays(store, PREFIX, beginning)
    assert list(found) == [name.removeprefix(beginning) for name in whole if name.startswith(beginning)]
    for name, array in found.items():
        expected = whole[beginning + name]
        assert (array.dtype, array.shape, array.tobytes()) == (expected.dtype, expected.shape, expected.tobytes())


def test_the_bytes_of_the_others_are_not_read(tmp_path):
    store = Store(tmp_path)
    path = stored(store, {"daily/rows": np.arange(3.0), "net": np.zeros(4)})
    before = path.read_bytes()
    path.write_bytes(before.replace(np.zeros(4).tobytes(), b"\xff" * 32))
    np.testing.assert_array_equal(read_arrays(store, PREFIX, "daily/")["rows"], np.arange(3.0))
    with pytest.raises(ModelError, match="corrupt"):
        read_block(store, PREFIX)


def test_a_store_that_is_no_local_disk_works_the_same():
    store = Store("memory://")
    stored(store, {"daily/rows": np.arange(3.0), "net": np.zeros(4)})
    assert list(read_arrays(store, PREFIX, "daily/")) == ["rows"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04K\x01.",
        b"\xff" * 64,
        b"\x02" + b"\0" * 7 + b"[]",
        b"\x02" + b"\0" * 7 + b"{",
        (57).to_bytes(8, "little") + b'{"daily/x":{"dtype":"F8","shape":[1],"data_offsets":[0,8]}}',
    ],
)
def test_what_is_no_safetensors_file_is_an_error_that_names_it(tmp_path, content):
    store = Store(tmp_path)
    path = stored(store, {"daily/rows": np.arange(3.0)})
    path.write_bytes(content)
    with pytest.raises(ModelError, match="is not a safetensors file") as caught:
        read_arrays(store, PREFIX, "daily/")
    assert str(path) in str(caught.value)
    path.unlink()
    with pytest.raises(ModelError, match="is missing"):
        read_arrays(store, PREFIX, "daily/")
