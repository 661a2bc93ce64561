"""Columns: converts any common table of bars to one long table with our names."""

from __future__ import annotations

import re
from collections.abc import Hashable
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.arrays import PRICES, Codes
from features.bars.reading.names import SERIES, compact, field_of, fields_of
from features.bars.reading.wide import matrix_of_closes, stacked, two_level_columns

_ADJUSTED = ("adj_open", "adj_high", "adj_low", "adj_close")
_FIELDS = ("date", "time", "symbol", *PRICES, "adj_close", "adj_factor", "volume")
_EQUITY_BOARDS = frozenset("EQ BE BZ SM ST".split())  # NSE: boards between which one share moves
_NANO = 1e-9  # Databento writes prices as whole numbers of 1e-9


@dataclass(frozen=True, slots=True)
class Columns:
    """A long table with our column names, values unchanged; the columns that were not used; ``scale`` of the prices."""

    table: pd.DataFrame
    used: dict[str, Hashable] = field(default_factory=dict)
    ignored: tuple[Hashable, ...] = ()
    scale: float = 1.0

    @property
    def lines(self) -> list[str]:
        """What was decided, in lines."""
        renamed = [f"{f} from {n!r}" for f, n in self.used.items() if compact(str(n)) != compact(f)]
        lines = [f"columns: {', '.join(renamed)}"] if renamed else []
        if self.ignored:
            names = ", ".join(str(name) for name in self.ignored[:8]) + (" …" if len(self.ignored) > 8 else "")
            lines.append(f"{len(self.ignored)} column{'s' * (len(self.ignored) > 1)} ignored: {names}")
        return lines + (["prices: whole numbers of 1e-9"] if self.scale != 1.0 else [])


def long_table(
    frame: pd.DataFrame, symbol: str | None = None, place: str = "the frame", *, default_symbol: str | None = None
) -> pd.DataFrame:
    """Return the table of :func:`choose_columns`."""
    return choose_columns(frame, symbol, place, default_symbol=default_symbol).table


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
        The table has ``date``, ``symbol`` (categorical) and ``close`` always; ``time``, ``open high low``,
        ``adj_close``, ``adj_factor`` and ``volume`` where given.

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
        found = Columns(stacked(frame, place))
    else:
        found = _single(frame, place, reading)
    table = found.table
    codes, names = _symbols(table, symbol, default_symbol, place)
    table["symbol"] = pd.Categorical.from_codes(codes, categories=pd.Index(names))
    return found


def _single(frame: pd.DataFrame, place: str, reading: ReadingConfig) -> Columns:
    names = list(frame.columns)
    given = _given(names, reading, place)
    candidates = _candidates(names, given, place)
    if "date" not in candidates and "time" in candidates:
        candidates["date"] = candidates.pop("time")
    picked = {name: choices[0] for name, choices in candidates.items()}
    table = pd.DataFrame({}, index=range(len(frame)))
    if "date" not in picked:
        _take_index(table, frame.index)
        if "date" not in table and (unnamed := _unnamed_date(frame, set(picked.values()))) is not None:
            picked["date"] = unnamed
    elif "symbol" not in picked and field_of(frame.index.name) == "symbol":
        table["symbol"] = np.asarray(frame.index)
    closes = matrix_of_closes(frame, picked, forced=reading.columns.get("close") == "*")
    if closes and ("date" in picked or "date" in table):
        dates = frame[picked["date"]] if "date" in picked else table["date"]
        parts = [
            pd.DataFrame({"date": np.asarray(dates), "close": np.asarray(frame[n]), "symbol": str(n)}) for n in closes
        ]
        rest = tuple(n for n in names if n not in closes and n != picked.get("date"))
        blank = [part["close"].isna() | (part["close"].astype(str).str.strip() == "") for part in parts]
        long = pd.concat([part[~rows] for part, rows in zip(parts, blank, strict=True)], ignore_index=True)
        return Columns(long, {f"the closes of {len(closes)} symbols": "one column each"}, rest)
    _choose_date(frame, candidates, picked)
    if "symbol" in picked and _is_label(frame[picked["symbol"]], picked["symbol"]):
        del picked["symbol"]
    _choose_volume(frame, candidates, picked)
    if all(name in picked for name in _ADJUSTED) and "adj_volume" in picked:
        picked |= {name.removeprefix("adj_"): picked[name] for name in (*_ADJUSTED, "adj_volume")}
        picked = {n: c for n, c in picked.items() if not n.startswith("adj_")}
    elif "close" not in picked and "adj_close" in picked and not {"open", "high", "low"} & set(picked):
        picked["close"] = picked.pop("adj_close")
    used = {name: picked[name] for name in _FIELDS if name in picked}
    _require({*used, *table}, frame, place)
    for name, column in used.items():
        table[name] = np.asarray(frame[column]) if frame[column].dtype == object else frame[column].array
    if "symbol" in used and (series := next((n for n in names if compact(str(n)) in SERIES), None)) is not None:
        table["symbol"] = _with_series(table["symbol"], frame[series])
        used["series"] = series
    spelled = {compact(str(name)) for name in names}
    whole = {"tsevent", "rtype"} <= spelled and str(frame[used["close"]].iloc[0]).strip().isdigit()
    ignored = tuple(name for name in names if name not in used.values() and str(name).strip())
    return Columns(table, used, ignored, _NANO if whole else 1.0)


