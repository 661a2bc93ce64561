"""Records of filled orders, from which everything else of an account follows."""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

import numpy as np
import numpy.typing as npt

from training.validation.backtest.market import Float

KINDS = ("market", "limit", "stop", "take_profit", "delisting")
MARKET, LIMIT, STOP, TAKE_PROFIT, DELISTING = range(5)
Ints = npt.NDArray[np.int64]

Record: TypeAlias = tuple[int, Ints, int, Float, Float, Float]
"""Orders of one kind in one bar: row, columns, kind, and requested, filled and reference price by column."""


class Fills(NamedTuple):
    """Filled orders in order of time, (n,) each; ``reference`` is the price before costs in the symbol's currency."""

    row: Ints
    column: Ints
    kind: Ints
    requested: Float
    quantity: Float
    reference: Float


def joined(records: list[Record]) -> Fills:
    """Return records as arrays."""
    if not records:
        rows, none = np.zeros(0, np.int64), np.zeros(0)
        return Fills(rows, rows, rows, none, none, none)
    counts = [len(one[1]) for one in records]
    rows, kinds = (np.repeat(np.array([one[k] for one in records], np.int64), counts) for k in (0, 2))
    columns, requested, quantity, reference = (np.concatenate([one[k] for one in records]) for k in (1, 3, 4, 5))
    return Fills(rows, columns, kinds, requested, quantity, reference)
