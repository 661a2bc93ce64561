"""Fill forecasts for rows that have no outcome (delisted symbols, frozen prices).

Test tables contain only rows with an outcome.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from features.labels import volatility_target
from training.strategy.series import Ints, Mask, at_rows, bars_since, last_row, over_own_bars
from training.strategy.view import ForecastView
from training.validation.backtest.market import Market


def unscored_rows(view: ForecastView, direction: int, volatility: int) -> dict[str, Ints]:
    """Return, by kind, the row (D, S) whose forecast holds at each date; −1 for none.

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
    last = dates[-1] if len(dates) else -1
    possible = (np.arange(shape[0])[:, None] <= last) & view.has_bar
    future = over_own_bars(lambda v: volatility_target(v, view.volatility_horizon), view.bar_variance, view.has_bar)
    return {
        "direction": _rows(view.has_direction, np.zeros(shape, bool), possible, view.has_bar, direction),
        "volatility": _rows(view.has_volatility, ~(future > 0.0), possible, view.has_bar, volatility),
    }


def with_unscored_rows(view: ForecastView, rows: Mapping[str, Ints]) -> ForecastView:
    """Return the view with the forecasts of these rows; see :func:`unscored_rows`."""
    labels = range(view.probabilities.shape[-1])
    p = [at_rows(view.probabilities[..., label], rows["direction"]) for label in labels]
    of_volatility: dict[str, Any] = {
        name: at_rows(getattr(view, name), rows["volatility"]) for name in ("variance", "variance_low", "variance_high")
    }
    return replace(view, probabilities=np.stack(p, axis=-1), **of_volatility)


def with_unscored_records(table: pd.DataFrame, market: Market, rows: Ints) -> pd.DataFrame:
    """Return a table of one kind with a record for each forecast that is used again, at the date at which it is.

    The view of these records is that of :func:`with_unscored_rows`. Where the table has windows, a record has that of
    the other symbols on its date.
    """
    place, column = np.nonzero((rows >= 0) & (rows != np.arange(len(rows))[:, None]))
    if not len(place):
        return table
    dates = market.dates.astype("datetime64[ns]")
    symbols = np.asarray(market.symbols, dtype=object)[column]
    source = pd.MultiIndex.from_arrays([symbols, dates[rows[place, column]]])
    known = pd.MultiIndex.from_arrays([table["symbol"].astype(str), table["date"].to_numpy().astype("datetime64[ns]")])
    again = table.iloc[known.get_indexer(source)].assign(date=dates[place])
    if "window" in table.columns:
        first = dict(zip(known.get_level_values(1), table["window"], strict=True))
        again["window"] = [first.get(date, own) for date, own in zip(again["date"], again["window"], strict=True)]
    return pd.concat([table, again], ignore_index=True)


def _rows(known: Mask, unknown: Mask, possible: Mask, has_bar: Mask, bars: int) -> Ints:
    """Return the row (D, S) whose forecast a date has: its own, the newest before it, or −1 for none."""
    newest = last_row(known)
    is_tail = np.arange(len(known))[:, None] > newest[-1]
    again = possible & (unknown | is_tail) & (newest >= 0) & (bars_since(newest, has_bar) <= bars)
    return np.where(known, newest, np.where(again, newest, -1))
