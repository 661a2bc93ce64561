"""Staged bars: blocks of symbols of similar length, in files named after their content, which workers read.

Bars are read one symbol at a time, so a universe of any size needs the memory of a few blocks. The same bars give the
same names, so a run that starts again stages nothing twice.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from configs.safe_json import parse_json
from features.bars.merge import fingerprint
from features.bars.schema import SymbolBars
from features.store.store import Store
from training.run.named_files import read_named, write_named

_FIELDS = ("open", "high", "low", "close", "volume")


@dataclass(frozen=True, slots=True)
class StagedBlock:
    """One file of bars: its name in the store, and the name, number of bars and fingerprint of each symbol."""

    name: str
    symbols: tuple[str, ...]
    bars: tuple[int, ...]
    fingerprints: tuple[str, ...]


def stage_bars(
    store: Store, bars: Iterable[SymbolBars], block_symbols: int, *, by_length: bool = True
) -> Iterator[StagedBlock]:
    """Write bars into blocks of at most ``block_symbols`` symbols.

    With ``by_length`` their lengths differ by at most a fifth, so that padding a block to its longest symbol wastes
    little. Otherwise a block has the next symbols, whatever their lengths, and so the same ones when bars are added.
    Blocks depend on the order and content of ``bars`` only.
    """
    buckets: dict[int, list[SymbolBars]] = {}
    for symbol_bars in bars:
        length = int(math.log(max(len(symbol_bars), 1), 1.2)) if by_length else 0
        bucket = buckets.setdefault(length, [])
        bucket.append(symbol_bars)
        if len(bucket) == block_symbols:
            yield _write(store, bucket)
            bucket.clear()
    for _, bucket in sorted(buckets.items()):
        if bucket:
            yield _write(store, bucket)


def read_staged(store: Store, name: str, only: Sequence[str] | None = None) -> list[SymbolBars]:
    """Return a staged block's bars, or those of the symbols in ``only``, in the block's order.

    Raises
    ------
    StoreError
        The file is missing or damaged; a damaged file is deleted, so that the next run stages it again.
    """
    arrays = read_named(store, name)
    facts = parse_json(arrays["facts"].tobytes())
    wanted = None if only is None else frozenset(only)
    out = []
    for i, (symbol, has_range, has_volume) in enumerate(facts):
        if wanted is not None and symbol not in wanted:
            continue
        values = {field: arrays[f"{i}/{field}"] for field in _FIELDS}
        dates = arrays[f"{i}/dates"].view("datetime64[ns]")
        out.append(SymbolBars(symbol=symbol, dates=dates, has_range=has_range, has_volume=has_volume, **values))
    return out


def _write(store: Store, block: Sequence[SymbolBars]) -> StagedBlock:
    symbols, prints = tuple(b.symbol for b in block), tuple(fingerprint(b) for b in block)
    facts = json.dumps([(b.symbol, b.has_range, b.has_volume) for b in block]).encode()
    arrays = {"facts": np.frombuffer(facts, np.uint8)}
    for i, symbol_bars in enumerate(block):
        arrays[f"{i}/dates"] = symbol_bars.dates.astype("datetime64[ns]").view(np.int64)
        arrays |= {f"{i}/{field}": np.ascontiguousarray(getattr(symbol_bars, field)) for field in _FIELDS}
    name = write_named(store, "runs/bars", arrays)
    return StagedBlock(name, symbols, tuple(len(b) for b in block), prints)
