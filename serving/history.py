"""Past forecasts of a symbol and their outcomes, only such as were made without knowing the outcome.

Those of the test period are the ones that the test has scored: the served model was fitted again after it. Later ones
are the served model's.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.bars.schema import SymbolBars
from features.panel import Panel
from serving.answers import KINDS
from serving.fleets import Fleet
from serving.kinds import SERVED_KINDS, Columns, Int64
from serving.snapshot import Snapshot
from serving.targets import LastBar


def history_of(snapshot: Snapshot, symbol: str, bars: int) -> dict[str, Any] | None:
    """Return a symbol's last ``bars`` prices and past forecasts as JSON; None if no model can forecast it.

    ``dates`` and ``close`` are (n,). Each kind, None without a model, has the forecasts of the test, and those of bars
    that the served model has not seen, at its own ``dates``: for ``direction`` the probabilities, the ``outcome`` and
    the symbol's class ``prior``; for ``volatility`` the annualised forecasts and what was ``realised``. ``outcome`` and
    ``realised`` are None for bars whose horizon is not over.
    """
    kinds = snapshot.kinds_of(symbol)
    if not kinds:
        return None
    out: dict[str, Any] = {"symbol": symbol, "dates": [], "close": [], **dict.fromkeys(KINDS)}
    seen = _until(snapshot.bars.bars_of(symbol), snapshot.last_bars.get(symbol))
    if seen is None:
        return out
    out |= {"dates": _days(seen.dates[-bars:]), "close": seen.close[-bars:].tolist()}
    panels: dict[int, Panel] = {}
    for kind in kinds:
        latest = snapshot.windows[kind]
        if id(latest) not in panels:
            panels[id(latest)] = latest.recipe.panel([seen], latest.table, latest.context)
        out[kind] = _past_forecasts(snapshot.fleets[kind], panels[id(latest)], bars)
    return out


def _until(bars: SymbolBars | None, last_bar: LastBar | None) -> SymbolBars | None:
    """Return the bars up to the snapshot's last bar; the next snapshot has the newer ones."""
    if bars is None or last_bar is None:
        return None
    return bars.first(int(np.searchsorted(bars.dates, last_bar.date, side="right")))


def _past_forecasts(fleet: Fleet, panel: Panel, bars: int) -> dict[str, Any]:
    predictor, symbol, length = fleet.predictor, panel.symbols[0], len(panel.dates)
    first = max(predictor.first_row(panel), length - bars)
    rows = np.arange(min(first, length), length, dtype=np.int64)
    seen_to = predictor.calibrated_to
    new = rows[panel.dates[rows] >= np.datetime64(seen_to, "ns")] if seen_to else rows[:0]
    tested, columns = _tested(fleet, panel, rows)
    out: dict[str, Any] = {"version": fleet.version}
    if len(new := np.setdiff1d(new, tested)):
        found = predictor.forecast_windows(predictor.windows(panel, [new]), np.full(len(new), fleet.row(symbol)))
        if len(tested):
            nothing = np.full(len(new), np.nan)
            found = {name: np.concatenate([columns[name], found.get(name, nothing)]) for name in columns}
        columns = found
    chosen = np.concatenate([tested, new])
    order = np.argsort(chosen)
    out["dates"] = _days(panel.dates[chosen[order]])
    if not len(chosen):
        return out
    ordered = {name: values[order] for name, values in columns.items()}
    return out | SERVED_KINDS[fleet.kind].history(predictor, panel, chosen[order], ordered)


def _tested(fleet: Fleet, panel: Panel, rows: Int64) -> tuple[Int64, Columns]:
    """Return which of these rows of a single symbol the test has forecast, and the columns of those forecasts."""
    table = fleet.tested_rows(panel.symbols[0])
    if table is None:
        return rows[:0], {}
    dates = table["date"].to_numpy().astype("datetime64[ns]")
    _, at, place = np.intersect1d(panel.dates[rows].astype("datetime64[ns]"), dates, return_indices=True)
    columns = SERVED_KINDS[fleet.kind].tested_columns(fleet.predictor, panel, table)
    return rows[at], {name: values[place] for name, values in columns.items()}


def _days(dates: npt.NDArray[np.datetime64]) -> list[str]:
    daily = (dates == dates.astype("datetime64[D]")).all()
    return [str(day) for day in dates.astype("datetime64[D]" if daily else "datetime64[s]").astype(str)]
