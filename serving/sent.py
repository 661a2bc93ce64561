"""Forecasts from bars that clients send: featurised one by one, answered together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import DataError, FleetcastError
from configs.values import Kind
from features.bars.schema import SymbolBars, bars_from_frame
from features.panel import Panel
from serving.answers import Failure, Prediction, PredictionRequest
from serving.latest_windows import too_few
from serving.state import Forecast, State
from training.data.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger("fleetcast.serving")


@dataclass(frozen=True, slots=True)
class SentBars:
    """One request's bars, clean; ``notes`` tell what was left out of them."""

    symbol: str
    kinds: tuple[Kind, ...]
    bars: SymbolBars
    notes: tuple[str, ...]

    @property
    def bare(self) -> Prediction:
        """The answer without forecasts."""
        as_of: datetime = self.bars.dates[-1].astype("datetime64[us]").item()
        return Prediction(self.symbol, as_of, float(self.bars.close[-1]), notes=self.notes)


def read_sent(state: State, request: PredictionRequest, history_bars: int) -> SentBars | Failure:
    """Return a request's bars, checked and cut to what forecasts read, or what is wrong with them."""
    if not state.kinds_for_bars(request.symbol):
        return state.unknown(request.symbol)
    assert request.data is not None
    try:
        bars, notes = _clean(request.symbol, request.data)
    except FleetcastError as error:
        return Failure("bad_bars", str(error))
    return SentBars(request.symbol, request.prediction_types, bars.last(history_bars), notes)


def forecast_sent(state: State, sent: Sequence[SentBars]) -> list[Prediction]:
    """Return the answers, in order: one forward pass a kind for all of them."""
    wanted: dict[Kind, list[tuple[int, Windows]]] = {kind: [] for kind in state.fleets}
    found: list[dict[Kind, Forecast | Failure]] = []
    notes: list[list[str]] = [[] for _ in sent]
    for i, one in enumerate(sent):
        mine: dict[Kind, Forecast | Failure] = {}
        for kind, outcome in _windows(state, one):
            if isinstance(outcome, Failure):
                mine[kind] = outcome
            else:
                wanted[kind].append((i, outcome))
                notes[i] += state.tails[kind].notes(outcome.last)[0]
        found.append(mine)
    for kind, parts in wanted.items():
        if parts:
            fleet = state.fleets[kind]
            rows = np.array([fleet.row(sent[i].symbol) for i, _ in parts], np.int64)
            forecasts = fleet.forecast(Windows.concat([windows for _, windows in parts]), rows)
            for (i, _), forecast in zip(parts, forecasts, strict=True):
                found[i][kind] = forecast
    return [_assembled(state, one, mine, told) for one, mine, told in zip(sent, found, notes, strict=True)]


def _windows(state: State, one: SentBars) -> Iterator[tuple[Kind, Windows | Failure]]:
    """Yield the last window of the bars, for each kind asked for that has a model of the symbol."""
    known, panels = state.kinds_for_bars(one.symbol), dict[int, Panel | Failure]()
    for kind in one.kinds:
        if kind not in known:
            continue
        tails, predictor = state.tails[kind], state.fleets[kind].predictor
        if id(tails) not in panels:
            panels[id(tails)] = _panel(state, kind, one)
        panel = panels[id(tails)]
        if isinstance(panel, Failure):
            yield kind, panel
            continue
        first = predictor.first_row(panel)
        if len(one.bars) <= first:
            yield kind, Failure("too_few_bars", too_few(len(one.bars), first))
        else:
            yield kind, predictor.windows(panel, [np.array([len(one.bars) - 1], np.int64)])


def _panel(state: State, kind: Kind, one: SentBars) -> Panel | Failure:
    tails = state.tails[kind]
    try:
        return tails.recipe.panel([one.bars], tails.table, tails.context)
    except FleetcastError as error:
        return Failure("bad_bars", str(error))
    except Exception:  # one symbol's data must not fail the others of its batch
        _log.exception("features of %r cannot be computed", one.symbol)
        return Failure("internal", "its features cannot be computed; the server's log has the reason")


def _assembled(state: State, one: SentBars, mine: Mapping[Kind, Forecast | Failure], told: Sequence[str]) -> Prediction:
    bare = replace(one.bare, notes=tuple(dict.fromkeys((*one.notes, *told))))
    return state.assembled(bare, one.kinds, {kind: {one.symbol: found} for kind, found in mine.items()})


def _clean(symbol: str, data: pd.DataFrame | SymbolBars) -> tuple[SymbolBars, tuple[str, ...]]:
    """Return one symbol's bars, and a note on the rows that were left out.

    Raises
    ------
    DataError
        The frame cannot be read, or holds several symbols.
    """
    if isinstance(data, SymbolBars):
        return replace(data, symbol=symbol), ()
    found, quarantine = bars_from_frame(data, default_symbol=symbol, place=f"the data of {symbol!r}")
    if len(found) != 1:
        raise DataError(f"the data of {symbol!r} hold {len(found)} symbols; expected one. Send one request a symbol.")
    lost = sum(quarantine.lost().values())
    notes = (f"{lost} rows break a rule and were left out ({quarantine.summary()})",) if lost else ()
    return replace(found[0], symbol=symbol), notes
