"""Reads publication times: instants with a zone, or days, which end before their rows count as known."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from configs.errors import DataError, shown

_DAY_TEXT = re.compile(r"\s*\d{4}-?\d{2}-?\d{2}\s*")
_CLOCK = r"\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?"
_PLAIN = re.compile(rf"\d{{4}}-\d{{2}}-\d{{2}}[T ]{_CLOCK}(?: ?[AaPp][Mm])?")
_ZONED = rf"(?:Z|UTC|GMT|{_CLOCK} ?[+-]\d{{2}}(?::?\d{{2}})?|[+-]\d{{2}}:?\d{{2}})$"
_AMBIGUOUS = r"\d{1,2}[./-]\d{1,2}[./-]\d{2,4}\b"
_ALPHA_VANTAGE = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})?")
_FIRST, _LAST = pd.Timestamp("1678-01-01"), pd.Timestamp("2261-12-31")  # what 64 bits of nanoseconds can hold


class Instants(NamedTuple):
    """Instants in UTC, ``datetime64[ns]`` (N,), and whether each could be read; missing ones are NaT and not read."""

    utc: npt.NDArray[np.datetime64]
    is_read: npt.NDArray[np.bool_]


def read_instants(values: pd.Series, what: str, timezone: str | None = None) -> Instants:
    """Return instants in UTC of a column of times.

    Parameters
    ----------
    values
        Times with a zone (``2020-02-13T08:30:00-05:00``), or days (``2020-02-13``), which count from their end.
    what
        The column's name, for messages.
    timezone
        The zone of times that name none, and of days; days are UTC by default.

    Raises
    ------
    DataError
        Some times of day name no zone and ``timezone`` is not given, ``timezone`` is unknown, or dates such as
        01/05/2020 do not say which number is the month.
    """
    zone = timezone or "UTC"
    try:
        pd.Timestamp(0, tz=zone)
    except (KeyError, ValueError, OSError) as error:
        raise DataError(f"timezone {shown(timezone)} is unknown; expected such as America/New_York or UTC.") from error
    if isinstance(values.dtype, pd.DatetimeTZDtype):
        instants = values.dt.tz_convert("UTC").dt.tz_localize(None)
        return _instants(instants)
    if pd.api.types.is_datetime64_dtype(values.dtype):
        naive = in_range(values)
        is_day = (naive == naive.dt.normalize()).to_numpy() | naive.isna().to_numpy()
        if not is_day.all() and timezone is None:
            raise _no_zone(what, naive[~is_day].iloc[0])
        return _localised(naive, is_day, zone)
    text = values.astype("str").where(values.notna(), "").str.strip()
    codes, distinct = pd.factorize(text)
    if len(distinct) < len(text):  # the quotes of a chain share a few stamps
        found = read_instants(pd.Series(distinct, dtype="str"), what, timezone)
        return Instants(found.utc[codes], found.is_read[codes])
    text = text.str.replace(_ALPHA_VANTAGE, r"\1-\2-\3T\4:\5:\6", regex=True).str.removesuffix(":")
    is_day = text.map(lambda one: _DAY_TEXT.fullmatch(one) is not None).to_numpy(np.bool_)
    refuse_ambiguous(text, what)
    has_zone = text.str.contains(_ZONED, regex=True).to_numpy(np.bool_) & ~is_day
    parsed = pd.to_datetime(text.where(has_zone), errors="coerce", utc=True, format="mixed").dt.tz_localize(None)
    is_plain = text.map(lambda one: _PLAIN.fullmatch(one) is not None).to_numpy(np.bool_) & ~has_zone
    naive = pd.to_datetime(text.where(is_plain | is_day), errors="coerce", format="mixed")
    plain = naive.notna().to_numpy() & ~is_day
    if plain.any() and timezone is None:
        raise _no_zone(what, text[plain].iloc[0])
    local = _localised(in_range(naive), is_day, zone)
    utc = np.where(has_zone, in_range(parsed).to_numpy(), local.utc)
    return Instants(utc, ~np.isnat(utc))


def in_range(times: pd.Series) -> pd.Series:
    """Return times without a zone as ``datetime64[ns]``; those before 1678 or after 2261, which do not fit, are NaT."""
    return times.where((times >= _FIRST) & (times <= _LAST)).astype("datetime64[ns]")


def refuse_ambiguous(text: pd.Series, what: str) -> None:
    """Raise ``DataError`` for dates such as 01/05/2020: a wrong guess would use a value months too early."""
    found = text[text.str.match(_AMBIGUOUS).fillna(False).to_numpy(np.bool_)]
    if len(found):
        raise DataError(
            f"{what} {shown(found.iloc[0])} does not say which number is the month; expected such as 2020-02-13. Write "
            "the dates with the year first."
        )


def _localised(naive: pd.Series, is_day: npt.NDArray[np.bool_], zone: str) -> Instants:
    ends = naive.where(~is_day, naive + pd.Timedelta(days=1))
    # An hour that the clocks repeat is read as the second one: later, so that nothing is used too early.
    aware = ends.dt.tz_localize(zone, ambiguous=np.zeros(len(ends), np.bool_), nonexistent="shift_forward")
    return _instants(aware.dt.tz_convert("UTC").dt.tz_localize(None))


def _instants(utc: pd.Series) -> Instants:
    values = in_range(utc).to_numpy()
    return Instants(values, ~np.isnat(values))


def _no_zone(what: str, example: object) -> DataError:
    return DataError(
        f"{what} {shown(str(example))} names no zone, so it is not known when it was published. "
        "Write it with an offset (2020-02-13T08:30:00-05:00), or give --timezone America/New_York."
    )
