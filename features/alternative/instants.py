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
_TIME_DIRECTIVE = re.compile(r"%[HIMSpfzZTXc]")
_ALPHA_VANTAGE = re.compile(r"(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})(\d{2})?")
_FIRST, _LAST = pd.Timestamp("1678-01-01"), pd.Timestamp("2261-12-31")  # what 64 bits of nanoseconds can hold


class Instants(NamedTuple):
    """Instants in UTC, ``datetime64[ns]`` (N,), and whether each could be read; missing ones are NaT and not read."""

    utc: npt.NDArray[np.datetime64]
    is_read: npt.NDArray[np.bool_]


def read_instants(
    values: pd.Series, what: str, timezone: str | None = None, date_format: str | None = None
) -> Instants:
    """Return instants in UTC of a column of times.

    Parameters
    ----------
    values
        Times with a zone (``2020-02-13T08:30:00-05:00``), or days (``2020-02-13``), which count from their end.
    what
        The column's name, for messages.
    timezone
        The zone of times that name none, and of days; days are UTC by default.
    date_format
        How dates are written that do not begin with the year, see :func:`year_first`.

    Raises
    ------
    DataError
        Some times of day name no zone and ``timezone`` is not given, ``timezone`` is unknown, or dates such as
        01/05/2020 do not say which number is the month, or are not written as ``date_format`` says.
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
        found = read_instants(pd.Series(distinct, dtype="str"), what, timezone, date_format)
        return Instants(found.utc[codes], found.is_read[codes])
    text = text.str.replace(_ALPHA_VANTAGE, r"\1-\2-\3T\4:\5:\6", regex=True).str.removesuffix(":")
    text = year_first(text, what, date_format)
    is_day = text.map(lambda one: _DAY_TEXT.fullmatch(one) is not None).to_numpy(np.bool_)
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


def year_first(text: pd.Series, what: str, date_format: str | None) -> pd.Series:
    """Return stripped texts (N,) whose dates are written as ``date_format`` says with the year first; others unchanged.

    A format of the date only, such as ``%d/%m/%Y``, reads the beginning of a cell; a time of day and a zone may follow.

    Raises
    ------
    DataError
        Dates such as 01/05/2020 are not of this format, or there is none: a wrong guess would use a value months too
        early.
    """
    if date_format is not None:
        for one in dict.fromkeys((date_format, _of_date(date_format))):
            text = _rewritten(text, one)
    ambiguous = text[text.str.match(_AMBIGUOUS).fillna(False).to_numpy(np.bool_)]
    if not len(ambiguous):
        return text
    first = str(ambiguous.iloc[0])
    if date_format is not None:
        raise DataError(
            f"{what} {shown(first)} is not written as --date-format {date_format} says. Correct one of them."
        )
    mark = re.sub(r"\d", "", first)[0]
    year = "%Y" if re.match(r"\d+\D\d+\D\d{4}", first) else "%y"
    choices = " or ".join(mark.join((*order, year)) for order in (("%d", "%m"), ("%m", "%d")))
    raise DataError(
        f"{what} {shown(first)} does not say which number is the month; expected such as 2020-02-13. Say which it is: "
        f"--date-format {choices} of fleetcast data import, or write the dates with the year first."
    )


def _of_date(date_format: str) -> str:
    """Return the words of a format before the first with a time of day; the whole format if that is the first."""
    words = date_format.split()
    timed = [i for i, word in enumerate(words) if _TIME_DIRECTIVE.search(word)]
    return " ".join(words[: timed[0]]) if timed and timed[0] else date_format


def _rewritten(text: pd.Series, date_format: str) -> pd.Series:
    words, has_time = len(date_format.split()), _TIME_DIRECTIVE.search(date_format) is not None
    parts = text.str.split(n=words).map(lambda found: (" ".join(found[:words]), " ".join(found[words:])))
    zoned = "%z" in date_format or "%Z" in date_format
    parsed = pd.to_datetime(parts.str[0], format=date_format, errors="coerce", utc=zoned)
    iso = parsed.dt.strftime(f"%Y-%m-%d{'T%H:%M:%S.%f' if has_time else ''}{'Z' if zoned else ''}")
    is_read = parsed.notna() & ~(has_time & (parts.str[1] != ""))
    return text.where(~is_read, (iso + " " + parts.str[1]).str.strip())


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
