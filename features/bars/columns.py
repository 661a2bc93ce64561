"""Column names: converts any common table of bars to one long table with our names."""

from __future__ import annotations

import re
from collections.abc import Hashable
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError

Codes = npt.NDArray[np.integer[Any]]
PRICES = ("open", "high", "low", "close")

# Field → names in order of preference, as `spelling` normalises them. The Polish ones are stooq.pl's.
_SPELLINGS: dict[str, tuple[str, ...]] = {
    "date": ("date", "datetime", "timestamp", "dt", "session", "day", "open_time", "unix", "data"),
    "time": ("time", "czas"),
    "symbol": ("symbol", "ticker", "tic", "act_symbol", "instrument", "name", "code"),
    "open": ("open", "o", "open_price", "px_open", "otwarcie"),
    "high": ("high", "h", "high_price", "px_high", "najwyzszy"),
    "low": ("low", "l", "low_price", "px_low", "najnizszy"),
    "close": ("close", "c", "close_price", "px_last", "close_last", "last", "price", "zamkniecie"),
    "adj_close": ("adj_close", "adjclose", "adjusted_close", "close_adj", "close_adjusted", "adj_close_price"),
    "adj_factor": ("adj_factor", "adjustment_factor"),
    "volume": ("volume", "vol", "v", "volume_shares", "wolumen"),
}
_FIELD = {name: field for field, names in _SPELLINGS.items() for name in names}


def spelling(name: object) -> str:
    """Return a column name in lower case without number and punctuation: ``"5. Adj Close"`` → ``"adj_close"``."""
    text = re.sub(r"^\s*\d+[a-z]?\.\s*", "", str(name).strip().lower().replace("<", "").replace(">", ""))
    return re.sub(r"[^\w]+", "_", text).strip("_")


def field_of(name: object) -> str | None:
    """Return our name of a column's field (``"<CLOSE>"`` → ``"close"``), ``None`` for an unknown column."""
    return _FIELD.get(spelling(name))


def long_table(
    frame: pd.DataFrame, symbol: str | None = None, place: str = "the frame", *, default_symbol: str | None = None
) -> pd.DataFrame:
    """Return a table with our column names, one row per symbol and date, values unchanged.

    Parameters
    ----------
    frame
        Long (with a symbol column), one symbol, or yfinance's two-level columns in either order. The date is a column
        or the index.
    symbol
        The symbol of a frame without symbols; replaces the symbol of a frame with one.
    place
        Where the frame comes from, for messages.
    default_symbol
        The symbol of a frame without symbols; replaces none.

    Returns
    -------
    pandas.DataFrame
        ``date``, ``symbol`` (categorical) and ``close`` always; ``time``, ``open high low``, ``adj_close``,
        ``adj_factor`` and ``volume`` where given.

    Raises
    ------
    DataError
        The frame is empty, a column is missing or given twice, or a symbol's name is invalid.
    """
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise DataError(
            f"{place} has no rows; expected bars (date, open, high, low, close, volume). Check the file or the period."
        )
    table = _stacked(frame, place) if isinstance(frame.columns, pd.MultiIndex) else _single(frame, place)
    if "close" not in table and "adj_close" in table and not {"open", "high", "low"} & set(table):
        table = table.rename(columns={"adj_close": "close"})
    _require(table, frame, place)
    codes, names = _symbols(table, symbol, default_symbol, place)
    table["symbol"] = pd.Categorical.from_codes(codes, categories=pd.Index(names))
    return table


