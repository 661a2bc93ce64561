"""Staged bars: blocks of similar length, named after their content, read back unchanged."""

from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import StoreError
from features.bars.schema import SymbolBars
from features.store.store import Store
from training.run.staging import read_staged, stage_bars


def bars(symbol: str, length: int, level: float = 1.0) -> SymbolBars:
    dates = np.datetime64("2020-01-01", "ns") + np.arange(length) * np.timedelta64(1, "D")
    price = level + np.arange(length, dtype=float)
    return SymbolBars(symbol, dates, price, price, price, price, price, has_range=length % 2 == 0, has_volume=True)


def same(a: SymbolBars, b: SymbolBars) -> bool:
    return all(np.array_equal(getattr(a, f.name), getattr(b, f.name)) for f in fields(SymbolBars))


@settings(max_examples=40, deadline=None)
@given(lengths=st.lists(st.integers(1, 3000), max_size=30), size=st.integers(1, 8))
def test_every_symbol_is_in_one_block_of_similar_lengths(tmp_path_factory, lengths, size):
    store = Store(str(tmp_path_factory.mktemp("store")))
    given_bars = {f"S{i}": bars(f"S{i}", length) for i, length in enumerate(lengths)}
    blocks = list(stage_bars(store, given_bars.values(), size))
    assert sorted(symbol for block in blocks for symbol in block.symbols) == sorted(given_bars)
    for block in blocks:
        assert 1 <= len(block.symbols) <= size
        assert max(block.bars) <= max(1.2 * min(block.bars) + 1, 2)
        read = read_staged(store, block.name)
        assert [one.symbol for one in read] == list(block.symbols)
        assert all(same(one, given_bars[one.symbol]) for one in read)


def test_chosen_symbols_of_a_block_are_read_in_its_order(tmp_path):
    store = Store(str(tmp_path))
    (block,) = stage_bars(store, [bars(name, 10) for name in "CAB"], 5)
    assert [one.symbol for one in read_staged(store, block.name, ["B", "C"])] == ["C", "B"]


def test_a_block_is_named_after_its_content(tmp_path):
    store = Store(str(tmp_path))
    first = list(stage_bars(store, [bars("A", 10), bars("B", 10)], 5))
    assert list(stage_bars(store, [bars("A", 10), bars("B", 10)], 5)) == first
    names = {first[0].name}
    names |= {block.name for block in stage_bars(store, [bars("A", 10), bars("B", 10, level=2.0)], 5)}
    names |= {block.name for block in stage_bars(store, [bars("B", 10), bars("A", 10)], 5)}
    names |= {block.name for block in stage_bars(store, [replace(bars("A", 10), symbol="C"), bars("B", 10)], 5)}
    assert len(names) == 4


def test_a_staged_block_is_not_written_again(tmp_path):
    store = Store(str(tmp_path))
    (block,) = stage_bars(store, [bars("A", 10)], 5)
    written = (tmp_path / block.name).stat().st_mtime_ns
    list(stage_bars(store, [bars("A", 10)], 5))
    assert (tmp_path / block.name).stat().st_mtime_ns == written


def test_bars_are_staged_block_by_block(tmp_path):
    """A universe of any size needs the memory of the blocks that are not yet full."""
    loaded: list[str] = []

    def source():
        for name in "ABCD":
            loaded.append(name)
            yield bars(name, 10)

    staging = stage_bars(Store(str(tmp_path)), source(), 2)
    assert next(staging).symbols == ("A", "B")
    assert loaded == ["A", "B"]


@pytest.mark.parametrize("content", [None, b"", b"not safetensors"])
def test_a_missing_or_damaged_file_is_staged_again_by_the_next_run(tmp_path, content):
    store = Store(str(tmp_path))
    (block,) = stage_bars(store, [bars("A", 10)], 5)
    (tmp_path / block.name).unlink()
    if content is not None:
        (tmp_path / block.name).write_bytes(content)
    with pytest.raises(StoreError, match=r"cannot be read .* Run the same command again\."):
        read_staged(store, block.name)
    assert list(stage_bars(store, [bars("A", 10)], 5)) == [block]
    assert len(read_staged(store, block.name)) == 1
