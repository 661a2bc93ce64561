"""Which of several columns is a field: the one that the user names, else the preferred name that has values."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.reading.names import compact, fields_of
from features.bars.reading.times import parse_stamps


def given(names: Sequence[Hashable], reading: ReadingConfig, place: str) -> dict[str, Hashable]:
    """Return the columns that the user names, by field; case and spaces do not matter."""
    wanted = {f: n for f, n in reading.columns.items() if n != "*"}
    if reading.symbol_column is not None:
        wanted["symbol"] = reading.symbol_column
    by_name = {str(name).strip().casefold(): name for name in reversed(names)}
    found: dict[str, Hashable] = {}
    for name, column in wanted.items():
        if column.strip().casefold() not in by_name:
            raise DataError(f"{place} has no column {column!r} for {name}; it has {shown(names)}.")
        found[name] = by_name[column.strip().casefold()]
    return found


def candidates(names: Sequence[Hashable], given: dict[str, Hashable], place: str) -> dict[str, list[Hashable]]:
    """Return the columns of each field, the preferred name first."""
    ranks: dict[str, list[tuple[int, int]]] = {}
    texts = [str(name) if not isinstance(name, int) else "" for name in names]
    for position, found in enumerate(fields_of(texts)):
        if found is not None and names[position] not in given.values():
            ranks.setdefault(found[0], []).append((found[1], position))
    out = {}
    for name, places in ranks.items():
        places.sort()
        if len(places) > 1 and places[0][0] == places[1][0] and name not in given and places[0][0] < 1000:
            first, second = (names[position] for _, position in places[:2])
            raise DataError(
                f"{place} has column {name!r} twice ({first!r} and {second!r}); expected it once. "
                f"Remove or rename one, or choose: --columns {name}={first}"
            )
        out[name] = [names[position] for _, position in places]
    return out | {name: [column] for name, column in given.items()}


def unnamed_date(frame: pd.DataFrame, used: set[Hashable]) -> Hashable | None:
    """Return the first column if it has no known name and its texts are dates."""
    first = frame.columns[0]
    values = frame.iloc[:, 0]
    nameless = not str(first).strip() or str(first).startswith("Unnamed: 0") or str(first) == "index"
    if first in used or (pd.api.types.is_numeric_dtype(values.dtype) and not nameless):
        return None
    sample = values.dropna().iloc[:200]
    try:
        stamps = parse_stamps(sample, "the column")
    except DataError:
        return None
    texts = sample.astype(str).str.fullmatch(r"\d{1,6}").any()
    return first if len(sample) and not texts and (~np.isnat(stamps.instant)).mean() >= 0.9 else None


def choose_date(frame: pd.DataFrame, choices: dict[str, list[Hashable]], picked: dict[str, Hashable]) -> None:
    """Prefer a column of times to one of dates that repeat."""
    columns = choices.get("date", [])
    if len(columns) < 2 or "time" in picked:
        return
    group = [picked["symbol"]] if "symbol" in picked else []
    shares = [float(frame.duplicated([*group, column]).mean()) for column in columns]
    if shares[0] > 0.1 and min(shares) < 0.5 * shares[0]:
        picked["date"] = columns[int(np.argmin(shares))]


def choose_volume(frame: pd.DataFrame, choices: dict[str, list[Hashable]], picked: dict[str, Hashable]) -> None:
    """Take the first volume that is not all zero."""
    for choice in choices.get("volume", [])[:4]:
        values = frame[choice]
        numeric = pd.api.types.is_numeric_dtype(values.dtype)
        numbers = values.to_numpy() if isinstance(values.dtype, np.dtype) else values.array
        if bool((numbers > 0).any()) if numeric else bool(values.astype(str).str.contains("[1-9]").any()):
            picked["volume"] = choice
            return


def is_label(values: pd.Series, name: Hashable) -> bool:
    """Whether a column called ``name`` has one number in all rows, which identifies nothing to a reader."""
    return compact(str(name)) == "name" and values.nunique() == 1 and str(values.iloc[0]).strip().isdigit()


def is_blank(values: pd.Series) -> bool:
    """Whether a column has no value at all."""
    blank = all(value is None or value != value or str(value).strip() == "" for value in values.iloc[:5])
    return blank and bool((values.isna() | (values.astype(str).str.strip() == "")).all())


def shown(names: Sequence[Hashable]) -> str:
    """Return the first names for a message."""
    text = ", ".join(repr(name) for name in names[:12])
    return f"{text} and {len(names) - 12} more" if len(names) > 12 else text
