"""Rows of series, daily option figures and scheduled events from a user's frame."""

from __future__ import annotations

import numpy as np
import pandas as pd

from configs.errors import DataError, shortened
from configs.words import counted
from features.alternative.checks import (
    GIVEN_NAMES,
    ReadingOptions,
    TableRows,
    as_rows,
    check_names,
    check_times,
    days,
    instants,
    need,
    numbers,
    texts,
)
from features.alternative.groups import group_of, is_implied_volatility
from features.alternative.instants import read_instants
from features.alternative.lags import REVISED, fallback_lag
from features.alternative.quarantine import Checked

_DAY, _MOMENT = np.timedelta64(1, "D"), np.timedelta64(1, "ns")
_KEYS = ("period", "known_from", "symbol", "place", "source", "retrieved_at", "realtime_end")
_EMPTY = ("", ".")  # FRED writes a point for no value
_LEAST_PERIODS = 3  # from which dates show that they are the first days of months
_MOST_IMPLIED = 5.0  # 500 % a year; figures in percent are above it


def read_series(frame: pd.DataFrame, options: ReadingOptions) -> TableRows:
    """Return rows of ``series`` from ``series, period, value`` with ``known_from``, and optionally ``symbol``.

    Without a column ``series`` the source's name is that of the only one; without ``value`` either, each further column
    of numbers is a series of its name (FRED's files). A series of a ``place`` (weather) is named
    ``weather_<place>_<series>``. Series without any publication time use the lag that is given, or that of
    :mod:`features.alternative.lags`, whose rows are labelled as revised values.

    Raises
    ------
    DataError
        A column is missing, it is not known of any series when its values became known, or a lag ends before the month,
        quarter or year that a value describes.
    """
    frame = _long(frame)
    need(frame, ("period", "value"), "series")
    series, place = texts(frame, "series", options.source), texts(frame, "place")
    source = texts(frame, "source", options.source)
    series = np.where(
        place == "", series, "weather_" + place + "_" + np.char.replace(series.astype(str), "weather_", "")
    )
    period, known_from = days(frame, "period", options), instants(frame, "known_from", options)
    lines, unknown = list[str](), list[str]()
    is_blank = texts(frame, "known_from") == ""  # a time that cannot be read is refused, not replaced by a lag
    untimed = pd.Series(is_blank).groupby(series).transform("all").to_numpy(np.bool_)
    for name in sorted(set(series[untimed].tolist())):
        rows = untimed & (series == name)
        lag = options.lag_days.get(name, fallback_lag(name))
        if lag is None:
            unknown.append(name)
            continue
        _check_lag(name, period[rows], lag)
        known_from[rows] = period[rows] + lag * _DAY
        is_own = name in options.lag_days
        label = "" if is_own else f" ({REVISED})"
        source[rows] = [f"{one}{label}" for one in source[rows]]
        lines.append(f"{name}: no publication times; known {lag} days after its date{'' if is_own else ', ' + REVISED}")
    checked = Checked("series", frame, options.source)
    if unknown:
        remedy = f"Add a column known_from, or give the lag: --lag-days {unknown[0]}=DAYS."
        problem = f"it is not known when the values of {shortened(unknown)} became known. {remedy}"
        if len(unknown) == len(set(series.tolist())):
            raise DataError(problem)
        lines.append(f"left out: {problem}")
    checked.refuse(np.isnat(period), "unreadable_period")
    check_times(checked, known_from, options)
    check_names(checked, series)
    symbol = texts(frame, "symbol")
    check_names(checked, symbol, empty_allowed=True)
    value = numbers(frame, "value")
    checked.refuse(~np.isfinite(value), "not_a_number")
    implied = np.isin(series, [name for name in set(series.tolist()) if is_implied_volatility(name)])
    checked.refuse(implied & ((value <= 0.0) | (value > _MOST_IMPLIED)), "implied_volatility_out_of_range")
    columns = {
        "symbol": symbol,
        "series": series.astype(object),
        "period": period,
        "value": value,
        "known_from": known_from,
        "source": source,
        "retrieved_at": instants(frame, "retrieved_at", options),
    }
    return as_rows("series", columns, checked, *lines)


