"""Does anything use the future, and how much of the past does it need? Both are found by cutting the data.

A column that reads bars after its own differs when these are cut off. What is computed here is never stored, so that
no cache can hide a difference.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from configs.schema import Config
from features.bars.schema import SymbolBars
from features.context import MarketContext
from features.engineer import build_panel
from features.panel import Panel
from features.universe_build import build_universe

Dates = npt.NDArray[np.datetime64]
Forecaster = Callable[[Panel, int, int], npt.NDArray[np.floating]]
"""Returns a symbol's forecast (K,) at a row of a panel, given the positions of both."""

_SERIES = ("close", "variance", "ewma_vol")
_DEFAULT_CUTS = 12
_ENOUGH = 1e-6  # relative: float32 has seven digits


@dataclass(frozen=True, slots=True)
class Leak:
    """A column that differs when later bars are cut off, with the number of (symbol, date) pairs and the first one."""

    column: str
    count: int
    symbol: str
    date: str


@dataclass(frozen=True, slots=True)
class LookAhead:
    """The result of a check: the columns that use the future, and how many values were compared."""

    leaks: tuple[Leak, ...]
    columns: int
    cuts: int
    compared: int


def sampled_cuts(dates: Dates, warm_up: int, seed: int, count: int = _DEFAULT_CUTS) -> Dates:
    """Return dates (k,) at which to cut, ascending: random ones after the warm-up, and the last but one."""
    usable = np.unique(dates)[warm_up:-1]
    if not len(usable):
        return usable
    chosen = np.random.default_rng(seed).choice(usable, min(count, len(usable)), replace=False)
    return np.union1d(chosen, usable[-1:])


def check_look_ahead(
    bars: Sequence[SymbolBars],
    config: Config,
    context: MarketContext | None,
    columns: Sequence[str] | None,
    cuts: Dates,
    forecast: Forecaster | None = None,
) -> LookAhead:
    """Compare features, and forecasts if there is a model, with those from bars that end at each cut, bit by bit.

    Parameters
    ----------
    bars
        Of all symbols of the universe.
    columns
        Features to compute; all by default.
    cuts
        Dates; at each, a symbol's newest bar then is compared.
    forecast
        Of a model that was fitted before.
    """
    universe = build_universe(bars, config.features)
    features = config.features.model_copy(update={"universe_lag": universe.lag})
    full = build_panel(bars, features, universe, context, config.direction.label, columns=columns)
    found: dict[str, list[tuple[str, str]]] = {}
    compared = width = 0
    for cut in cuts:
        kept = [one.first(int(np.searchsorted(one.dates, cut, side="right"))) for one in bars]
        past = [one for one in kept if len(one)]
        part = build_panel(
            past, features, build_universe(past, features), context, config.direction.label, columns=full.feature_names
        )
        for symbol in part.symbols:
            i, j = full.symbols.index(symbol), part.symbols.index(symbol)
            row = int(part.offsets[j + 1] - part.offsets[j]) - 1
            names, left = _values(full, i, row, forecast)
            _, right = _values(part, j, row, forecast)
            date = str(part.dates[part.rows(j)][row])[:19]
            for k in np.flatnonzero(~((left == right) | (np.isnan(left) & np.isnan(right)))):
                found.setdefault(names[k], []).append((symbol, date))
            compared, width = compared + len(left), len(left)
    leaks = [Leak(name, len(rows), *rows[0]) for name, rows in sorted(found.items())]
    return LookAhead(tuple(leaks), width, len(cuts), compared)


def bars_needed(
    bars: Sequence[SymbolBars],
    config: Config,
    context: MarketContext | None,
    columns: Sequence[str] | None,
    lengths: Sequence[int],
    forecast: Forecaster | None = None,
) -> dict[str, int | None]:
    """Return for each column the smallest of these lengths of history with which its newest value is what it is.

    A value counts as equal within a relative 1e-6; None where even the longest history changes it. The universe's
    features come from whole histories, as a server has them.
    """
    universe = build_universe(bars, config.features)
    label = config.direction.label
    full = build_panel(bars, config.features, universe, context, label, columns=columns)
    equal: dict[str, list[bool]] = {}
    for length in sorted(lengths):
        part = build_panel(
            [one.last(length) for one in bars], config.features, universe, context, label, columns=full.feature_names
        )
        same: dict[str, bool] = {}
        for i in range(len(bars)):
            names, left = _values(full, i, int(np.diff(full.offsets)[i]) - 1, forecast)
            _, right = _values(part, i, int(np.diff(part.offsets)[i]) - 1, forecast)
            right = np.append(right, np.full(len(left) - len(right), np.inf))  # too few bars for a forecast
            close = np.isclose(left, right, rtol=_ENOUGH, atol=_ENOUGH, equal_nan=True)
            same |= {name: same.get(name, True) and bool(one) for name, one in zip(names, close, strict=True)}
        for name, good in same.items():
            equal.setdefault(name, []).append(good)
    return {name: _from_which_on(good, sorted(lengths)) for name, good in equal.items()}


def _from_which_on(good: Sequence[bool], lengths: Sequence[int]) -> int | None:
    """Return the first length from which on all are good."""
    count = next((k for k, one in enumerate(reversed(good)) if not one), len(good))
    return lengths[len(lengths) - count] if count else None


def _values(
    panel: Panel, symbol: int, row: int, forecast: Forecaster | None
) -> tuple[list[str], npt.NDArray[np.float64]]:
    """Return the names and values of what is known at a symbol's row."""
    at = int(panel.offsets[symbol]) + row
    names, values = [*panel.feature_names, *_SERIES], [panel.features[at].astype(np.float64)]
    values.append(np.array([getattr(panel, name)[at] for name in _SERIES]))
    if forecast is not None:
        columns = np.asarray(forecast(panel, symbol, row), np.float64)
        names += [f"forecast[{k}]" for k in range(len(columns))]
        values.append(columns)
    return names, np.concatenate(values)
