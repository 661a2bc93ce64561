"""The roster locates every trained symbol, gives the reasons of the others, and stays small."""

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.errors import ModelError
from features.store.store import Store
from training.registry.block_index import FileRecord
from training.registry.roster import FAILED, SKIPPED, Roster

SYMBOLS = st.lists(st.text(st.characters(codec="utf-8", min_codepoint=33), min_size=1, max_size=8), unique=True)


@settings(max_examples=60, deadline=None)
@given(SYMBOLS.filter(len), st.integers(1, 4), SYMBOLS)
def test_trained_symbols_are_located_and_others_have_reasons(trained, size, others):
    blocks = [trained[i : i + size] for i in range(0, len(trained), size)]
    reasons = {symbol: (SKIPPED if i % 2 else FAILED, f"why {i}") for i, symbol in enumerate(others)}
    roster = Roster.of(blocks, reasons, [f"b{i}" for i in range(len(blocks))])
    store = Store("memory://")
    store.write("r", roster.to_bytes())
    read = Roster.read(store, "r", FileRecord.of(roster.to_bytes()))
    assert read.symbols() == sorted(trained) and read.blocks_of() == list(range(len(blocks)))
    for number, block in enumerate(blocks):
        assert [read.locate(symbol) for symbol in block] == [(number, row) for row in range(len(block))]
        assert read.blocks_of(block) == [number]
    left = {symbol: reason for symbol, reason in reasons.items() if symbol not in trained}
    assert read.reasons(SKIPPED) | read.reasons(FAILED) == {symbol: why for symbol, (_, why) in left.items()}
    assert read.reasons(SKIPPED).keys() == {symbol for symbol, (outcome, _) in left.items() if outcome == SKIPPED}
    assert read.to_bytes() == roster.to_bytes()


def test_the_universe_is_kept_and_is_the_trained_symbols_of_older_rosters():
    reasons = {"SHORT": (SKIPPED, "too short"), "BAD": (SKIPPED, "broken")}
    roster, store = Roster.of([["A", "B"], ["C"]], reasons, ["x", "y"], {"A", "B", "SHORT"}), Store("memory://")
    old = io.BytesIO()
    pq.write_table(roster.table.drop_columns(["in_universe"]), old)
    for data, expected in ((roster.to_bytes(), {"A", "B", "SHORT"}), (old.getvalue(), {"A", "B", "C"})):
        store.write("r", data)
        assert Roster.read(store, "r", FileRecord.of(data)).universe() == expected


def test_a_symbol_in_two_blocks_is_an_error_that_names_both():
    with pytest.raises(ModelError, match=r"symbol 'B' is in blocks 'first' and 'third'"):
        Roster.of([["C", "B"], ["A"], ["B"]], {}, ["first", "second", "third"])
    with pytest.raises(ModelError, match="no trained symbol"):
        Roster.of([], {"A": (SKIPPED, "short")}, [])


def test_damage_is_found():
    store, roster = Store("memory://"), Roster.of([["A"]], {}, ["b"])
    data = roster.to_bytes()
    store.write("r", data.replace(b"A", b"B", 1))
    with pytest.raises(ModelError, match=r"r' is corrupt"):
        Roster.read(store, "r", FileRecord.of(data))
    with pytest.raises(ModelError, match="is missing"):
        Roster.read(store, "elsewhere", FileRecord.of(data))


def test_a_hundred_thousand_symbols_take_little_memory_and_time():
    blocks = [[f"SYM{32 * i + j:06d}" for j in range(32)] for i in range(3125)]
    before = pa.total_allocated_bytes()
    roster = Roster.of(blocks, {}, [str(i) for i in range(len(blocks))])
    assert roster.locate("SYM099999") == (3124, 31)
    assert pa.total_allocated_bytes() - before < 4 * 2**20
    assert len(roster.to_bytes()) < 2**20
