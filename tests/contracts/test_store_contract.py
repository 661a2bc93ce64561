"""Every kind of store has the same behaviour: a local disk, a bucket over HTTP, and memory."""

import threading
from collections.abc import Iterator

import pytest

from configs.errors import StoreError
from features.store.store import Store, encode_symbol


@pytest.fixture(params=["disk", "s3", "memory"])
def store(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    if request.param == "s3":
        yield Store(request.getfixturevalue("s3"))
    else:
        yield Store("memory://" if request.param == "memory" else tmp_path_factory.mktemp("disk"))


def test_files_are_written_read_listed_and_deleted(store: Store) -> None:
    assert store.names("a") == [] and not store.exists("a/b") and store.size("a") == 0
    assert store.changed_ns("a") is None
    store.write("a/b", b"123")
    store.write("a/c/d", b"45")
    store.write_json("a/e.json", {"k": [1, None]})
    assert store.read("a/b") == b"123" and store.read_json("a/e.json") == {"k": [1, None]}
    assert store.names("a") == ["b", "c", "e.json"] and store.names("a/b") == ["b"]
    assert store.size("a/b") == 3 and store.size("a/c") == 2 and store.size("a") == 5 + store.size("a/e.json")
    assert store.exists("a/c/d") and not store.exists("a/c/x")
    assert store.delete("a/b") == 3 and store.delete("a/b") == 0
    json_size = store.size("a/e.json")
    assert store.delete("a") == 2 + json_size
    assert store.names("a") == []
    with pytest.raises(FileNotFoundError, match="a/b"):
        store.read("a/b")
    with pytest.raises(FileNotFoundError, match="a/b"), store.open("a/b"):
        pass


def test_a_name_does_not_match_names_that_begin_with_it(store: Store) -> None:
    store.write("run/x", b"1")
    store.write("run-2/x", b"22")
    assert store.names("run") == ["x"] and store.size("run") == 1
    store.delete("run")
    assert store.read("run-2/x") == b"22"


@pytest.mark.parametrize("symbol", ["^GSPC", "EURUSD=X", "BRK B", "brk.b", "..", "%2E", "界", "a+b#?&"])
def test_symbols_with_special_characters_are_listed_under_their_names(store: Store, symbol: str) -> None:
    store.write(f"bars/{encode_symbol(symbol)}.parquet", b"x")
    assert store.names("bars") == [f"{encode_symbol(symbol)}.parquet"]
    assert store.read(f"bars/{encode_symbol(symbol)}.parquet") == b"x"


def test_parts_of_a_file_can_be_read(store: Store) -> None:
    store.write("big", bytes(range(256)) * 1000)
    with store.open("big") as file:
        assert file.size() == 256_000
        assert file.read_at(3, 255_998 - 254) == bytes([0, 1, 2]) and file.read_at(2, 1) == bytes([1, 2])


def test_all_parts_read_are_of_one_state_of_a_file(store: Store) -> None:
    store.write("big", b"a" * 2**22)
    with store.open("big") as file:
        found = file.read(4)
        store.write("big", b"b" * 2**22)
        try:
            found += file.read()
        except StoreError as error:
            assert "was replaced while it was read" in str(error)
        else:
            assert len(found) == 2**22
        assert set(found) == {ord("a")}


def test_a_stamp_changes_when_a_file_does(store: Store) -> None:
    store.write("a/b", b"1")
    first = store.stamp("a"), store.stamp("a/b")
    assert (store.stamp("a"), store.stamp("a/b")) == first
    store.write("a/b", b"22")
    assert store.stamp("a") != first[0] and store.stamp("a/b") != first[1]
    before = store.stamp("a")
    store.write("a/c", b"1")
    assert store.stamp("a") != before


def test_a_copy_does_not_change_with_its_original(store: Store) -> None:
    store.write("a/b", b"1")
    store.copy("a/b", "c/d")
    store.write("a/b", b"2")
    assert store.read("c/d") == b"1"
    with pytest.raises(FileNotFoundError, match="a/x"):
        store.copy("a/x", "c/x")


def test_create_does_not_overwrite_a_file(store: Store) -> None:
    assert store.create("a/b", b"1") and not store.create("a/b", b"2")
    assert store.read("a/b") == b"1" and store.names("a") == ["b"]


def test_an_update_reads_the_file_and_may_leave_it_unchanged(store: Store) -> None:
    assert store.update("n", lambda data: b"1" if data is None else b"wrong")
    assert not store.update("n", lambda data: None)
    assert store.update("n", lambda data: (data or b"") + b"2")
    assert store.read("n") == b"12"
    with pytest.raises(ZeroDivisionError):
        store.update("n", lambda data: bytes([1 // 0]))
    assert store.read("n") == b"12"


def test_concurrent_updates_lose_no_change(store: Store) -> None:
    def count() -> None:
        for _ in range(10):
            store.update("n", lambda data: str(int(data or b"0") + 1).encode())

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.read("n") == b"40"


@pytest.mark.slow
def test_a_lock_has_one_holder_at_a_time(store: Store) -> None:
    inside, most = [0], [0]

    def enter() -> None:
        for _ in range(3):
            with store.lock("models"):
                inside[0] += 1
                most[0] = max(most[0], inside[0])
                store.write("anything", b"x")
                inside[0] -= 1

    threads = [threading.Thread(target=enter) for _ in range(3)]
    for thread in threads:
        thread.start()
    with store.lock("another"):
        for thread in threads:
            thread.join()
    assert most[0] == 1
    with store.lock("models"), pytest.raises(BlockingIOError), store.lock("models", wait=False):
        pass
    with store.lock("models", wait=False):
        pass


def test_paths_outside_the_store_are_refused(store: Store) -> None:
    for path in ("../x", "a//b", "/etc/passwd", "a/../b", ""):
        for attempt in (store.read, store.exists, store.names, store.delete, lambda p: store.write(p, b"")):
            with pytest.raises(StoreError, match="not inside the store"):
                attempt(path)
