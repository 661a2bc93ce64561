"""The quotes of one symbol's chains by snapshot and expiry, each usable or with the reason why it is not."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pandas as pd

from features.alternative.options.reasons import mark
from features.bars.sessions import session_closes, sessions_between, usual_opening

Float = npt.NDArray[np.float64]
Index = npt.NDArray[np.int64]
Dates = npt.NDArray[np.datetime64]

CALENDAR = "XNYS"
"""The exchange of chains whose own is not known."""

_MINUTE_NS = 60_000_000_000
_STALE = np.timedelta64(15, "m")
_WIDEST_SPREAD = 0.5  # of the mid
_LONGEST_CLOSURE = np.timedelta64(7, "D")
_LONGEST_LIFE = np.timedelta64(20 * 365, "D")
_YEAR = np.timedelta64(365, "D") / np.timedelta64(1, "ns")


@dataclass(frozen=True, slots=True)
class Quotes:
    """Quotes (Q,) by snapshot, expiry, strike and right (put before call); expiries (G,) and snapshots (M,).

    ``expiry`` is each quote's index among the expiries, ``snapshot`` each expiry's among the snapshots. ``reason`` has
    codes of :mod:`.reasons`, ``years`` the time to the close of the expiry's last session (365 days a year).
    ``known_from`` is the end of a snapshot's minute, ``session`` the day that its quotes are of.
    """

    expiry: Index
    is_call: npt.NDArray[np.bool_]
    strike: Float
    mid: Float
    spread: Float
    volume: Float
    open_interest: Float
    reason: npt.NDArray[np.int8]
    snapshot: Index
    years: Float
    underlying: Float
    known_from: Dates
    session: Dates
    rows: Index


def minutes_of(known_from: pd.Series) -> Dates:
    """Return the end of the minute in which each row became known, UTC ``datetime64[ns]``.

    Rows of one session that became known within a minute are one snapshot. So a later row never changes an earlier
    snapshot, and a delivery of several sessions has one for each.
    """
    instants = known_from.dt.tz_localize(None).to_numpy("datetime64[ns]").astype(np.int64)
    return np.asarray((-(-instants // _MINUTE_NS) * _MINUTE_NS).astype("datetime64[ns]"))


def quotes_of(chain: pd.DataFrame, calendar: str = CALENDAR) -> Quotes:
    """Return the quotes of rows of :data:`.OPTIONS` of one symbol, at least one row, that trades on an exchange."""
    known = minutes_of(chain["known_from"])
    quoted = chain["quoted_at"].dt.tz_localize(None).to_numpy("datetime64[ns]")
    stamps, of_stamp = np.unique(quoted, return_inverse=True)
    session_of = _sessions_of(stamps, calendar)[of_stamp]
    expiry_day = np.asarray(pd.to_datetime(chain["expiry"]), "datetime64[D]")
    strike, is_call = chain["strike"].to_numpy(np.float64), (chain["right"] == "call").to_numpy(np.bool_)
    order = np.lexsort((quoted, is_call, strike, expiry_day, session_of, known))
    known, session_of, quoted, expiry_day = known[order], session_of[order], quoted[order], expiry_day[order]
    strike, is_call = strike[order], is_call[order]
    begins = np.append(True, (known[1:] != known[:-1]) | (session_of[1:] != session_of[:-1]))
    first, of_quote = np.flatnonzero(begins), np.cumsum(begins) - 1
    known_from, session = known[first], session_of[first]
    newest = np.maximum.reduceat(quoted.astype(np.int64), first).astype("datetime64[ns]")
    starts = np.append(True, (of_quote[1:] != of_quote[:-1]) | (expiry_day[1:] != expiry_day[:-1]))
    expiry = np.cumsum(starts) - 1
    snapshot = of_quote[starts]
    at = np.minimum(newest, session_closes(calendar, session))
    years = _years(at[snapshot], expiry_day[starts], calendar)

    columns = {name: chain[name].to_numpy(np.float64)[order] for name in ("bid", "ask", "volume", "open_interest")}
    bid, ask = columns["bid"], columns["ask"]
    mid, spread = 0.5 * (bid + ask), ask - bid
    reason = np.zeros(len(order), np.int8)
    same = (expiry[1:] == expiry[:-1]) & (strike[1:] == strike[:-1]) & (is_call[1:] == is_call[:-1])
    mark(reason, np.append(same, False), "superseded")
    mark(reason, quoted < newest[of_quote] - _STALE, "stale")
    mark(reason, ~np.isfinite(mid), "no_quote")
    mark(reason, ~(bid > 0.0), "zero_bid")
    mark(reason, spread < 0.0, "crossed")
    mark(reason, spread > _WIDEST_SPREAD * mid, "wide_spread")
    mark(reason, ~(years > 0.0)[expiry], "expired")
    return Quotes(
        expiry,
        is_call,
        strike,
        mid,
        spread,
        columns["volume"],
        columns["open_interest"],
        reason,
        snapshot,
        years,
        group_median(chain["underlying"].to_numpy(np.float64)[order], expiry, len(snapshot)),
        known_from,
        session,
        order,
    )


def group_median(values: Float, group: Index, count: int) -> Float:
    """Return the median of the finite values of each group (count,), NaN without any."""
    finite = np.isfinite(values)
    values, group = values[finite], group[finite]
    ordered = values[np.lexsort((values, group))]
    counts = np.bincount(group, minlength=count)
    starts, out = np.cumsum(counts) - counts, np.full(count, np.nan)
    has = counts > 0
    low, high = (starts + (counts - 1) // 2)[has], (starts + counts // 2)[has]
    out[has] = 0.5 * (ordered[low] + ordered[high])
    return out


def session_before(sessions: Dates, calendar: str = CALENDAR) -> Dates:
    """Return the last session before each day, ``datetime64[D]``."""
    return _last_session(sessions - np.timedelta64(1, "D"), calendar)


def _sessions_of(instants: Dates, calendar: str) -> Dates:
    """Return the session that quotes at these instants are of: a day lasts until the next day's opening."""
    zone, opening = usual_opening(calendar, instants.min())
    local = pd.DatetimeIndex(instants).tz_localize("UTC").tz_convert(zone).tz_localize(None).to_numpy() - opening
    return _last_session(local.astype("datetime64[D]"), calendar)


def _years(at: Dates, expiry: Dates, calendar: str) -> Float:
    """Return years to the close of the last session up to an expiry, which may be a holiday; NaN if not known."""
    today = at.astype("datetime64[D]")
    is_near = (expiry >= today) & (expiry - today <= _LONGEST_LIFE)
    expiry = np.where(is_near, expiry, today)
    last = _last_session(expiry, calendar)
    years = (session_closes(calendar, last) - at).astype(np.int64) / _YEAR
    return np.where(is_near & (expiry - last <= _LONGEST_CLOSURE), years, np.nan)


def _last_session(days: Dates, calendar: str) -> Dates:
    """Return the last session up to each day, ``datetime64[D]``; the day itself where the calendar knows none."""
    sessions = sessions_between(calendar, days.min() - _LONGEST_CLOSURE, days.max())
    if not len(sessions):
        return days
    place = np.searchsorted(sessions, days, side="right") - 1
    return np.where(place >= 0, sessions[np.maximum(place, 0)], days)
