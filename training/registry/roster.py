"""The roster of a version: every requested symbol with the place of its model, or the reason why it has none.

It is a Parquet table, sorted by symbol, and not part of the manifest: a million symbols are a few megabytes on disk and
in memory, where JSON would have to be parsed completely by every reader.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import ModelError, UnreadableError
from features.store.parquet import read_parquet
from features.store.store import Store
from training.registry.block_index import FileRecord
from training.registry.model_names import match_symbol
from training.registry.versioned_json import RESTORE

TRAINED, SKIPPED, FAILED = "trained", "skipped", "failed"
Reasons = Mapping[str, tuple[str, str]]

_SCHEMA = pa.schema(
    [
        ("symbol", pa.string()),
        ("outcome", pa.dictionary(pa.int8(), pa.string())),
        ("block", pa.int32()),
        ("row", pa.int32()),
        ("reason", pa.string()),
    ]
)


@dataclass(frozen=True, eq=False)
class Roster:
    """A table of ``symbol`` (sorted), ``outcome``, ``block``, ``row`` and ``reason``, null where there is none."""

    table: pa.Table

    @classmethod
    def of(cls, blocks: Sequence[Sequence[str]], reasons: Reasons, names: Sequence[str]) -> Roster:
        """Make the roster of the symbols of these blocks and of those without a model.

        Parameters
        ----------
        blocks
            The symbols of each block, row by row.
        reasons
            Symbol → (``skipped`` or ``failed``, why); symbols that have a model are left out.
        names
            The name of each block in errors.

        Raises
        ------
        ModelError
            A symbol is in two blocks, or all blocks are empty.
        """
        sizes = [len(block) for block in blocks]
        trained = pa.array([symbol for block in blocks for symbol in block], pa.string())
        if not len(trained):
            raise ModelError("there is no trained symbol to publish. Train at least one.")
        block = np.repeat(np.arange(len(blocks), dtype=np.int32), sizes)
        row = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
        order = pc.array_sort_indices(trained)
        _check_once(trained.take(order), block[order.to_numpy()], names)
        without = sorted(set(reasons) - set(trained.to_pylist())) if reasons else []
        outcomes = [TRAINED] * len(trained) + [reasons[symbol][0] for symbol in without]
        why = pa.array([reasons[symbol][1] for symbol in without], pa.string())
        missing = pa.nulls(len(without), pa.int32())
        table = pa.table(
            {
                "symbol": pa.concat_arrays([trained, pa.array(without, pa.string())]),
                "outcome": pa.array(outcomes).dictionary_encode(),
                "block": pa.concat_arrays([pa.array(block), missing]),
                "row": pa.concat_arrays([pa.array(row), missing]),
                "reason": pa.concat_arrays([pa.nulls(len(trained), pa.string()), why]),
            }
        )
        return cls(table.cast(_SCHEMA).sort_by("symbol").combine_chunks())

    @classmethod
    def read(cls, store: Store, path: str, record: FileRecord) -> Roster:
        """Return the roster in a file, checked against its record.

        Raises
        ------
        UnreadableError
            It is missing or corrupt.
        """
        try:
            data = store.read(path)
        except FileNotFoundError as error:
            raise UnreadableError(f"{store.path(path)!r} is missing. {RESTORE}.") from error
        if FileRecord.of(data) != record:
            raise UnreadableError(f"{store.path(path)!r} is corrupt: its SHA-256 differs from the manifest. {RESTORE}.")
        return cls(read_parquet(data).cast(_SCHEMA))

    def to_bytes(self) -> bytes:
        """Return the Parquet file's bytes; equal rosters give equal bytes."""
        sink = pa.BufferOutputStream()
        pq.write_table(self.table, sink, compression="zstd")
        return bytes(sink.getvalue())

    def __len__(self) -> int:
        """Return how many symbols are trained."""
        return int(self._trained.num_rows)

    def symbols(self) -> list[str]:
        """Return the trained symbols, sorted."""
        names: list[str] = self._trained["symbol"].to_pylist()
        return names

    def blocks_of(self, symbols: Iterable[str] | None = None) -> list[int]:
        """Return the sorted numbers of the blocks that hold these symbols, by default all."""
        table = self._trained
        if symbols is not None:
            table = table.filter(pc.is_in(table["symbol"], value_set=pa.array(sorted(symbols), pa.string())))
        return sorted(pc.unique(table["block"]).to_pylist())

    def locate(self, symbol: str) -> tuple[int, int]:
        """Return the block and row of a trained symbol, spelled exactly."""
        table = self._trained
        at = pc.index(table["symbol"], symbol).as_py()
        return table["block"][at].as_py(), table["row"][at].as_py()

    def match(self, symbol: str, where: str) -> str:
        """Return the spelling in this roster of a symbol given in any case; see :func:`.match_symbol`."""
        if pc.index(self._trained["symbol"], symbol).as_py() >= 0:
            return symbol
        return match_symbol(symbol, self.symbols(), where)

    def reasons(self, outcome: str) -> dict[str, str]:
        """Return symbol → reason of the symbols with this outcome, ``skipped`` or ``failed``."""
        table = self.table.filter(pc.equal(self.table["outcome"].cast(pa.string()), outcome))
        return dict(zip(table["symbol"].to_pylist(), table["reason"].to_pylist(), strict=True))

    def block_numbers(self) -> tuple[list[str], npt.NDArray[np.int32]]:
        """Return the trained symbols and the numbers of their blocks, shape (n,)."""
        return self.symbols(), self._trained["block"].to_numpy()

    @cached_property
    def _trained(self) -> pa.Table:
        block = self.table["block"]
        return self.table.filter(pc.is_valid(block)) if block.null_count else self.table


def _check_once(symbols: pa.Array, block: npt.NDArray[np.int32], names: Sequence[str]) -> None:
    """Raise ``ModelError`` if two blocks hold the same symbol; ``symbols`` are sorted."""
    same = pc.equal(symbols[:-1], symbols[1:]).to_numpy(zero_copy_only=False)
    for at in np.flatnonzero(same)[:1]:
        raise ModelError(
            f"symbol {symbols[int(at)].as_py()!r} is in blocks {names[block[at]]!r} and {names[block[at + 1]]!r}. "
            "Publish one of them."
        )
