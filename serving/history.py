"""What was forecast for a symbol, bar by bar, beside what came true: only where the model had not seen the outcome."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from features.bars.schema import SymbolBars
from features.labels import CLASSES, annualised, direction_labels, volatility_target
from features.panel import Panel
from serving.fleets import Fleet
from serving.latest_windows import LatestWindows
from serving.state import State


def history_of(state: State, symbol: str, bars: int) -> dict[str, Any] | None:
    """Return a symbol's last ``bars`` prices and past forecasts as JSON; None if no model holds it.

    ``dates`` and ``close`` are (n,). ``direction`` and ``volatility``, each None without such a model, hold the
    forecasts that were made after the fit's validation period, at ``dates``: probabilities with the ``outcome``, beside
    the symbol's class ``prior``, and annualised volatilities with what was ``realised``; ``outcome`` and ``realised``
    are None for bars whose horizon is not over.
    """
    kinds = state.kinds_of(symbol)
    if not kinds:
        return None
    one = _until(state.market.of(symbol), state.newest.get(symbol))
    out: dict[str, Any] = {"symbol": symbol, "dates": [], "close": [], "direction": None, "volatility": None}
    if one is None:
        return out
    out |= {"dates": _days(one.dates[-bars:]), "close": one.close[-bars:].tolist()}
    panels: dict[int, Panel] = {}
    for kind in kinds:
        tails, fleet = state.tails[kind], state.fleets[kind]
        if id(tails) not in panels:
            panels[id(tails)] = tails.recipe.panel([one], tails.table, tails.context)
        out[kind] = _past(fleet, tails, panels[id(tails)], bars)
    return out


def _until(bars: SymbolBars | None, newest: tuple[datetime, float] | None) -> SymbolBars | None:
    """Return the bars that the state has seen: newer ones come with the next state."""
    if bars is None or newest is None:
        return None
    count = int(np.searchsorted(bars.dates, np.datetime64(newest[0], "ns"), side="right"))
    return bars.first(count)


def _past(fleet: Fleet, tails: LatestWindows, panel: Panel, bars: int) -> dict[str, Any]:
    predictor: Any = fleet.predictor
    length = len(panel.dates)
    first = max(predictor.first_row(panel), length - bars)
    rows = np.arange(min(first, length), length)
    # The fit knew the outcomes of bars up to its last day of validation, and one that does not tell it knew them all.
    last = fleet.periods["valid"][1] if "valid" in fleet.periods else str(panel.dates[-1].astype("datetime64[D]"))
    rows = rows[panel.dates[rows].astype("datetime64[D]") > np.datetime64(last, "D")]
    out: dict[str, Any] = {"version": fleet.version, "dates": _days(panel.dates[rows])}
    if not len(rows):
        return out
    own = np.full(len(rows), fleet.row(panel.symbols[0]))
    columns = predictor.forecast_windows(predictor.windows(panel, [rows]), own)
    if fleet.kind == "direction":
        part = predictor.config.direction
        labels = direction_labels(panel.close, panel.ewma_vol, part.horizon, part.label)[rows]
        out |= {name: columns[name].tolist() for name in CLASSES}
        out["prior"] = dict(zip(CLASSES, predictor.prior(panel.symbols[0]).tolist(), strict=True))
        return out | {"outcome": [CLASSES[label] if label >= 0 else None for label in labels]}
    realised = annualised(volatility_target(panel.variance, predictor.config.volatility.horizon)[rows])
    out |= {name: columns[f"volatility{end}"].tolist() for name, end in (("low", "_low"), ("high", "_high"))}
    out["annualised"] = columns["volatility"].tolist()
    return out | {"realised": [value if np.isfinite(value) else None for value in realised.tolist()]}


def _days(dates: npt.NDArray[np.datetime64]) -> list[str]:
    whole = (dates == dates.astype("datetime64[D]")).all()
    return [str(day) for day in dates.astype("datetime64[D]" if whole else "datetime64[s]").astype(str)]
