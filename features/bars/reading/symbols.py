"""Symbols: which instrument each row of a table belongs to."""

from __future__ import annotations

import numpy as np
import pandas as pd

from configs.errors import DataError
from features.bars.arrays import Codes


def symbols(
    column: pd.Series | None, count: int, symbol: str | None, default: str | None, place: str
) -> tuple[Codes, list[str]]:
    """Return the position of each of ``count`` rows in the sorted names, and the names; ``column`` has the symbols.

    Raises
    ------
    DataError
        There is no symbol, or an invalid one, or one name for several symbols.
    """
    if column is None:
        symbol = default if symbol is None else symbol
        if symbol is None:
            raise DataError(
                f"{place} names no symbol; expected a symbol column or a name. Give one with symbol= or --symbol."
            )
        return np.zeros(count, np.int32), [checked_name(symbol, place)]
    codes, names = (
        (column.cat.codes.to_numpy(), column.cat.categories) if column.dtype == "category" else pd.factorize(column)
    )
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise DataError(
            f"{place} has no symbol in {int((codes < 0).sum())} rows (first: row {row}); expected a name in every row."
        )
    used = np.unique(codes)
    if symbol is not None and len(used) > 1:
        raise DataError(
            f"{place} has {len(used)} symbols, so the one name {symbol!r} does not apply. Leave the name out."
        )
    if symbol is not None:
        return np.zeros(count, np.int32), [checked_name(symbol, place)]
    cleaned = [checked_name(str(names[code]), place) for code in used]
    unique = sorted(set(cleaned))
    position = {name: i for i, name in enumerate(unique)}
    recoded = np.zeros(len(names), np.int32)
    recoded[used] = [position[name] for name in cleaned]
    return recoded[codes], unique


def checked_name(name: str, place: str) -> str:
    """Return a symbol's name without surrounding spaces; ``DataError`` if it is empty, too long or not printable."""
    name = name.strip()
    if not name or len(name) > 64 or not name.isprintable():
        raise DataError(
            f"{place} has symbol {name[:80]!r} ({len(name)} characters); expected 1 to 64 printable ones. Rename it."
        )
    return name
