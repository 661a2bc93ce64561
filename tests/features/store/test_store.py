"""The local store: file names of symbols, atomic writes and locks between processes."""

import os
import resource
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from waiting import BOUND_S

from configs.errors import StoreError
from features.store.store import Store, decode_symbol, encode_symbol

names = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=20).filter(
    str.isprintable
)


@settings(max_examples=50)
@given(names)
def test_decoding_a_file_name_gives_its_symbol(symbol):
    encoded = encode_symbol(symbol)
    assert decode_symbol(encoded) == symbol
    assert set(encoded) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_%")


@settings(max_examples=50)
@given(names, names)
def test_no_two_symbols_share_a_file_even_if_case_is_ignored(left, right):
    assert (encode_symbol(left).lower() == encode_symbol(right).lower()) == (left == right)


@pytest.mark.parametrize(
    "symbol", ["..", ".", "a/b", "../../etc", "^GSPC", "EURUSD=X", "BRK B", "brk.b", "~", "CON", "nul", "\\x", "%2E"]
)
def test_awkward_symbols_stay_inside_the_store(symbol, tmp_path):
    store = Store(tmp_path / "store")
    store.write(f"lake/{encode_symbol(symbol)}.parquet", b"x")
    (file,) = [p for p in tmp_path.rglob("*") if p.is_file()]
    assert file.parent == tmp_path / "store" / "lake"
    assert file.stem.upper() not in {"CON", "NUL"}


@pytest.mark.parametrize("symbol", ["", "x" * 65, "a\0b", "a\nb", "\ud800", "界" * 30])
def test_symbols_without_a_file_name_are_refused(symbol):
    with pytest.raises(StoreError, match="expected"):
        encode_symbol(symbol)


@pytest.mark.parametrize("path", ["../x", "a//b", "/etc/passwd", "a/../b", "a\\b", "a\0b", "", "."])
def test_paths_that_leave_the_store_are_refused(path, tmp_path):
    with pytest.raises(StoreError, match="not inside the store"):
        Store(tmp_path).path(path)


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_files_are_written_read_listed_and_deleted(scheme, tmp_path):
    store = Store(f"{scheme}{tmp_path}/s")
    assert store.names("a") == [] and not store.exists("a/b") and store.size("a") == 0
    store.write("a/b", b"123")
    store.write_json("a/c.json", {"k": [1, None]})
    assert store.read("a/b") == b"123" and store.read_json("a/c.json") == {"k": [1, None]}
    assert store.names("a") == ["b", "c.json"] and store.size("a/b") == 3 and store.size("a") > 3
    store.delete("a")
    store.delete("a")
    assert not store.exists("a/b")
    with pytest.raises(FileNotFoundError):
        store.read("a/b")


def test_a_failed_write_leaves_the_old_file_and_no_temporary_file(tmp_path):
    store = Store(tmp_path)
    store.write("a", b"old")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, limits[1]))
    try:
        with pytest.raises(StoreError, match=r"File too large.*Free some space"):
            store.write("a", b"x" * 2000)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert store.read("a") == b"old" and os.listdir(tmp_path) == ["a"]


def test_equal_values_give_equal_bytes_and_nan_is_refused(tmp_path):
    store = Store(tmp_path)
    store.write_json("a", {"x": 1, "y": 2})
    store.write_json("b", {"y": 2, "x": 1})
    assert store.read("a") == store.read("b")
    with pytest.raises(ValueError, match="JSON"):
        store.write_json("c", float("nan"))
    store.write("d", b"{")
    with pytest.raises(StoreError, match="not valid JSON"):
        store.read_json("d")


def test_a_store_below_a_file_is_one_clear_error(tmp_path):
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file" / "store")
    for attempt in (lambda: store.write("a", b"x"), lambda: store.lock("a").__enter__()):
        with pytest.raises(StoreError, match=r"Not a directory.*--store") as caught:
            attempt()
        assert "\n" not in str(caught.value)


def test_an_unknown_scheme_is_one_clear_error():
    with pytest.raises(StoreError, match="cannot be opened"):
        Store("gopher://x/y")


_COUNT = """
import sys
from features.store.store import Store
store = Store(sys.argv[1])
for _ in range(50):
    with store.lock("counter"):
        store.write("counter", str(int(store.read("counter")) + 1).encode())
"""


def test_a_lock_serialises_processes(tmp_path):
    store = Store(tmp_path)
    store.write("counter", b"0")
    running = [subprocess.Popen([sys.executable, "-c", _COUNT, str(tmp_path)]) for _ in range(2)]
    assert [process.wait(BOUND_S) for process in running] == [0, 0]
    assert store.read("counter") == b"100"


def test_a_lock_is_released_when_its_holder_is_killed(tmp_path):
    hold = (
        "import os, sys; from features.store.store import Store\n"
        "lock = Store(sys.argv[1]).lock('a'); lock.__enter__(); os._exit(9)"
    )
    assert subprocess.run([sys.executable, "-c", hold, str(tmp_path)], check=False).returncode == 9
    with Store(tmp_path).lock("a"):
        assert Store(tmp_path).exists(".locks/a.lock")
