"""The roster of a version: every symbol that was asked for, and where its model is, or why there is none.

A Parquet table beside the manifest, sorted by symbol, so that neither grows into something that has to be parsed whole:
a million symbols are a file of a few megabytes and as much memory.
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

from configs.errors import ModelError
from features.store.store import Store
from training.registry.block_index import RESTORE, FileRecord
from training.registry.model_names import match_symbol

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
    """Symbols in order with ``outcome``, ``block``, ``row`` and ``reason`` (null where there is none)."""

    table: pa.Table

    @classmethod
    def of(cls, blocks: Sequence[Sequence[str]], reasons: Reasons, names: Sequence[str]) -> Roster:
        """Make the roster of the symbols of these blocks, in their order, and of those without a model.

        Parameters
        ----------
        blocks
            The symbols of each block, row by row.
        reasons
            Symbol to (``skipped`` or ``failed``, why); one that has a model is left out.
        names
            What to call each block in errors.

        Raises
        ------
        ModelError
            A symbol is in two blocks, or in none is any.
        """
        sizes = [len(block) for block in blocks]
        trained = pa.array([symbol for block in blocks for symbol in block], pa.string())
        if not len(trained):
            raise ModelError("there is no trained symbol to publish. Train at least one.")
        block = np.repeat(np.arange(len(blocks), dtype=np.int32), sizes)
        row = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])
        order = pc.array_sort_indices(trained)
        _check_once(trained.take(order), block[order.to_numpy()], names)
        left = sorted(set(reasons) - set(trained.to_pylist())) if reasons else []
        told = [reasons[symbol] for symbol in left]
        table = pa.table(
            {
                "symbol": pa.concat_arrays([trained, pa.array(left, pa.string())]),
                "outcome": pa.array([TRAINED] * len(trained) + [outcome for outcome, _ in told]).dictionary_encode(),
                "block": pa.concat_arrays([pa.array(block), pa.nulls(len(left), pa.int32())]),
                "row": pa.concat_arrays([pa.array(row), pa.nulls(len(left), pa.int32())]),
                "reason": pa.concat_arrays(
                    [pa.nulls(len(trained), pa.string()), pa.array([why for _, why in told], pa.string())]
                ),
            }
        )
        return cls(table.cast(_SCHEMA).sort_by("symbol").combine_chunks())

    @classmethod
    def read(cls, store: Store, path: str, record: FileRecord) -> Roster:
        """Return a roster, checked against its record.

        Raises
        ------
        ModelError
            It is missing or corrupt.
        """
        try:
            data = store.read(path)
        except FileNotFoundError as error:
            raise ModelError(f"{store.path(path)!r} is missing. {RESTORE}.") from error
        if FileRecord.of(data) != record:
            raise ModelError(f"{store.path(path)!r} is corrupt: its SHA-256 differs from the manifest. {RESTORE}.")
        return cls(pq.read_table(pa.BufferReader(data)).cast(_SCHEMA))

    def to_bytes(self) -> bytes:
        """Return the file; equal rosters give equal bytes."""
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
        """Return the numbers of the blocks that hold these symbols, or all."""
        table = self._trained
        if symbols is not None:
            table = table.filter(pc.is_in(table["symbol"], value_set=pa.array(sorted(symbols), pa.string())))
        return sorted(pc.unique(table["block"]).to_pylist())

    def place(self, symbol: str) -> tuple[int, int]:
        """Return the block and row of a symbol that is trained, spelled exactly."""
        table = self._trained
        at = pc.index(table["symbol"], symbol).as_py()
        return table["block"][at].as_py(), table["row"][at].as_py()

    def spelled(self, symbol: str, where: str) -> str:
        """Return the spelling here of a symbol given in any case; see :func:`.match_symbol`."""
        if pc.index(self._trained["symbol"], symbol).as_py() >= 0:
            return symbol
        return match_symbol(symbol, self.symbols(), where)

    def reasons(self, outcome: str) -> dict[str, str]:
        """Return the symbols that were ``skipped`` or have ``failed``, each with the reason."""
        table = self.table.filter(pc.equal(self.table["outcome"].cast(pa.string()), outcome))
        return dict(zip(table["symbol"].to_pylist(), table["reason"].to_pylist(), strict=True))

    def block_numbers(self) -> tuple[list[str], npt.NDArray[np.int32]]:
        """Return the trained symbols and the number of each one's block."""
        return self.symbols(), self._trained["block"].to_numpy()

    @cached_property
    def _trained(self) -> pa.Table:
        block = self.table["block"]
        return self.table.filter(pc.is_valid(block)) if block.null_count else self.table


def _check_once(symbols: pa.Array, block: npt.NDArray[np.int32], names: Sequence[str]) -> None:
    """Refuse a symbol that two blocks hold; ``symbols`` are sorted."""
    same = pc.equal(symbols[:-1], symbols[1:]).to_numpy(zero_copy_only=False)
    for at in np.flatnonzero(same)[:1]:
        raise ModelError(
            f"symbol {symbols[int(at)].as_py()!r} is in blocks {names[block[at]]!r} and {names[block[at + 1]]!r}. "
            "Publish one of them."
        )
