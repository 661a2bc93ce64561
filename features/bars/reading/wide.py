"""Wide tables: two-level columns of fields and tickers, and matrices of closes with one column per ticker."""

from __future__ import annotations

import ast
import re
from collections.abc import Hashable, Mapping

import numpy as np
import pandas as pd

from configs.errors import DataError
from features.bars.reading.choices import shown
from features.bars.reading.names import compact, fields_of, ranked_field
from features.bars.reading.numbers import is_text

_TICKER = re.compile(r"[\^.]?[A-Z0-9][A-Z0-9.\-=^/_&]{0,14}")
_PAIR = re.compile(r"(?P<first>.+?)[.:|_ ](?P<second>[^.:|]+)")
_PARTS = frozenset(compact(name) for name in "open high low close volume adjusted adj_close".split())
_NO_TICKERS = frozenset(
    "BID ASK SPREAD VWAP OI OPENINT RET RETURN CHANGE TURNOVER AMOUNT TRADES COUNT YIELD RSI".split()
)
_MOST_NEGATIVE = 0.05  # of the values: an oil future's price was once
_NEAR = 1.6  # columns that are always within this ratio of each other are prices of one instrument


def two_level_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame whose columns name a ticker and a field (``AAPL.Open``, ``('Open', 'AAPL')``) with two levels."""
    if isinstance(frame.columns, pd.MultiIndex):
        return frame
    names = [str(name) for name in frame.columns]
    if sum(name.startswith("('") for name in names) >= max(1, len(names) - 1):
        pairs = [_tuple(name) for name in names]
        return frame.set_axis(pd.MultiIndex.from_tuples(pairs), axis=1)
    if any(found is not None and found[0] in ("close", "adj_close") for found in fields_of(names)):
        return frame
    dates = [i for i, found in enumerate(fields_of(names)) if found is not None and found[0] in ("date", "time")]
    pairs = [("date", "")] * len(names)
    for i, name in enumerate(names):
        if i in dates[:1]:
            continue
        match = _PAIR.fullmatch(name.strip())
        if match is None and i == 0 and not dates:  # an index that is called so, or has no name
            continue
        if match is None:
            return frame
        first, second = match["first"], match["second"]
        if compact(second) in _PARTS:
            pairs[i] = (second if compact(second) != "adjusted" else "adj close", first)
        elif compact(first) in _PARTS:
            pairs[i] = (first, second)
        else:
            return frame
    if not any(compact(field) == "close" for field, _ in pairs):
        return frame
    tickers = {ticker for field, ticker in pairs if field != "date"}
    if len(tickers) == 1 and not any(map(_TICKER.fullmatch, tickers)):  # "Trade Open": a word, not an instrument
        pairs = [(field, "") for field, _ in pairs]
    return frame.set_axis(pd.MultiIndex.from_tuples(pairs), axis=1)


def _tuple(name: str) -> tuple[str, str]:
    try:
        first, second = ast.literal_eval(name)
    except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):  # the last two: deep nesting
        return name, ""
    return str(first), str(second)


def stacked(frame: pd.DataFrame, place: str) -> pd.DataFrame:
    """Return the long form of yfinance's ``(field, ticker)`` or ``(ticker, field)`` columns.

    A wide frame has the same dates for every ticker, so rows in which a ticker has no value are padding, not bars: they
    are dropped.

    Raises
    ------
    DataError
        No level has names of fields, or a field is given twice.
    """
    columns = frame.columns
    assert isinstance(columns, pd.MultiIndex)
    # Tickers such as C, H and O are also names of fields: only longer names identify the level of fields.
    matches = [
        sum(len(str(v)) > 1 and ranked_field(v) is not None for v in columns.levels[k]) for k in range(columns.nlevels)
    ]
    if columns.nlevels != 2 or max(matches) == 0:
        raise DataError(
            f"{place} has column levels {shown(list(columns))}; expected (field, ticker) or (ticker, field)."
        )
    fields = int(np.argmax(matches))
    dates: pd.Series | pd.Index = frame.index
    groups: dict[str, dict[str, int]] = {}
    for position, pair in enumerate(columns):
        found = ranked_field(pair[fields])
        if found is None and str(pair[fields]).lower() in ("o", "h", "l", "c", "v"):
            found = ({"o": "open", "h": "high", "l": "low", "c": "close", "v": "volume"}[str(pair[fields]).lower()], 0)
        if found is None:
            continue
        if found[0] == "date":
            dates = frame.iloc[:, position]
            continue
        group = groups.setdefault(str(pair[1 - fields]), {})
        if found[0] in group:
            raise DataError(
                f"{place} has column {found[0]!r} twice ({pair!r}); expected it once. Remove or rename one."
            )
        group[found[0]] = position
    if not groups:
        raise DataError(f"{place} has no column for close in {shown(list(columns))}; expected such as (Close, AAPL).")
    parts = []
    for group in groups.values():
        part = pd.DataFrame({name: frame.iloc[:, position] for name, position in group.items()})
        parts.append(
            part.assign(date=dates).replace("", np.nan).dropna(how="all", subset=[n for n in group if n != "splits"])
        )
    names = np.repeat(np.array(list(groups), dtype=object), [len(part) for part in parts])
    table = pd.concat(parts, ignore_index=True)
    if len(groups) > 1 or "" not in groups:
        table["symbol"] = names
    if "close" not in table and "adj_close" in table and "open" not in table:
        table = table.rename(columns={"adj_close": "close"})
    missing = {"close"} - set(table) or ({"open", "high", "low"} - set(table) if "open" in table else set())
    if missing or "date" not in table:
        raise DataError(
            f"{place} has no column for {' and '.join(sorted(missing) or ['date'])} in {shown(list(columns))}; "
            "expected (open, ticker), (high, ticker), (low, ticker) and (close, ticker)."
        )
    return table


def matrix_of_closes(
    frame: pd.DataFrame, picked: Mapping[str, Hashable], place: str, *, forced: bool = False
) -> list[Hashable]:
    """Return the columns of a matrix of closes, or none if the table is not one.

    It is one if no column is named a close, every column is numeric and named like a ticker, and the columns are not
    the open, high, low and close of one instrument.

    Raises
    ------
    DataError
        The numbers are returns.
    """
    others: list[Hashable] = [name for name in frame.columns if name != picked.get("date") and str(name).strip()]
    if forced:
        return [name for name in others if not is_text(frame[name]) or _numeric(frame[name])]
    known = {name for name in ("close", "adj_close") if name in picked}
    known -= {
        name
        for name in known
        if _TICKER.fullmatch(str(picked[name])) and len(str(picked[name])) == 1 and str(picked[name]).isalpha()
    }
    if known or not others or any(not isinstance(name, str) or not _TICKER.fullmatch(name.strip()) for name in others):
        return []
    if (
        _NO_TICKERS.intersection(others)
        or {"symbol", "time"} & set(picked)
        or len({"open", "high", "low"} & set(picked)) > 1
    ):
        return []
    if any(is_text(frame[name]) and not _numeric(frame[name]) for name in others):
        return []
    if len(others) >= 3 and _one_instrument(frame[others]):
        return []
    sample = frame[others].iloc[:500].apply(pd.to_numeric, errors="coerce")
    if (sample < 0.0).to_numpy().mean() > _MOST_NEGATIVE:
        raise DataError(
            f"{place} has negative numbers in {shown(others)}, which are returns rather than closes; expected prices."
        )
    return others


def _numeric(values: pd.Series) -> bool:
    return bool(values.dropna().astype(str).str.fullmatch(r"\s*(?:[+-]?[\d.,]+)?\s*").all())


def _one_instrument(frame: pd.DataFrame) -> bool:
    sample = frame.iloc[:500].apply(pd.to_numeric, errors="coerce").dropna()
    if not len(sample):
        return True
    values = sample.to_numpy(np.float64)
    highest, lowest = values.max(axis=1, keepdims=True), values.min(axis=1, keepdims=True)
    always = ((values == highest).mean(axis=0).max(), (values == lowest).mean(axis=0).max())
    return bool((highest <= _NEAR * lowest).all()) and min(always) >= 0.99
