"""What a forecast is for: the last bar before it, the bars of its horizon, and the band that counts as sideways."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import numpy as np

from configs.models import LabelConfig
from features.bars.schedule import BarSchedule
from features.labels import sideways_band
from features.panel import Panel
from serving.answers import Band


@dataclass(frozen=True, slots=True)
class LastBar:
    """The bar that a forecast follows: date, close, the per-bar volatility known then, and its symbol's schedule."""

    date: np.datetime64
    close: float
    ewma_vol: float
    schedule: BarSchedule

    @property
    def as_of(self) -> datetime:
        """The date, UTC without a zone."""
        found: datetime = self.date.astype("datetime64[us]").item()
        return found


def last_bars(panel: Panel, schedules: Sequence[BarSchedule]) -> list[LastBar]:
    """Return the last bar of each of a panel's S symbols, given their schedules (S)."""
    rows = panel.offsets[1:] - 1
    close, vol = panel.close[rows].tolist(), panel.ewma_vol[rows].tolist()
    return [LastBar(*row) for row in zip(panel.dates[rows], close, vol, schedules, strict=True)]


def band_of(last: LastBar, horizon: int, label: LabelConfig) -> Band | None:
    """Return the moves over ``horizon`` bars that labels call sideways; None if the volatility is not known."""
    width = float(sideways_band(np.array([last.ewma_vol]), horizon, label)[0])
    if not np.isfinite(width):
        return None
    low, high = float(np.exp(-width)), float(np.exp(width))
    returns = float(np.expm1(-width)), float(np.expm1(width))
    return Band(width, *returns, last.close * low, last.close * high)


def target_date(last: LastBar, horizon: int) -> datetime | None:
    """Return the date of the last of the next ``horizon`` bars; None where the schedule does not know it."""
    return _target_date(last.schedule, last.date, horizon)


@lru_cache(maxsize=4096)  # most symbols of a universe share their schedule and last date
def _target_date(schedule: BarSchedule, last: np.datetime64, horizon: int) -> datetime | None:
    dates = schedule.following(last, horizon)
    return None if dates is None else dates[-1].astype("datetime64[us]").item()


def is_seen(last: LastBar, seen_to: datetime) -> bool:
    """Return whether a fit that has seen outcomes up to ``seen_to`` may have seen a bar after the one of a forecast.

    It has not where the symbol's next session is later: a coin's Sunday says nothing of a stock's Monday.
    """
    following = target_date(last, 1)
    return last.as_of < seen_to and (following is None or following <= seen_to)


def in_sample_note(kind: str, seen_to: datetime) -> str:
    """Return the warning about a forecast from a bar whose outcome the fit has seen, up to ``seen_to``."""
    return f"the {kind} model has seen outcomes up to {seen_to:%Y-%m-%d}: this forecast is not out of sample"
