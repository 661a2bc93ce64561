"""Forecasts from bars in requests: featurised one by one, forecast together."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np

from configs.errors import DataError, FleetcastError, shortened
from configs.values import Kind
from features.any_bars import AnyBars, read_bars
from features.bars.mending import mend
from features.bars.schedule import BarSchedule
from features.bars.schedule_fit import schedule_of
from features.bars.schema import SymbolBars
from features.panel import Panel
from serving.answers import Failure, Prediction, PredictionRequest
from serving.known_sources import KnownSource, each_once
from serving.latest_windows import LatestWindows, why_no_forecast
from serving.snapshot import Outcome, Snapshot, utc_now
from serving.targets import LastBar, last_bars
from training.data.windows import Windows

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RequestBars:
    """The valid and mended bars of one request and when they come; ``notes`` say what was left out or mended."""

    symbol: str
    kinds: tuple[Kind, ...]
    bars: SymbolBars
    notes: tuple[str, ...]
    schedule: BarSchedule


def read_request_bars(snapshot: Snapshot, request: PredictionRequest, history_bars: int) -> RequestBars | Failure:
    """Return a request's last ``history_bars`` bars, validated and mended, or what is wrong with them."""
    if not snapshot.kinds_for_bars(request.symbol):
        return snapshot.unknown_symbol(request.symbol)
    assert request.data is not None
    try:
        bars, notes = _valid_bars(request.symbol, request.data)
    except FleetcastError as error:
        return Failure("bad_bars", str(error))
    schedule = schedule_of(bars.dates)
    data = next(iter(snapshot.fleets.values())).predictor.config.data
    mended = mend(bars, data.on_steps)
    if problem := mended.since(bars.last(history_bars).dates[0]).refusal(data.on_steps, data.max_unexplained_steps):
        return Failure("bad_bars", problem)
    if mended.steps:
        notes += (mended.summary(),)
    return RequestBars(request.symbol, snapshot.wanted(request.kinds), mended.bars.last(history_bars), notes, schedule)


def with_age(snapshot: Snapshot, request: RequestBars, prediction: Prediction) -> Prediction:
    """Return the prediction with a note if its bars are stale now; no bars of a request are refused for their age."""
    last = LastBar(request.bars.dates[-1], float(request.bars.close[-1]), np.nan, request.schedule)
    found = snapshot.freshness(last, utc_now())
    return replace(prediction, notes=(*prediction.notes, found.text), stale=True) if found.stale else prediction


def forecast_request_bars(snapshot: Snapshot, requests: Sequence[RequestBars]) -> list[Prediction]:
    """Return the answers in the order of the requests, with one forward pass per kind."""
    pending: dict[Kind, list[tuple[int, Windows, LastBar]]] = {kind: [] for kind in snapshot.fleets}
    outcomes: list[dict[Kind, Outcome | None]] = [{} for _ in requests]
    notes = [list(request.notes) for request in requests]
    sources: list[list[KnownSource]] = [[] for _ in requests]
    for i, request in enumerate(requests):
        for kind, outcome in _last_windows(snapshot, request):
            if isinstance(outcome, Failure):
                outcomes[i][kind] = outcome
            else:
                window, last = outcome
                pending[kind].append((i, window, last))
                (remarks,) = snapshot.windows[kind].remarks(window.last)
                notes[i] += (*remarks.notes, *snapshot.fleets[kind].notes(last))
                sources[i] += remarks.sources
    for kind, parts in pending.items():
        if parts:
            fleet = snapshot.fleets[kind]
            rows = np.array([fleet.row(requests[i].symbol) for i, _, _ in parts], np.int64)
            windows = Windows.concat([window for _, window, _ in parts])
            forecasts = fleet.forecast(windows, rows, [last for _, _, last in parts])
            for (i, _, _), forecast in zip(parts, forecasts, strict=True):
                outcomes[i][kind] = forecast
    answers = []
    for request, found, warnings, known in zip(requests, outcomes, notes, sources, strict=True):
        as_of: datetime = request.bars.dates[-1].astype("datetime64[us]").item()
        close = float(request.bars.close[-1])
        said = tuple(dict.fromkeys(warnings))
        empty = Prediction(request.symbol, as_of, close, notes=said, sources=each_once(known))
        answers.append(snapshot.with_forecasts(empty, request.kinds, found))
    return answers


def _last_windows(snapshot: Snapshot, request: RequestBars) -> Iterator[tuple[Kind, tuple[Windows, LastBar] | Failure]]:
    """Yield the last window and bar of the bars for each requested kind that can forecast the symbol."""
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
        if problem := why_no_forecast(predictor, panel, 0):
            yield kind, problem
        else:
            window = predictor.windows(panel, [np.array([len(request.bars) - 1], np.int64)])
            yield kind, (window, last_bars(panel, [request.schedule])[0])


def _panel(latest: LatestWindows, request: RequestBars) -> Panel | Failure:
    try:
        return latest.recipe.panel([request.bars], latest.table, latest.context)
    except FleetcastError as error:
        return Failure("bad_bars", str(error))
    except Exception:  # one symbol's data must not fail the other requests of its batch
        _log.exception("features of %r cannot be computed", request.symbol)
        return Failure("internal", "its features cannot be computed; the server's log has the reason")


def _valid_bars(symbol: str, data: AnyBars) -> tuple[SymbolBars, tuple[str, ...]]:
    """Return one symbol's bars, and a note on the rows that were left out.

    Raises
    ------
    DataError
        The bars cannot be read, or none are of this symbol.
    """
    if isinstance(data, SymbolBars):
        return replace(data, symbol=symbol), ()
    found, quarantine = read_bars(data, default_symbol=symbol, place=f"the data of {symbol!r}")
    own = [one for one in found if one.symbol.casefold() == symbol.casefold()]
    if len(own) != 1:
        names = shortened([one.symbol for one in found])
        raise DataError(
            f"the data of {symbol!r} are of {names}. Give the bars of {symbol!r}, or name no symbol in them."
        )
    lost = quarantine.lost().get(own[0].symbol, 0)
    notes = (f"{lost} rows break a rule and were left out ({quarantine.of(own[0].symbol).summary()})",) if lost else ()
    return replace(own[0], symbol=symbol), notes