def _long(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of a table with a column of numbers for each series; other tables unchanged."""
    others = [name for name in frame.columns if name not in _KEYS]
    if "period" not in frame.columns or {"series", "value"}.intersection(frame.columns) or not others:
        return frame
    cells = frame[others].astype("str").apply(lambda column: column.str.strip())
    is_empty = cells.isin(_EMPTY) | frame[others].isna()
    if (cells.where(~is_empty).apply(pd.to_numeric, errors="coerce").isna() & ~is_empty).any(axis=None):
        return frame
    given = dict(zip(frame.columns, frame.attrs.get(GIVEN_NAMES, frame.columns), strict=True))
    keys = [name for name in frame.columns if name in _KEYS]
    long = frame.rename(columns=given).rename(columns={given[key]: key for key in keys})
    long = long.melt(keys, [given[name] for name in others], "series", "value")
    kept: pd.DataFrame = long[~is_empty.to_numpy().ravel(order="F")].reset_index(drop=True)
    return kept


def _check_lag(name: str, period: np.ndarray, lag: int) -> None:
    """Refuse a lag after which a period that is dated by its first day has not ended."""
    dates = np.unique(period[~np.isnat(period)]).astype("datetime64[D]")
    if len(dates) < _LEAST_PERIODS or (dates != dates.astype("datetime64[M]").astype("datetime64[D]")).any():
        return
    months = dates.astype("datetime64[M]")
    ends = (months + np.diff(months).min()).astype("datetime64[D]")
    longest = int((ends - dates).max() / _DAY)
    if lag < longest:
        raise DataError(
            f"the dates of {name} are the first days of its periods, of up to {longest} days, so a value would count "
            f"before its period has ended: {dates[0]} from {dates[0] + lag} on. Add a column known_from, or count the "
            f"lag from the first day: --lag-days {name}=DAYS with at least {longest}."
        )


def read_option_days(frame: pd.DataFrame, options: ReadingOptions) -> TableRows:
    """Return rows of ``series`` from daily figures ``symbol, known_from, iv30, skew, put_volume …``.

    The session that a figure describes is ``period`` if given, else the day before its publication counts as known.
    """
    need(frame, ("symbol", "known_from"), "daily options")
    names = [name for name in frame.columns if group_of(name) == "options"]
    if not names:
        raise DataError("the daily options have no figure; expected columns such as iv30, skew or put_volume.")
    keys = [name for name in ("symbol", "known_from", "period", "source", "retrieved_at") if name in frame.columns]
    long = frame.melt(keys, names, "series", "value")
    long = long[long["value"].notna() & (long["value"].astype("str").str.strip() != "")].reset_index(drop=True)
    if "period" not in long.columns:
        known_from = instants(long, "known_from", options)
        # A day counts from its end, midnight: the moment before it is of the session.
        long["period"] = (known_from - _MOMENT).astype("datetime64[D]").astype("datetime64[ns]")
    return read_series(long, options)


def read_events(frame: pd.DataFrame, options: ReadingOptions) -> TableRows:
    """Return rows of ``events`` from ``event, at, known_from`` and optionally ``symbol``.

    An event ``at`` a day without a time takes place in the last moment of that day, UTC. One that became known after it
    took place was not scheduled, or was recorded late: it counts as a past event from then on, and never as a coming
    one.
    """
    need(frame, ("event", "at", "known_from"), "events")
    checked = Checked("events", frame, options.source)
    at, known_from = instants(frame, "at", options), instants(frame, "known_from", options)
    day = days(frame, "at", options)
    is_day = at == read_instants(pd.Series(day), "at", options.timezone).utc  # which is the end of the day
    at = np.where(is_day, day + _DAY - _MOMENT, at)
    event, symbol = texts(frame, "event"), texts(frame, "symbol")
    checked.refuse(np.isnat(at), "unreadable_period")
    check_times(checked, known_from, options)
    check_names(checked, event)
    check_names(checked, symbol, empty_allowed=True)
    late = int((checked.is_good & (known_from > np.where(is_day, at + _MOMENT, at))).sum())
    lines = [f"{counted(late, 'event')} known only after taking place: past from then on, never coming"] if late else []
    columns = {
        "symbol": symbol,
        "event": event,
        "at": at,
        "known_from": known_from,
        "source": texts(frame, "source", options.source),
        "retrieved_at": instants(frame, "retrieved_at", options),
    }
    return as_rows("events", columns, checked, *lines)
