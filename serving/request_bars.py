"""Forecasts from bars in requests: featurised one by one, forecast together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import DataError, FleetcastError
from configs.values import Kind
from features.bars.mending import mend
from features.bars.schema import SymbolBars, bars_from_frame
from features.panel import Panel
from serving.answers import Failure, Prediction, PredictionRequest
from serving.latest_windows import LatestWindows, why_no_forecast
from serving.snapshot import Outcome, Snapshot, with_forecasts
from training.data.windows import Windows

if TYPE_CHECKING:
    import pandas as pd

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestBars:
    """The valid and mended bars of one request; ``notes`` say which rows were left out and what was mended."""

    symbol: str
    kinds: tuple[Kind, ...]
    bars: SymbolBars
    notes: tuple[str, ...]


def read_request_bars(snapshot: Snapshot, request: PredictionRequest, history_bars: int) -> RequestBars | Failure:
    """Return a request's last ``history_bars`` bars, validated and mended, or what is wrong with them."""
    if not snapshot.kinds_for_bars(request.symbol):
        return snapshot.unknown_symbol(request.symbol)
    assert request.data is not None
    try:
        bars, notes = _valid_bars(request.symbol, request.data)
    except FleetcastError as error:
        return Failure("bad_bars", str(error))
    mended = mend(bars, next(iter(snapshot.fleets.values())).predictor.config.data.on_steps)
    if mended.steps:
        notes += (mended.summary(),)
    return RequestBars(request.symbol, request.prediction_types, mended.bars.last(history_bars), notes)


def forecast_request_bars(snapshot: Snapshot, requests: Sequence[RequestBars]) -> list[Prediction]:
    """Return the answers in the order of the requests, with one forward pass per kind."""
    pending: dict[Kind, list[tuple[int, Windows]]] = {kind: [] for kind in snapshot.fleets}
    outcomes: list[dict[Kind, Outcome | None]] = [{} for _ in requests]
    notes = [list(request.notes) for request in requests]
    for i, request in enumerate(requests):
        for kind, window in _last_windows(snapshot, request):
            if isinstance(window, Failure):
                outcomes[i][kind] = window
            else:
                pending[kind].append((i, window))
                notes[i] += snapshot.windows[kind].notes(window.last)[0]
    for kind, parts in pending.items():
        if parts:
            fleet = snapshot.fleets[kind]
            rows = np.array([fleet.row(requests[i].symbol) for i, _ in parts], np.int64)
            forecasts = fleet.forecast(Windows.concat([window for _, window in parts]), rows)
            for (i, _), forecast in zip(parts, forecasts, strict=True):
                outcomes[i][kind] = forecast
    answers = []
    for request, found, warnings in zip(requests, outcomes, notes, strict=True):
        as_of: datetime = request.bars.dates[-1].astype("datetime64[us]").item()
        close = float(request.bars.close[-1])
        empty = Prediction(request.symbol, as_of, close, notes=tuple(dict.fromkeys(warnings)))
        answers.append(with_forecasts(empty, request.kinds, found))
    return answers


def _last_windows(snapshot: Snapshot, request: RequestBars) -> Iterator[tuple[Kind, Windows | Failure]]:
    """Yield the last window of the bars for each requested kind that can forecast the symbol."""
    available, panels = snapshot.kinds_for_bars(request.symbol), dict[int, Panel | Failure]()
    for kind in request.kinds:
        if kind not in available:
            continue
        latest, predictor = snapshot.windows[kind], snapshot.fleets[kind].predictor
        if id(latest) not in panels:
            panels[id(latest)] = _panel(latest, request)
        panel = panels[id(latest)]
        if isinstance(panel, Failure):
            yield kind, panel
            continue
        last = np.array([len(request.bars) - 1], np.int64)
        yield kind, why_no_forecast(predictor, panel, 0) or predictor.windows(panel, [last])


def _panel(latest: LatestWindows, request: RequestBars) -> Panel | Failure:
    try:
        return latest.recipe.panel([request.bars], latest.table, latest.context)
    except FleetcastError as error:
        return Failure("bad_bars", str(error))
    except Exception:  # one symbol's data must not fail the other requests of its batch
        _log.exception("features of %r cannot be computed", request.symbol)
        return Failure("internal", "its features cannot be computed; the server's log has the reason")


def _valid_bars(symbol: str, data: pd.DataFrame | SymbolBars) -> tuple[SymbolBars, tuple[str, ...]]:
    """Return one symbol's bars, and a note on the rows that were left out.

    Raises
    ------
    DataError
        The frame cannot be read, or has several symbols.
    """
    if isinstance(data, SymbolBars):
        return replace(data, symbol=symbol), ()
    found, quarantine = bars_from_frame(data, default_symbol=symbol, place=f"the data of {symbol!r}")
    if len(found) != 1:
        raise DataError(f"the data of {symbol!r} has {len(found)} symbols; expected one. Send one request per symbol.")
    lost = sum(quarantine.lost().values())
    notes = (f"{lost} rows break a rule and were left out ({quarantine.summary()})",) if lost else ()
    return replace(found[0], symbol=symbol), notes
