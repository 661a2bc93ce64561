"""Figures by date, as they are known at each instant."""

from __future__ import annotations

import numpy as np
import pandas as pd

from configs.errors import ConfigError
from features.bars.arrays import Dates
from features.bars.reading.session_dates import parse_dates
from training.validation.backtest.market import Float


def as_of(values: Float, index: pd.Index, dates: Dates, name: str, first: int = 0) -> Float:
    """Return the newest of values (n,), NaN for none, at each date (T,) or before, (T,).

    Raises
    ------
    ConfigError
        There is none at the date of row ``first``.
    """
    known = ~np.isnan(values)
    given = parse_dates(pd.Series(index), name)[known]
    order = np.argsort(given, kind="stable")
    place = np.searchsorted(given[order], dates, side="right") - 1
    if not known.any() or (place[first:] < 0).any():
        raise ConfigError(f"{name} begins after the bars ({str(dates[first])[:10]}); expected a value from then on.")
    return np.asarray(values[known][order][np.maximum(place, 0)])
