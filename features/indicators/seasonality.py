"""Calendar features: phase of week, month and year, and days since the previous bar."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs

_HARMONICS = (1, 2, 3, 4)  # of the year: there are four reporting seasons
_LONGEST = 31  # days of a month
_COLUMNS = (
    "weekday_sin",
    "weekday_cos",
    "month_day_sin",
    "month_day_cos",
    "turn_of_month",
    "day_gap",
    *(f"year_{wave}_{harmonic}" for harmonic in _HARMONICS for wave in ("sin", "cos")),
)


def _compute(inputs: Inputs) -> list[Float]:
    return _of_dates(np.ascontiguousarray(inputs.bars.dates).tobytes())


@lru_cache(maxsize=4)  # most symbols of a universe have the same dates
def _of_dates(content: bytes) -> list[Float]:
    dates = np.frombuffer(content, "datetime64[ns]")
    days = dates.astype("datetime64[D]")
    # Calendar arithmetic is done once a month of the series, and trigonometry once a day of the week, month and year.
    months = np.arange(days.min().astype("datetime64[M]"), days.max().astype("datetime64[M]") + 2)
    starts = months.astype("datetime64[D]").astype(np.int64)
    year_starts = months.astype("datetime64[Y]").astype("datetime64[D]").astype(np.int64)
    day = days.astype(np.int64)
    month = np.searchsorted(starts, day, side="right") - 1
    month_day, month_length = day - starts[month], np.diff(starts)[month]
    year_day = day - year_starts[month]
    weeks = 2.0 * np.pi * np.arange(7) / 7.0
    spans = 2.0 * np.pi * np.arange(_LONGEST) / np.arange(_LONGEST + 1)[:, None].clip(1)  # (days of the month, day)
    years = 2.0 * np.pi * np.arange(366) / 365.25
    # Returns are higher around the last and first three sessions (Lakonishok and Smidt 1988, Rev. Financial Studies 1).
    turn = ((month_day < 4) | (month_day >= month_length - 2)).astype(np.float64)
    gap = np.full(len(dates), np.nan)
    gap[1:] = np.log((dates[1:] - dates[:-1]) / np.timedelta64(1, "D"))
    of_week, of_month = (day + 3) % 7, month_length * _LONGEST + month_day
    waves = [wave(harmonic * years)[year_day] for harmonic in _HARMONICS for wave in (np.sin, np.cos)]
    columns = [
        *(wave(weeks)[of_week] for wave in (np.sin, np.cos)),
        *(wave(spans).ravel()[of_month] for wave in (np.sin, np.cos)),
        turn,
        gap,
        *waves,
    ]
    for column in columns:
        column.flags.writeable = False
    return columns


SPEC = FeatureSpec(
    name="seasonality",
    group="calendar",
    description="phase of the week, month and year, turn of the month, log days since the previous bar",
    columns=lambda layout: _COLUMNS,
    compute=_compute,
    warmup=lambda layout: 1,
    market_wide=lambda layout: _COLUMNS,
    is_windowed=True,
)
