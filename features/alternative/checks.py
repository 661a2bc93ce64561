"""From a user's frame to rows of a table: every row fits the table or is refused under the rule that it breaks."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from configs.errors import DataError, shortened, shown
from features.alternative.instants import in_range, read_instants, year_first
from features.alternative.quarantine import Checked, RefusedRows
from features.alternative.schemas import TABLES

_LONGEST_NAME = 64  # bytes: names of files have at most three for each
GIVEN_NAMES = "given_names"  # key of the attribute of a frame that has its columns' names in the user's file
_MOST_NAMES = 12
_CLOCK_SKEW = np.timedelta64(5, "m")


@dataclass(frozen=True, slots=True)
class ReadingOptions:
    """What a file cannot say: its source's name, the zone of its times, lags of its series in days, and the time now.

    ``now`` is UTC without a zone; later publications are refused. ``date_format`` says how dates are written that do
    not begin with the year, such as ``%d/%m/%Y``.
    """

    source: str
    now: np.datetime64
    timezone: str | None = None
    lag_days: dict[str, int] = field(default_factory=dict)
    date_format: str | None = None


@dataclass(frozen=True, slots=True)
class TableRows:
    """Rows that fit a table, those refused, and what was decided, in lines."""

    table: str
    rows: pa.Table
    refused: RefusedRows
    lines: tuple[str, ...] = ()


def need(frame: pd.DataFrame, names: tuple[str, ...], what: str) -> None:
    """Raise ``DataError`` if a frame lacks columns."""
    if missing := [name for name in names if name not in frame.columns]:
        given = frame.attrs.get(GIVEN_NAMES, tuple(frame.columns))
        raise DataError(
            f"the {what} have columns {shown(shortened(given, _MOST_NAMES))}; expected {', '.join(names)} (missing: "
            f"{', '.join(missing)}). Rename the columns."
        )


def texts(frame: pd.DataFrame, name: str, default: str = "") -> npt.NDArray[np.object_]:
    """Return a column as stripped text, with a default for missing cells and columns, (N,)."""
    if name not in frame.columns:
        return np.full(len(frame), default, object)
    column = frame[name]
    found = column.astype("str").str.strip().where(column.notna(), "").to_numpy(object)
    return np.where(found == "", default, found)


def numbers(frame: pd.DataFrame, name: str) -> npt.NDArray[np.float64]:
    """Return a column as numbers, NaN where it has none, (N,)."""
    if name not in frame.columns:
        return np.full(len(frame), np.nan)
    try:
        return pd.to_numeric(frame[name], errors="coerce").to_numpy(np.float64)
    except OverflowError:  # an integer of over 308 digits
        return pd.to_numeric(frame[name].astype("str"), errors="coerce").to_numpy(np.float64)


def days(frame: pd.DataFrame, name: str, options: ReadingOptions) -> npt.NDArray[np.datetime64]:
    """Return a column as days without a zone, ``datetime64[ns]``, NaT where it has none from 1678 to 2261, (N,)."""
    column = frame[name]
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        column = column.dt.tz_localize(None)
    elif not pd.api.types.is_datetime64_dtype(column.dtype):
        text = column.astype("str").where(column.notna(), "").str.strip()
        text = year_first(text, name, options.date_format).str.slice(0, 10)
        column = pd.to_datetime(text, errors="coerce", format="mixed")
    return in_range(column.dt.normalize()).to_numpy()


def instants(frame: pd.DataFrame, name: str, options: ReadingOptions) -> npt.NDArray[np.datetime64]:
    """Return a column as instants in UTC, NaT for missing cells and columns, (N,)."""
    if name not in frame.columns:
        return np.full(len(frame), np.datetime64("NaT", "ns"))
    return read_instants(frame[name], name, options.timezone, options.date_format).utc


def optional_instants(
    frame: pd.DataFrame, name: str, options: ReadingOptions, checked: Checked
) -> npt.NDArray[np.datetime64]:
    """Return a column as :func:`instants`, and refuse rows whose cell is neither empty nor a time.

    Such a cell says that the row became known later than another column says, but not when.
    """
    found = instants(frame, name, options)
    checked.refuse(np.isnat(found) & (texts(frame, name) != ""), "no_publication_time")
    return found


def check_times(checked: Checked, known_from: npt.NDArray[np.datetime64], options: ReadingOptions) -> None:
    """Refuse rows whose publication is not known or lies in the future."""
    checked.refuse(np.isnat(known_from), "no_publication_time")
    checked.refuse(known_from > options.now + _CLOCK_SKEW, "future")


def check_names(checked: Checked, *columns: npt.NDArray[np.object_], empty_allowed: bool = False) -> None:
    """Refuse rows with a name that is empty, too long or not printable."""
    for column in columns:
        sizes = [len(one.encode(errors="replace")) for one in column]
        good = [
            (empty_allowed or one != "") and size <= _LONGEST_NAME and one.isprintable()
            for one, size in zip(column, sizes, strict=True)
        ]
        checked.refuse(~np.array(good, np.bool_), "no_name")


def as_rows(table: str, columns: dict[str, npt.NDArray[np.generic]], checked: Checked, *lines: str) -> TableRows:
    """Return the good rows of columns as a table."""
    schema, good = TABLES[table].schema, checked.is_good
    arrays = []
    for one in schema:
        values = columns[one.name][good]
        if pa.types.is_timestamp(one.type):
            arrays.append(pa.array(values.astype("datetime64[ns]"), pa.timestamp("ns")).cast(one.type))
        else:
            arrays.append(pa.array(values, from_pandas=True).cast(one.type))
    return TableRows(table, pa.Table.from_arrays(arrays, schema=schema), checked.refused(), lines)
