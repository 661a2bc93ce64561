"""Columns: converts any common table of bars to one long table with our names."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd

from configs.errors import DataError
from configs.reading import ReadingConfig
from configs.words import counted
from features.bars.arrays import PRICES, Codes
from features.bars.reading.choices import (
    candidates,
    choose_date,
    choose_volume,
    given,
    is_blank,
    is_label,
    shown,
    unnamed_date,
)
from features.bars.reading.names import SERIES, compact, field_of, fields_of
from features.bars.reading.symbols import symbols
from features.bars.reading.wide import matrix_of_closes, stacked, two_level_columns

_ADJUSTED = ("adj_open", "adj_high", "adj_low", "adj_close")
_FIELDS = ("date", "time", "symbol", *PRICES, "adj_close", "adj_factor", "volume", "splits")
_EQUITY_BOARDS = frozenset("EQ BE BZ SM ST".split())  # NSE: boards between which one share moves
_NANO = 1e-9  # Databento writes prices as whole numbers of 1e-9


@dataclass(frozen=True, slots=True)
class Columns:
    """A long table of N rows, values unchanged.

    ``table`` has the columns by our names, each with the index 0 … N − 1; not a frame, which takes longer to make than
    a short file to read. Row *i* is of the symbol ``names[codes[i]]``. ``used`` are the frame's names of the columns,
    ``ignored`` those of the others; ``scale`` is that of the prices.
    """

    table: dict[str, pd.Series]
    used: dict[str, Hashable] = field(default_factory=dict)
    ignored: tuple[Hashable, ...] = ()
    scale: float = 1.0
    codes: Codes = field(default_factory=lambda: np.zeros(0, np.int64))
    names: tuple[str, ...] = ()

    @property
    def lines(self) -> list[str]:
        """What was decided, in lines."""
        renamed = [f"{f} from {n!r}" for f, n in self.used.items() if compact(str(n)) != compact(f)]
        lines = [f"columns: {', '.join(renamed)}"] if renamed else []
        if self.ignored:
            lines.append(columns_line(self.ignored, "ignored"))
        return lines + (["prices: whole numbers of 1e-9"] if self.scale != 1.0 else [])


def columns_line(names: Sequence[Hashable], what: str) -> str:
    """Return the line that says ``what`` was done with columns, with the first names."""
    shown = ", ".join(str(name) for name in names[:8]) + (" …" if len(names) > 8 else "")
    return f"{counted(len(names), 'column')} {what}: {shown}"


def long_table(
    frame: pd.DataFrame, symbol: str | None = None, place: str = "the frame", *, default_symbol: str | None = None
) -> pd.DataFrame:
    """Return the table of :func:`choose_columns` with its symbols (categorical) as a frame."""
    found = choose_columns(frame, symbol, place, default_symbol=default_symbol)
    return pd.DataFrame({**found.table, "symbol": pd.Categorical.from_codes(found.codes, pd.Index(found.names))})


def choose_columns(
    frame: pd.DataFrame,
    symbol: str | None = None,
    place: str = "the frame",
    *,
    default_symbol: str | None = None,
    reading: ReadingConfig | None = None,
) -> Columns:
    """Return a table with our column names, one row per symbol and date, values unchanged.

    Parameters
    ----------
    frame
        Long (with a symbol column), one symbol, yfinance's two-level columns in either order, or a matrix of closes
        with one column per symbol. The date is a column or the index.
    symbol
        The symbol of a frame without symbols; replaces the symbol of a frame with one.
    place
        Where the frame comes from, for messages.
    default_symbol
        The symbol of a frame without symbols; replaces none.
    reading
        Columns that the user names.

    Returns
    -------
    Columns
        The table has ``date`` and ``close`` always; ``time``, ``open high low``, ``adj_close``, ``adj_factor``,
        ``volume`` and ``splits`` where given.

    Raises
    ------
    DataError
        The frame is empty, a column is missing or given twice, or a symbol's name is invalid.
    """
    if frame.shape[0] == 0 or frame.shape[1] == 0:
        raise DataError(
            f"{place} has no rows; expected bars (date, open, high, low, close, volume). Check the file or the period."
        )
    reading = reading or ReadingConfig()
    frame = two_level_columns(frame)
    if isinstance(frame.columns, pd.MultiIndex):
        found = Columns(_columns_of(stacked(frame, place)))
    else:
        found = _single(frame, place, reading)
    column, count = found.table.pop("symbol", None), len(found.table["date"])
    codes, names = symbols(column, count, symbol, default_symbol, place)
    return replace(found, codes=codes.astype(np.int64), names=tuple(names))


def _single(frame: pd.DataFrame, place: str, reading: ReadingConfig) -> Columns:
    names: list[Hashable] = list(frame.columns)
    choices = candidates(names, given(names, reading, place), place)
    if "date" not in choices and "time" in choices:
        choices["date"] = choices.pop("time")
    picked = {name: columns[0] for name, columns in choices.items()}
    table: dict[str, pd.Series] = {}
    if "date" not in picked:
        _take_index(table, frame.index)
        if "date" not in table and (unnamed := unnamed_date(frame, set(picked.values()))) is not None:
            picked["date"] = unnamed
    elif "symbol" not in picked and field_of(frame.index.name) == "symbol":
        table["symbol"] = pd.Series(np.asarray(frame.index))
    closes = matrix_of_closes(frame, picked, place, forced=reading.columns.get("close") == "*")
    if closes and ("date" in picked or "date" in table):
        dates = frame[picked["date"]] if "date" in picked else table["date"]
        parts = [
            pd.DataFrame({"date": np.asarray(dates), "close": np.asarray(frame[n]), "symbol": str(n)}) for n in closes
        ]
        rest = tuple(n for n in names if n not in closes and n != picked.get("date"))
        blank = [part["close"].isna() | (part["close"].astype(str).str.strip() == "") for part in parts]
        long = pd.concat([part[~rows] for part, rows in zip(parts, blank, strict=True)], ignore_index=True)
        return Columns(_columns_of(long), {f"the closes of {len(closes)} symbols": "one column each"}, rest)
    choose_date(frame, choices, picked)
    if "symbol" in picked and is_label(frame[picked["symbol"]], picked["symbol"]):
        del picked["symbol"]
    choose_volume(frame, choices, picked)
    if "adj_close" in picked and "close" in picked and is_blank(frame[picked["adj_close"]]):
        del picked["adj_close"]
    if all(name in picked for name in _ADJUSTED) and "adj_volume" in picked:
        picked |= {name.removeprefix("adj_"): picked[name] for name in (*_ADJUSTED, "adj_volume")}
        picked = {n: c for n, c in picked.items() if not n.startswith("adj_")}
    elif "close" not in picked and "adj_close" in picked and not {"open", "high", "low"} & set(picked):
        picked["close"] = picked.pop("adj_close")
    used = {name: picked[name] for name in _FIELDS if name in picked}
    _require({*used, *table}, frame, place)
    rows = frame if frame.index.equals(pd.RangeIndex(len(frame))) else frame.reset_index(drop=True)
    for name, column in used.items():
        values = rows[column]
        table[name] = pd.Series(np.asarray(values)) if values.dtype == object else values
    if "symbol" in used and (series := next((n for n in names if compact(str(n)) in SERIES), None)) is not None:
        table["symbol"] = _with_series(table["symbol"], frame[series])
        used["series"] = series
    spelled = {compact(str(name)) for name in names}
    whole = {"tsevent", "rtype"} <= spelled and str(frame[used["close"]].iloc[0]).strip().isdigit()
    ignored = tuple(name for name in names if name not in used.values() and str(name).strip())
    return Columns(table, used, ignored, _NANO if whole else 1.0)


def _columns_of(frame: pd.DataFrame) -> dict[str, pd.Series]:
    return {str(name): values for name, values in frame.items()}


def _take_index(table: dict[str, pd.Series], index: pd.Index) -> None:
    """Add the index levels that are dates or symbols to the table.

    Of levels without a known name, the one of dates (else the first that is not numbers) is the date, and one of texts
    next to it the symbol.
    """
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    known = fields_of([str(values.name) for values in levels])
    fields = [
        None if found is None or values.name is None else found[0] for found, values in zip(known, levels, strict=True)
    ]
    if "date" not in fields and "time" in fields:
        fields[fields.index("time")] = "date"
    if "date" not in fields:
        unnamed = [i for i, name in enumerate(fields) if name is None]
        dates = [i for i in unnamed if levels[i].dtype.kind == "M"]
        others = [i for i in unnamed if not pd.api.types.is_integer_dtype(levels[i].dtype)]
        if dates or others:
            fields[(dates or others)[0]] = "date"
    if "symbol" not in fields and "date" in fields and len(levels) == 2:
        other = 1 - fields.index("date")
        if fields[other] is None and not pd.api.types.is_numeric_dtype(levels[other].dtype):
            fields[other] = "symbol"
    for values, name in zip(levels, fields, strict=True):
        if name in ("date", "symbol") and name not in table:
            table[name] = pd.Series(values).reset_index(drop=True)


def _with_series(symbols: pd.Series, series: pd.Series) -> pd.Series:
    """Return NSE's symbols; bonds and other lines of a share's symbol have their series as a suffix."""
    boards = pd.Series(np.asarray(series.astype(str).str.strip()), index=symbols.index)
    names = symbols.astype(str).str.strip()
    return names.where(boards.isin(_EQUITY_BOARDS) | boards.isin(["", "nan", "None"]), names + "-" + boards)


def _require(found: set[str], frame: pd.DataFrame, place: str) -> None:
    needed = ["date", "close"]
    if {"open", "high", "low"} & found:
        needed = ["date", *PRICES]
    missing = [name for name in needed if name not in found]
    if not missing:
        return
    columns = list(frame.columns)
    present = shown([*(n for n in frame.index.names if n is not None), *columns])
    if sum(bool(re.fullmatch(r"\d[\d.,:/\- ]*", str(name))) for name in columns) > len(columns) // 2:
        raise DataError(
            f"{place} has no header line: its first line is {present}. "
            "Add one (date,open,high,low,close,volume), or read it without a header."
        )
    example = ",".join(f"{name}=NAME" for name in missing)
    example += ", or close=* if each column is a symbol's close" if found == {"date"} else ""
    raise DataError(
        f"{place} has no column for {' and '.join(missing)}; it has {present}. "
        f"Expected date and close, or date, open, high, low and close; name them: --columns {example}"
    )
