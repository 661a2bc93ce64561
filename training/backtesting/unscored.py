"""Rows that had a forecast when they were decided, but no outcome to judge it by, so that no table has them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from features.labels import volatility_target
from training.strategy.series import Ints, Mask, at_rows, bars_since, last_row, over_own_bars
from training.strategy.view import ForecastView


def with_unscored_rows(view: ForecastView, direction: int, volatility: int) -> ForecastView:
    """Return the view in which the newest forecast also holds for bars whose own forecast no outcome followed.

    Test tables have rows with an outcome only. A symbol that is delisted has none for its last bars, and one whose
    price is frozen has no variance: without forecasts there, a strategy would sell just before, because of what
    happened afterwards. Such bars have the newest forecast before them instead, up to the last date of any forecast.

    Parameters
    ----------
    direction, volatility
        The most bars for which a forecast of that kind is used again: from a row to the end of its label.
    """
    shape = view.shape
    dates = np.flatnonzero((view.has_direction | view.has_volatility).any(axis=1))
    if not len(dates):
        return view
    within = np.arange(shape[0])[:, None] <= dates[-1]
    future = over_own_bars(lambda v: volatility_target(v, view.volatility_horizon), view.bar_variance, view.has_bar)
    rows = _rows(view.has_direction, np.zeros(shape, bool), within & view.has_bar, view.has_bar, direction)
    p = [at_rows(view.probabilities[..., label], rows) for label in range(view.probabilities.shape[-1])]
    rows = _rows(view.has_volatility, ~(future > 0.0), within & view.has_bar, view.has_bar, volatility)
    of_volatility: dict[str, Any] = {
        name: at_rows(getattr(view, name), rows) for name in ("variance", "variance_low", "variance_high")
    }
    return replace(view, probabilities=np.stack(p, axis=-1), **of_volatility)


def _rows(known: Mask, unknown: Mask, possible: Mask, has_bar: Mask, bars: int) -> Ints:
    """Return the row (D, S) whose forecast a date has: its own, the newest before it, or −1 for none."""
    newest = last_row(known)
    is_tail = np.arange(len(known))[:, None] > newest[-1]
    again = possible & (unknown | is_tail) & (newest >= 0) & (bars_since(newest, has_bar) <= bars)
    return np.where(known, newest, np.where(again, newest, -1))