def _given(names: list[Hashable], reading: ReadingConfig, place: str) -> dict[str, Hashable]:
    """Return the columns that the user names, by field; case and spaces do not matter."""
    wanted = {f: n for f, n in reading.columns.items() if n != "*"}
    if reading.symbol_column is not None:
        wanted["symbol"] = reading.symbol_column
    by_name = {str(name).strip().casefold(): name for name in reversed(names)}
    found: dict[str, Hashable] = {}
    for name, column in wanted.items():
        if column.strip().casefold() not in by_name:
            raise DataError(f"{place} has no column {column!r} for {name}; it has {_shown(names)}.")
        found[name] = by_name[column.strip().casefold()]
    return found


def _candidates(names: list[Hashable], given: dict[str, Hashable], place: str) -> dict[str, list[Hashable]]:
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


def _take_index(table: pd.DataFrame, index: pd.Index) -> None:
    """Add the index levels that are dates or symbols to the table.

    Of levels without a known name, the one of dates (else the first that is not numbers) is the date, and one of texts
    next to it the symbol.
    """
    levels = [index.get_level_values(level) for level in range(index.nlevels)]
    known = fields_of([str(values.name) for values in levels])
    fields = [
        None if found is None or values.name is None else found[0] for found, values in zip(known, levels, strict=True)
    ]
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


def _unnamed_date(frame: pd.DataFrame, used: set[Hashable]) -> Hashable | None:
    """Return the first column if it has no known name and its texts are dates."""
    from features.bars.reading.times import parse_stamps

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


def _choose_date(frame: pd.DataFrame, candidates: dict[str, list[Hashable]], picked: dict[str, Hashable]) -> None:
    """Prefer a column of times to one of dates that repeat."""
    choices = candidates.get("date", [])
    if len(choices) < 2 or "time" in picked:
        return
    group = [picked["symbol"]] if "symbol" in picked else []
    shares = [float(frame.duplicated([*group, choice]).mean()) for choice in choices]
    if shares[0] > 0.1 and min(shares) < 0.5 * shares[0]:
        picked["date"] = choices[int(np.argmin(shares))]


def _choose_volume(frame: pd.DataFrame, candidates: dict[str, list[Hashable]], picked: dict[str, Hashable]) -> None:
    """Take the first volume that is not all zero."""
    for choice in candidates.get("volume", [])[:4]:
        values = frame[choice]
        numeric = pd.api.types.is_numeric_dtype(values.dtype)
        if bool((values > 0).any()) if numeric else bool(values.astype(str).str.contains("[1-9]").any()):
            picked["volume"] = choice
            return


def _is_label(values: pd.Series, name: Hashable) -> bool:
    """Whether a column called ``name`` has one number in all rows, which identifies nothing to a reader."""
    return compact(str(name)) == "name" and values.nunique() == 1 and str(values.iloc[0]).strip().isdigit()


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
    present = _shown([*(n for n in frame.index.names if n is not None), *columns])
    if sum(bool(re.fullmatch(r"\d[\d.,:/\- ]*", str(name))) for name in columns) > len(columns) // 2:
        raise DataError(
            f"{place} has no header line: its first line is {present}. Add one (date,open,high,low,close,volume), or read "
            "it without a header."
        )
    example = ",".join(f"{name}=NAME" for name in missing)
    raise DataError(
        f"{place} has no column for {' and '.join(missing)}; it has {present}. "
        f"Expected date and close, or date, open, high, low and close; name them: --columns {example}"
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
