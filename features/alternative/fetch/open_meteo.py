"""Weather by place from Open-Meteo's archive of forecasts (open-meteo.com/en/docs/historical-forecast-api).

The archive joins the first hours of successive runs of weather models: the value of an hour is of a run that started
at most a few hours before it. It does not name the run. Assumed is that the last run that a day contains started by
the end of that day in UTC and was published within twelve hours: a day counts from the next day's noon in UTC.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pandas as pd

from features.alternative.fetch.base import FetchRequest, FetchSpec, columns
from features.alternative.fetch.http import Http, SourceError
from features.alternative.groups import slug_of

_PUBLISHED_AFTER = timedelta(days=1, hours=12)  # the beginning of the day
_VARIABLES = {
    "temperature_2m_mean": "temperature",
    "precipitation_sum": "precipitation",
    "wind_speed_10m_max": "wind_speed",
}


def fetch_weather(item: str, request: FetchRequest, http: Http) -> Iterator[pd.DataFrame]:
    """Yield one frame of a place's series in °C, mm and km/h; ``item`` is ``NAME=LATITUDE,LONGITUDE`` in degrees."""
    name, latitude, longitude = _place(item)
    first, _ = request.days()
    known = (request.now - _PUBLISHED_AFTER).date()
    last = known if request.end is None else min(request.end, known)
    if last < first:
        raise SourceError(f"no day from {first} on is known yet. Choose an earlier --start.")
    asked: dict[str, str | float] = {"latitude": latitude, "longitude": longitude, "timezone": "GMT"}
    asked |= {"daily": ",".join(_VARIABLES), "start_date": first.isoformat(), "end_date": last.isoformat()}
    answer = http.get("/v1/forecast", asked)
    days = columns(answer.get("daily") if isinstance(answer, dict) else None, ("time", *_VARIABLES))
    rows = days.rename(columns={"time": "period", **_VARIABLES}).melt("period", var_name="series", value_name="value")
    rows = rows[rows["value"].notna()].reset_index(drop=True)
    period = pd.to_datetime(rows["period"], format="%Y-%m-%d", errors="coerce", utc=True)
    yield rows.assign(place=name, known_from=period + _PUBLISHED_AFTER)


def _place(item: str) -> tuple[str, float, float]:
    name, _, position = item.partition("=")
    try:
        latitude, longitude = (float(one) for one in position.split(","))
    except ValueError:
        latitude = longitude = float("nan")
    if not slug_of(name) or not abs(latitude) <= 90.0 or not abs(longitude) <= 180.0:
        raise SourceError(f"--place has {item!r}; expected NAME=LATITUDE,LONGITUDE, such as Chicago=41.9,-87.6.")
    return slug_of(name), latitude, longitude


SPEC = FetchSpec(
    name="open_meteo",
    kind="series",
    items="place",
    fetch=fetch_weather,
    base_url="https://historical-forecast-api.open-meteo.com",
    pause_s=0.2,
)
