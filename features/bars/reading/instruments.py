"""Refuses a table in which several instruments would become one series."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from configs.errors import DataError
from features.bars.arrays import Mask
from features.bars.columns import Columns
from features.bars.quarantine import Quarantine
from features.bars.reading.parsed import ParsedTable

_MIN_ROWS, _MIN_SHARE = 10, 0.1
_NO_NAME = re.compile(r"(?i).*(?:price|volume|count|time|date|turnover|amount|spread).*")


def refuse_merged(
    columns: Columns, parsed: ParsedTable, quarantine: Quarantine, frame: pd.DataFrame, place: str
) -> None:
    """Raise if many rows have a date that their symbol has already, with another bar.

    Raises
    ------
    DataError
        They have; the message names the column that tells such rows apart.
    """
    if not len(quarantine):
        return
    rows = quarantine.frame["rule"] == "duplicate_date"
    count = int(rows.sum())
    if count < max(_MIN_ROWS, _MIN_SHARE * len(parsed.dates)):
        return
    keys = pd.DataFrame({"symbol": parsed.codes, "date": parsed.dates})
    name = _candidate(columns, keys, frame, ~np.isnat(parsed.dates))
    first = str(quarantine.frame["date"][rows].min())[:10]
    problem = f"{place} has {count} rows whose date another row of the same symbol has too (first: {first})"
    if name is not None:
        raise DataError(f"{problem}; column {name!r} may name the instrument. Say so: --symbol-column {name!r}")
    raise DataError(
        f"{problem}: several instruments or periods in one series. Name the column of the instrument: "
        "--symbol-column NAME, or split the file."
    )


def _candidate(columns: Columns, keys: pd.DataFrame, frame: pd.DataFrame, known: Mask) -> str | None:
    """Return the ignored column with the fewest values that tells rows with equal dates apart."""
    best: tuple[int, str] | None = None
    for name in columns.ignored:
        if name not in frame or len(frame) != len(keys) or _NO_NAME.fullmatch(str(name)):
            continue
        values = np.asarray(frame[name].astype(str))
        distinct = len(pd.unique(values))
        apart = keys.assign(value=values)[known].duplicated().mean() < 0.01
        if 2 <= distinct <= max(2, len(values) // 5) and apart and (best is None or distinct < best[0]):
            best = distinct, str(name)
    return best[1] if best else None
