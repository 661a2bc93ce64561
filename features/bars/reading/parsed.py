"""A long table's numbers, times and sessions, each decided once for the table, and what was decided."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pandas as pd

from configs.errors import DataError
from configs.reading import ReadingConfig
from features.bars.arrays import PRICES, Codes, Dates, Float, Mask
from features.bars.columns import Columns
from features.bars.reading.memory import release
from features.bars.reading.numbers import decide_decimal, is_text, parse_numbers
from features.bars.reading.session_dates import session_dates
from features.bars.reading.share_splits import ShareSplits, parse_splits, splits_of_factors
from features.bars.reading.times import Stamps, naive, parse_stamps, parse_times

_NAT = np.datetime64("NaT", "ns")
_DOTTED = r"\d{1,2}\.\d{1,2}\.\d{2,4}\b.*"
_MAX_FAILED, _MIN_FAILED = 0.05, 5  # more dates that cannot be read are a notation, or a month, that is not known


@dataclass(frozen=True, slots=True)
class ParsedTable:
    """N rows as arrays: the symbol's code, the session's date, numbers, and which of them could not be read.

    ``table`` has the values as given. ``unfinished`` marks bars of a session that is not over. ``splits`` has new
    shares per old share where a column names splits.
    """

    table: dict[str, pd.Series]
    names: tuple[str, ...]
    codes: Codes
    dates: Dates
    unfinished: Mask
    given: dict[str, Float]
    unparsable: dict[str, Mask]
    lines: tuple[str, ...]
    splits: Float | None = None


def parse_table(
    columns: Columns, place: str, reading: ReadingConfig | None = None, delimiter: str | None = None
) -> ParsedTable:
    """Parse a long table.

    Raises
    ------
    DataError
        No date can be read, or a large share of them cannot; both readings of numbers or dates fit.
    """
    reading, table, codes = reading or ReadingConfig(), columns.table, columns.codes
    column = str(columns.used.get("date", "date"))
    stamps = parse_stamps(table["date"], place, reading.date_format)
    release(len(codes))
    _check_dates(stamps, table["date"], column, place)
    words = list(stamps.words)
    if "time" in table:
        stamps = _with_times(stamps, table["time"], codes, str(columns.used.get("time", "time")), place)
    sessions = session_dates(stamps, codes, place, reading.timezone, reading.period)
    raw = {name: table[name] for name in (*PRICES, "adj_close", "adj_factor", "volume") if name in table}
    dotted = is_text(table["date"]) and all(re.fullmatch(_DOTTED, str(one)) for one in table["date"].iloc[:200])
    texts = any(is_text(values) for values in raw.values())
    spelled = {str(columns.used.get(name, name)): values for name, values in raw.items()} if texts else {}
    decimal = decide_decimal(spelled, place, given=reading.decimal, delimiter=delimiter, dotted_dates=dotted)
    given, unparsable = {}, {}
    for name, values in raw.items():
        given[name], unparsable[name] = parse_numbers(values, decimal.mark)
        if columns.scale != 1.0 and name in (*PRICES, "adj_close"):
            given[name] = given[name] * columns.scale
    splits = _splits(columns, given, codes, sessions.dates)
    notation = ["dates: " + ", ".join(words)] if words else []
    lines = [*columns.lines, *notation, *sessions.lines[:3], *filter(None, (decimal.line, splits.line))]
    return ParsedTable(
        table=table,
        names=columns.names,
        codes=codes,
        dates=sessions.dates,
        unfinished=sessions.unfinished,
        given=given,
        unparsable=unparsable,
        lines=tuple(lines),
        splits=splits.ratios,
    )


def _splits(columns: Columns, given: dict[str, Float], codes: Codes, dates: Dates) -> ShareSplits:
    """Return the splits that a column names; factors of single days are no longer among ``given``."""
    if "splits" in columns.table:
        return parse_splits(columns.table["splits"], codes, dates, str(columns.used.get("splits", "splits")))
    found = splits_of_factors(given["adj_factor"], codes, dates) if "adj_factor" in given else None
    if found is None:
        return ShareSplits(None, "")
    del given["adj_factor"]
    return ShareSplits(found, f"splits: {int((found != 1.0).sum())} in {str(columns.used['adj_factor'])!r}")


def _check_dates(stamps: Stamps, values: pd.Series, column: str, place: str) -> None:
    failed = np.isnat(stamps.instant)
    if failed.all():
        raise DataError(
            f"{place}: no date can be read (column {column!r}, first: {str(values.iloc[0])[:60]!r}); expected such as "
            "2020-12-31. Say how dates are written, such as --date-format %d/%m/%Y, or choose the column: "
            "--columns date=NAME"
        )
    failed &= (values.notna() & (values.astype(str).str.strip() != "")).to_numpy(bool) if failed.any() else True
    if failed.sum() >= _MIN_FAILED and failed.mean() > _MAX_FAILED:
        first = str(values.iloc[int(np.argmax(failed))])[:60]
        raise DataError(
            f"{place}: {int(failed.sum())} of {len(failed)} dates cannot be read (column {column!r}, first: "
            f"{first!r}). Say how dates are written, such as --date-format %d/%m/%Y, or correct them."
        )


def _with_times(stamps: Stamps, times: pd.Series, codes: Codes, column: str, place: str) -> Stamps:
    """Return dates with their times of day. A column of whole stamps replaces dates that repeat, else is not needed."""
    clock = parse_times(times)
    if clock is None:
        repeated = pd.DataFrame({"code": codes, "date": stamps.instant}).duplicated().mean() > 0.1
        return parse_stamps(times, place) if repeated else stamps
    has_time = ~stamps.plain & ~stamps.zoned & ~np.isnat(stamps.instant)
    if stamps.zoned.any() or (has_time & (stamps.instant != stamps.instant.astype("datetime64[D]"))).any():
        return stamps
    if np.isnat(clock).mean() > 0.5:
        shown = str(times.iloc[int(np.argmax(np.isnat(clock)))])[:40]
        raise DataError(
            f"{place}: column {column!r} has no times of day (first: {shown!r}); expected such as 09:30 or 153000. "
            "Rename it, or correct it."
        )
    joined = naive(np.where(np.isnat(clock), _NAT, stamps.instant + clock), stamps.words)
    return joined if not joined.plain.all() else stamps
