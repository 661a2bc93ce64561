"""Calendar features: phase of week, month and year, and days since the previous bar."""

from __future__ import annotations

import numpy as np

from features.indicators._spec import FeatureSpec
from features.inputs import Float, Inputs

_HARMONICS = (1, 2, 3, 4)  # of the year: there are four reporting seasons
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
    dates = inputs.bars.dates
    days = dates.astype("datetime64[D]")
    months = days.astype("datetime64[M]")
    month_day = (days - months).astype(np.int64)
    month_length = ((months + 1).astype("datetime64[D]") - months.astype("datetime64[D]")).astype(np.int64)
    year_day = (days - days.astype("datetime64[Y]")).astype(np.int64)
    week = 2.0 * np.pi * ((days.astype(np.int64) + 3) % 7) / 7.0
    month = 2.0 * np.pi * month_day / month_length
    year = 2.0 * np.pi * year_day / 365.25
    # Returns are higher around the last and first three sessions (Lakonishok and Smidt 1988, Rev. Financial Studies 1).
    turn = ((month_day < 4) | (month_day >= month_length - 2)).astype(np.float64)
    gap = np.full(len(dates), np.nan)
    gap[1:] = np.log((dates[1:] - dates[:-1]) / np.timedelta64(1, "D"))
    waves = [wave(harmonic * year) for harmonic in _HARMONICS for wave in (np.sin, np.cos)]
    return [np.sin(week), np.cos(week), np.sin(month), np.cos(month), turn, gap, *waves]


SPEC = FeatureSpec(
    name="seasonality",
    group="calendar",
    description="phase of the week, month and year, turn of the month, log days since the previous bar",
    columns=lambda layout: _COLUMNS,
    compute=_compute,
    warmup=lambda layout: 1,
    market_wide=lambda layout: _COLUMNS,
)
