"""Economic series with all their vintages from ALFRED, the archive of FRED (Federal Reserve Bank of St. Louis).

Each value counts from the day on which ALFRED first has it, at the time of day of its release
(:mod:`.release_times`). API: fred.stlouisfed.org/docs/api/fred.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from features.alternative.fetch.base import FetchRequest, FetchSpec, columns, records, unexpected
from features.alternative.fetch.credentials import Credential
from features.alternative.fetch.http import Http, SourceError
from features.alternative.fetch.release_times import known_from

_MOST_VINTAGES = 2_000  # of one request
_ALL_DAYS = {"realtime_start": "1776-07-04", "realtime_end": "9999-12-31"}
_MISSING = "."


def fetch_series(item: str, request: FetchRequest, http: Http) -> Iterator[pd.DataFrame]:
    """Yield one frame with ``series, period, value, known_from``: every value, and each later one that differs.

    The frame is complete or not yielded, as a part of the vintages would give bars values that had been revised.
    """
    release = _release(item, http)
    vintages = _vintages(item, http)
    if not vintages:
        raise SourceError(f"ALFRED has no vintages of {item}. Import a file with known_from or --lag-days.")
    parts = [
        _observations(item, vintages[first], vintages[min(first + _MOST_VINTAGES, len(vintages)) - 1], request, http)
        for first in range(0, len(vintages), _MOST_VINTAGES)
    ]
    rows = _changes(pd.concat(parts, ignore_index=True))
    rows = rows[rows["value"] != _MISSING]
    frame = pd.DataFrame(
        {
            "series": item,
            "period": rows["date"],
            "value": rows["value"],
            "known_from": known_from(release, rows["realtime_start"].to_numpy("datetime64[ns]")),
        }
    )
    # A release of today without a time of day is read tomorrow, with the same instant as then.
    yield frame[(frame["known_from"] <= request.now).to_numpy()].reset_index(drop=True)


def _release(item: str, http: Http) -> str:
    found = records(http.get("/fred/series/release", _params(item)), "releases")
    return str(found[0].get("name", "")) if found else ""


def _vintages(item: str, http: Http) -> list[str]:
    """Return the days on which values were published or revised, ascending."""
    found = list[str]()
    while True:
        answer = http.get("/fred/series/vintagedates", {**_params(item), **_ALL_DAYS, "offset": len(found)})
        dates = columns(answer, ("vintage_dates",))["vintage_dates"].astype(str).tolist()
        found += dates
        if _is_whole(len(found), bool(dates), answer):
            return sorted(set(found))


def _observations(item: str, first: str, last: str, request: FetchRequest, http: Http) -> pd.DataFrame:
    """Return ``date, value, realtime_start`` of the vintages from a first to a last day."""
    asked: dict[str, str | float] = {**_params(item), "realtime_start": first, "realtime_end": last}
    asked["output_type"] = 1  # by real-time period
    if request.start is not None:
        asked["observation_start"] = request.start.isoformat()
    if request.end is not None:
        asked["observation_end"] = request.end.isoformat()
    found = list[dict[str, object]]()
    while True:
        answer = http.get("/fred/series/observations", {**asked, "offset": len(found)})
        rows = records(answer, "observations")
        found += rows
        if _is_whole(len(found), bool(rows), answer):
            break
    frame = pd.DataFrame(found, columns=["date", "value", "realtime_start"]).astype("str")
    days = [pd.to_datetime(frame[name], format="%Y-%m-%d", errors="coerce") for name in ("date", "realtime_start")]
    if any(one.isna().any() for one in days):
        raise unexpected("dates of the form YYYY-MM-DD")
    return frame.assign(date=days[0], realtime_start=days[1])


def _changes(rows: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose value differs from the one known before.

    The first vintage of every request repeats all values that are valid then, as if they had been published that day.
    """
    ordered = rows.sort_values(["date", "realtime_start"], kind="stable", ignore_index=True)
    same = [ordered[name].to_numpy()[1:] == ordered[name].to_numpy()[:-1] for name in ("date", "value")]
    return ordered[np.append(True, ~(same[0] & same[1]))[: len(ordered)]]


def _params(item: str) -> dict[str, str | float]:
    return {"series_id": item, "file_type": "json"}


def _is_whole(found: int, has_more: bool, answer: object) -> bool:
    """Whether all that there is was sent; the next request is for what follows."""
    count = answer.get("count") if isinstance(answer, dict) else None
    if not isinstance(count, int):
        raise unexpected("number 'count'")
    if found < count and not has_more:
        raise unexpected(f"further rows: {found:,} of {count:,} were sent")
    return found >= count


SPEC = FetchSpec(
    name="fred",
    kind="macro",
    items="series",
    fetch=fetch_series,
    base_url="https://api.stlouisfed.org",
    credentials=(
        Credential(
            "FRED_API_KEY",
            "query",
            "api_key",
            "Request a free key at https://fred.stlouisfed.org/docs/api/api_key.html and export it.",
        ),
    ),
    needs_start=False,
    pause_s=0.5,
)
