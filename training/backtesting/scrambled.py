"""A planted break: bars whose returns are shuffled from a date on, so that forecasts no longer say what follows."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import numpy as np

from configs.errors import DataError
from features.bars.mending import adjusted_for_splits
from features.bars.schema import SymbolBars
from training.backtesting.forecasts import OutOfSample

_PRICES = ("open", "high", "low", "close")


def scrambled(found: OutOfSample, day: date, seed: int) -> OutOfSample:
    """Return the same forecasts on bars that are shuffled from a day on; see :func:`scrambled_bars`.

    The forecasts stay those that were made from the real bars, as if the market had changed and the models had not.

    Raises
    ------
    DataError
        No forecast is made on or after the day, or none before it.
    """
    first, last = (one.astype("datetime64[D]") for one in found.days())
    if not first < np.datetime64(day, "D") <= last:
        raise DataError(
            f"returns cannot be scrambled from {day} on: {found.title} forecasts {first} to {last} out of sample. "
            "Choose a later day than the first, up to the last."
        )
    bars = tuple(scrambled_bars(one, np.datetime64(day, "ns"), seed) for one in found.bars)
    title = f"{found.title}, with returns scrambled from {day} (seed {seed})"
    return replace(found, bars=bars, title=title, models=None, no_models="the models have not seen scrambled bars")


def scrambled_bars(bars: SymbolBars, first: np.datetime64, seed: int) -> SymbolBars:
    """Return a symbol's bars in another order from a date on, each with its gap, range, body and volume.

    The last close stays. Symbols with equally many bars from that date on get the same order, so that they still move
    together.
    """
    bars = adjusted_for_splits(bars)
    row = max(int(np.searchsorted(bars.dates, first)), 1)
    order = row + np.random.default_rng(seed).permutation(max(len(bars) - row, 0))
    if not len(order):
        return bars
    before = bars.close[order - 1]
    steps = np.log([getattr(bars, name)[order] / before for name in _PRICES])
    starts = np.log(bars.close[row - 1]) + np.concatenate([[0.0], np.cumsum(steps[-1])[:-1]])
    new = {name: getattr(bars, name).copy() for name in (*_PRICES, "volume")}
    for name, step in zip(_PRICES, steps, strict=True):
        new[name][row:] = np.exp(starts + step)
    new["volume"][row:] = bars.volume[order]
    new["high"][row:] = np.maximum(new["high"], np.maximum(new["open"], new["close"]))[row:]  # rounding
    new["low"][row:] = np.minimum(new["low"], np.minimum(new["open"], new["close"]))[row:]
    return replace(bars, **new)
