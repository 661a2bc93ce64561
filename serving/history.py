"""Past forecasts of a symbol and their outcomes, for bars that the fit had not seen."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from features.bars.schema import SymbolBars
from features.panel import Panel
from serving.answers import KINDS
from serving.fleets import Fleet
from serving.kinds import SERVED_KINDS
from serving.snapshot import Snapshot
from serving.targets import LastBar


def history_of(snapshot: Snapshot, symbol: str, bars: int) -> dict[str, Any] | None:
    """Return a symbol's last ``bars`` prices and past forecasts as JSON; None if no model can forecast it.

    ``dates`` and ``close`` are (n,). Each kind, None without a model, has the forecasts made after the fit's validation
    period, at its own ``dates``: for ``direction`` the probabilities, the ``outcome`` and the symbol's class ``prior``;
    for ``volatility`` the annualised forecasts and what was ``realised``. ``outcome`` and ``realised`` are None for
    bars whose horizon is not over.
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
    days = panel.dates.astype("datetime64[D]")
    # The fit knew the outcomes up to its last validation day; a version without periods may have known all of them.
    last_seen = np.datetime64(fleet.periods["valid"][1], "D") if "valid" in fleet.periods else days[-1]
    rows = rows[days[rows] > last_seen]
    out: dict[str, Any] = {"version": fleet.version, "dates": _days(panel.dates[rows])}
    if not len(rows):
        return out
    columns = predictor.forecast_windows(predictor.windows(panel, [rows]), np.full(len(rows), fleet.row(symbol)))
    return out | SERVED_KINDS[fleet.kind].history(predictor, panel, rows, columns)


def _days(dates: npt.NDArray[np.datetime64]) -> list[str]:
    daily = (dates == dates.astype("datetime64[D]")).all()
    return [str(day) for day in dates.astype("datetime64[D]" if daily else "datetime64[s]").astype(str)]
