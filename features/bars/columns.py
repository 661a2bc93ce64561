"""Column spellings: from any common table of bars to one long table with our names."""

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

# Field → spellings in order of preference, as `spelling` writes them. The Polish ones are stooq.pl's.
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
    """Return a column name in lower case, unnumbered and unpunctuated: ``"5. Adj Close"`` → ``"adj_close"``."""
    text = re.sub(r"^\s*\d+[a-z]?\.\s*", "", str(name).strip().lower().replace("<", "").replace(">", ""))
    return re.sub(r"[^\w]+", "_", text).strip("_")


def field_of(name: object) -> str | None:
    """Return our name of the field that a column holds (``"<CLOSE>"`` → ``"close"``), None if it is none of ours."""
    return _FIELD.get(spelling(name))


def long_table(
    frame: pd.DataFrame, symbol: str | None = None, place: str = "the frame", *, unnamed: str | None = None
) -> pd.DataFrame:
    """Return a table with our column names, one row per symbol and date, values untouched.

    Parameters
    ----------
    frame
        Long (a symbol column), one symbol (its name in ``symbol``), or yfinance's two-level columns in
        either order. The date is a column or the index.
    symbol
        The symbol of a frame that names none; renames the only symbol of a frame that names one.
    place
        Where the frame comes from, for messages.
    unnamed
        The symbol of a frame that names none; renames nothing.

    Returns
    -------
    pandas.DataFrame
        ``date``, ``symbol`` (categorical) and ``close`` always; ``time``, ``open high low``, ``adj_close``,
        ``adj_factor`` and ``volume`` where given.

    Raises
    ------
    DataError
        The frame is empty, a column is missing or given twice, or a symbol's name is unusable.
    """
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise DataError(
            f"{place} holds no rows; expected bars (date, open, high, low, close, volume). "
            "Check the file or the period."
        )
    table = _stacked(frame, place) if isinstance(frame.columns, pd.MultiIndex) else _single(frame, place)
    if "close" not in table and "adj_close" in table and not {"open", "high", "low"} & set(table):
        table = table.rename(columns={"adj_close": "close"})
    _require(table, frame, place)
    codes, names = _symbols(table, symbol, unnamed, place)
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
    """Move the levels of an index that are dates or symbols into the table."""
    for level in range(index.nlevels):
        values = index.get_level_values(level)
        field = field_of(values.name)
        if field is None and not pd.api.types.is_integer_dtype(values.dtype) and "date" not in table:
            field = "date"
        if field in ("date", "symbol") and field not in table:
            table[field] = pd.Series(values).reset_index(drop=True)


def _stacked(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    """Return the long form of yfinance's ``(field, ticker)`` or ``(ticker, field)`` columns.

    A wide frame gives every ticker the same dates; a row in which a ticker has no value at all is that
    layout's padding, not a bar, and is left out.
    """
    columns = frame.columns
    assert isinstance(columns, pd.MultiIndex)
    # Tickers such as C, H and O are spelled like fields: only longer names tell the levels apart.
    known = [
        sum(len(str(v)) > 1 and field_of(v) is not None for v in columns.levels[k]) for k in range(columns.nlevels)
    ]
    if columns.nlevels != 2 or max(known) == 0:
        raise DataError(
            f"{place} has column levels {_shown(list(columns))}; expected (field, ticker) or (ticker, field)."
        )
    fields = int(np.argmax(known))
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
    """Map our fields to the columns that hold them; the preferred spelling wins."""
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
        seen = _shown([*(n for n in frame.index.names if n is not None), *frame.columns])
        raise DataError(
            f"{place} has no column for {' and '.join(missing)}; it has {seen}. "
            "Expected date and close, or date, open, high, low and close; rename the columns."
        )


def _symbols(table: pd.DataFrame, symbol: str | None, unnamed: str | None, place: str) -> tuple[Codes, list[str]]:
    """Return each row's position in the sorted names, and the names."""
    if "symbol" not in table:
        symbol = unnamed if symbol is None else symbol
        if symbol is None:
            raise DataError(
                f"{place} names no symbol; expected a symbol column or a name. Give one with symbol= or --symbol."
            )
        return np.zeros(len(table), np.int32), [_checked_name(symbol, place)]
    given = table["symbol"]
    codes, names = (
        (given.cat.codes.to_numpy(), given.cat.categories) if given.dtype == "category" else pd.factorize(given)
    )
    if (codes < 0).any():
        row = int(np.argmax(codes < 0))
        raise DataError(
            f"{place} has no symbol in {int((codes < 0).sum())} rows (first: row {row}); expected a name in every row."
        )
    used = np.unique(codes)
    if symbol is not None and len(used) > 1:
        raise DataError(
            f"{place} holds {len(used)} symbols, so one name {symbol!r} cannot stand for all. Leave the name out."
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