def _single(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    picked = _fields(list(frame.columns), place)
    table = pd.DataFrame({field: frame[name] for field, name in picked.items()}).reset_index(drop=True)
    if "date" not in table:
        _take_index(table, frame.index)
    elif "symbol" not in table and field_of(frame.index.name) == "symbol":
        table["symbol"] = np.asarray(frame.index)
    return table


def _take_index(table: pd.DataFrame, index: pd.Index) -> None:
    """Add the index levels that are dates or symbols to the table.

    Of levels without a known name, the one of dates (else the first that is not numbers) is the date, and one of texts
    next to it the symbol.
    """
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    fields = [field_of(values.name) for values in levels]
    if "date" not in fields:
        unnamed = [i for i, field in enumerate(fields) if field is None]
        dates = [i for i in unnamed if levels[i].dtype.kind == "M"]
        others = [i for i in unnamed if not pd.api.types.is_integer_dtype(levels[i].dtype)]
        if dates or others:
            fields[(dates or others)[0]] = "date"
    if "symbol" not in fields and "date" in fields and len(levels) == 2:
        other = 1 - fields.index("date")
        if fields[other] is None and not pd.api.types.is_numeric_dtype(levels[other].dtype):
            fields[other] = "symbol"
    for values, field in zip(levels, fields, strict=True):
        if field in ("date", "symbol") and field not in table:
            table[field] = pd.Series(values).reset_index(drop=True)


def _stacked(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    """Return the long form of yfinance's ``(field, ticker)`` or ``(ticker, field)`` columns.

    A wide frame has the same dates for every ticker, so rows in which a ticker has no value are padding, not bars: they
    are dropped.
    """
    columns = frame.columns
    assert isinstance(columns, pd.MultiIndex)
    # Tickers such as C, H and O are also names of fields: only longer names identify the level of fields.
    matches = [
        sum(len(str(v)) > 1 and field_of(v) is not None for v in columns.levels[k]) for k in range(columns.nlevels)
    ]
    if columns.nlevels != 2 or max(matches) == 0:
        raise DataError(
            f"{place} has column levels {_shown(list(columns))}; expected (field, ticker) or (ticker, field)."
        )
    fields = int(np.argmax(matches))
    dates: pd.Series | pd.Index = frame.index
    groups: dict[str, list[int]] = {}
    for position, pair in enumerate(columns):
        if field_of(pair[fields]) == "date":
            dates = frame.iloc[:, position]
        else:
            groups.setdefault(str(pair[1 - fields]), []).append(position)
    parts = []
    for positions in groups.values():
        picked = _fields([columns[p][fields] for p in positions], place)
        position_of = {columns[p][fields]: p for p in positions}
        part = pd.DataFrame({field: frame.iloc[:, position_of[name]] for field, name in picked.items()})
        parts.append(part.assign(date=dates).dropna(how="all", subset=list(picked)))
    names = np.repeat(np.array(list(groups), dtype=object), [len(part) for part in parts])
    table = pd.concat(parts, ignore_index=True)
    if len(groups) > 1 or "" not in groups:
        table["symbol"] = names
    return table


def _fields(names: list[Hashable], place: str) -> dict[str, Hashable]:
    """Map our fields to columns; the preferred name of a field wins."""
    spelled: dict[str, Hashable] = {}
    for name in names:
        key = spelling(name)
        if key in spelled and key in _FIELD:
            raise DataError(
                f"{place} has column {key!r} twice ({spelled[key]!r} and {name!r}); expected it once. "
                "Remove or rename one."
            )
        spelled[key] = name
    picked = {}
    for field, choices in _SPELLINGS.items():
        found = next((spelled[choice] for choice in choices if choice in spelled), None)
        if found is not None:
            picked[field] = found
    if "date" not in picked and "time" in picked:
        picked["date"] = picked.pop("time")
    return picked


def _require(table: pd.DataFrame, frame: pd.DataFrame, place: str) -> None:
    needed = ["date", "close"]
    if {"open", "high", "low"} & set(table):
        needed = ["date", *PRICES]
    missing = [name for name in needed if name not in table]
    if missing:
        present = _shown([*(n for n in frame.index.names if n is not None), *frame.columns])
        raise DataError(
            f"{place} has no column for {' and '.join(missing)}; it has {present}. "
            "Expected date and close, or date, open, high, low and close; rename the columns."
        )


def _symbols(table: pd.DataFrame, symbol: str | None, default: str | None, place: str) -> tuple[Codes, list[str]]:
    """Return each row's position in the sorted names, and the names."""
    if "symbol" not in table:
        symbol = default if symbol is None else symbol
        if symbol is None:
            raise DataError(
                f"{place} names no symbol; expected a symbol column or a name. Give one with symbol= or --symbol."
            )
        return np.zeros(len(table), np.int32), [_checked_name(symbol, place)]
    column = table["symbol"]
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
        return np.zeros(len(table), np.int32), [_checked_name(symbol, place)]
    cleaned = [_checked_name(str(names[code]), place) for code in used]
    unique = sorted(set(cleaned))
    position = {name: i for i, name in enumerate(unique)}
    recoded = np.zeros(len(names), np.int32)
    recoded[used] = [position[name] for name in cleaned]
    return recoded[codes], unique


def _checked_name(name: str, place: str) -> str:
    name = name.strip()
    if not name or len(name) > 64 or not name.isprintable():
        raise DataError(
            f"{place} has symbol {name[:80]!r} ({len(name)} characters); expected 1 to 64 printable ones. Rename it."
        )
    return name


def _shown(names: list[Hashable]) -> str:
    text = ", ".join(repr(name) for name in names[:12])
    return f"{text} and {len(names) - 12} more" if len(names) > 12 else text
