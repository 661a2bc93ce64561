"""Reads a user's file of alternative data as a frame with the columns of this project."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from lzma import LZMAError

import numpy as np
import pandas as pd
import pyarrow as pa

from configs.errors import DataError, shortened, shown
from configs.safe_json import parse_json
from features.alternative.checks import GIVEN_NAMES
from features.bars.reading.container import format_of
from features.bars.reading.encoding import encoding_of
from features.bars.reading.unpacking import all_of
from features.sources.table_file import TableFile, find
from features.store.parquet import read_parquet, to_frame

_MOST_COLUMNS = 1_000  # records that share no field would be a table of their number squared
_ALIASES = {
    "period": ("date", "day", "observation_date", "reference_date", "reference_period"),
    "known_from": ("released", "released_at", "release_date", "realtime_start", "available_from"),
    "published_at": ("time_published", "article_date", "created_at", "published", "datetime", "acceptancedatetime"),
    "updated_at": ("updated", "last_updated", "modified_at", "date_modified"),
    "symbol": ("ticker", "tickers", "underlying_symbol"),
    "text": ("headline", "title", "article_headline", "summary"),
    "score": ("sentiment", "overall_sentiment_score"),
    "series": ("series_id", "indicator", "name"),
    "at": ("event_at", "scheduled_at"),
    "right": ("option_type", "type", "put_call", "cp"),
    "quoted_at": ("quote_time", "quote_datetime", "quote_date", "timestamp"),
    "expiry": ("expiration", "expiration_date", "expiry_date", "expire_date"),
    "open_interest": ("openinterest", "oi"),
    "iv": ("implied_volatility", "impliedvolatility"),
    "underlying": ("underlying_price", "underlying_last", "spot"),
}
_ACCEPTED = "acceptancedatetime"  # EDGAR's: of some companies New York's time, although it ends with Z
_DELIMITERS = (",", "\t", ";", "|")


def read_files(path: str) -> Iterator[tuple[TableFile, pd.DataFrame]]:
    """Yield each file of a path, folder, glob or zip archive with its rows, and columns in our names.

    CSV and other delimited text, Parquet, JSON and JSON lines; cells of text are not interpreted.

    Raises
    ------
    DataError
        There is no such file, or it is no table.
    """
    for file in find(path):
        yield file, renamed(_frame(file))


def renamed(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with columns in lower case, and vendors' names replaced by ours where ours are absent.

    EDGAR's ``acceptanceDateTime`` is read as New York's time where it claims UTC, so that it is never too early.
    """
    given = tuple(str(name) for name in frame.columns)
    names = [name.strip().lower().replace(" ", "_") for name in given]
    if names.count(_ACCEPTED) == 1:
        accepted = frame.columns[names.index(_ACCEPTED)]
        frame = frame.assign(**{str(accepted): _of_new_york(frame[accepted])})
    for ours, others in _ALIASES.items():
        if ours not in names:
            plain = [name.replace("_", "").replace("-", "") for name in names]  # publishedAt is published_at
            wanted = [name.replace("_", "") for name in (ours, *others)]
            if (found := next((name for name in wanted if name in plain), None)) is not None:
                names[plain.index(found)] = ours
    if repeated := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(f"the table has {shortened(repeated)} more than once. Rename or remove a column.")
    frame = frame.set_axis(names, axis="columns")
    frame.attrs[GIVEN_NAMES] = given
    return frame


def _of_new_york(times: pd.Series) -> pd.Series:
    """Return times whose zone is said to be UTC as those of New York; others unchanged."""
    if isinstance(times.dtype, pd.DatetimeTZDtype):
        times = times.dt.tz_convert("UTC").dt.strftime("%Y-%m-%dT%H:%M:%SZ")
    text = times.astype("str")
    is_utc = text.str.endswith("Z") & times.notna()
    local = pd.to_datetime(text.where(is_utc).str.removesuffix("Z"), errors="coerce", format="ISO8601")
    late = np.zeros(len(text), np.bool_)  # of an hour that the clocks repeat, the second one
    aware = local.dt.tz_localize("America/New_York", ambiguous=late, nonexistent="shift_forward")
    return times.astype(object).mask(is_utc, aware.map(lambda at: at.isoformat(), na_action="ignore"))


def _frame(file: TableFile) -> pd.DataFrame:
    place = repr(str(file))
    try:
        with file.open() as content:
            data = all_of(content)
    except (OSError, EOFError, LZMAError) as error:  # the compressed data are damaged
        raise DataError(f"{place} cannot be read ({shown(str(error))}). Check the file, or save it again.") from error
    if not data.strip():
        raise DataError(f"{place} is empty; expected a table with a header. Check the file.")
    kind = format_of(data[: 1 << 16], place)
    try:
        if kind == "parquet":
            return to_frame(read_parquet(data))
        if kind == "json":
            return _json(data.decode(encoding_of(data[: 1 << 16])))
        if kind == "text":
            return _text(data.decode(encoding_of(data[: 1 << 16])))
    except (pa.ArrowException, ValueError, UnicodeError, pd.errors.ParserError) as error:
        raise DataError(f"{place} cannot be read ({shown(str(error))}). Check the file, or save it again.") from error
    raise DataError(f"{place} is of format {kind}; expected CSV, Parquet or JSON. Save it as one of these.")


def _text(text: str) -> pd.DataFrame:
    header = text.lstrip("\ufeff\r\n").partition("\n")[0]
    delimiter = max(_DELIMITERS, key=header.count)
    _check_width(header.count(delimiter) + 1)
    return pd.read_csv(io.StringIO(text.lstrip("\ufeff")), sep=delimiter, dtype=str, keep_default_na=False)


def _json(text: str) -> pd.DataFrame:
    try:
        found = parse_json(text)
    except ValueError:
        found = [parse_json(line) for line in text.splitlines() if line.strip()]  # JSON lines
    if isinstance(found, dict):
        found = max((value for value in found.values() if isinstance(value, list)), key=len, default=[found])
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise ValueError("expected a list of records")
    _check_width(len({name for row in found for name in row}))
    return pd.DataFrame(found)


def _check_width(columns: int) -> None:
    if columns > _MOST_COLUMNS:
        raise ValueError(f"it has {columns:,} columns; expected at most {_MOST_COLUMNS:,}")
