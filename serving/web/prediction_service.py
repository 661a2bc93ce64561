"""The interface between routes and engines, whether one engine answers or many shards do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from configs.values import Kind
from serving.answers import PredictionRequest, PredictionResponse
from serving.engine import PredictionEngine
from serving.journal.served import ServedPredictions
from serving.snapshot import RenderedAnswer, Snapshot, utc_now
from serving.web.batcher import Batcher
from serving.web.meter import Meter
from serving.web.model_facts import model_facts
from serving.web.rows import bars_of_rows

Versions = Mapping[Kind, str]
Rows = Sequence[Sequence[Any]]

_MAX_BATCH, _MAX_HISTORIES = 256, 16


@dataclass(frozen=True, slots=True)
class AnswerBatch:
    """One item of JSON per symbol, whether each has a forecast, and the versions that all forecasts come from."""

    versions: Versions
    items: list[bytes]
    has_forecast: list[bool]

    def with_forecast(self, symbols: Sequence[str]) -> Sequence[str]:
        """Return those of the batch's symbols that have a forecast."""
        if all(self.has_forecast):
            return symbols
        return [symbol for symbol, has_forecast in zip(symbols, self.has_forecast, strict=True) if has_forecast]


class PredictionService(Protocol):
    """Answers requests for any mix of symbols."""

    async def answer(
        self,
        symbols: Sequence[str],
        kinds: tuple[Kind, ...] | None,
        bars: Mapping[str, Rows] | None = None,
        versions: Versions | None = None,
    ) -> AnswerBatch:
        """Return the symbols' items, in order; those in ``bars`` follow these bars (date, o, h, l, c, volume).

        Without ``kinds`` they have all that are served. ``versions`` requests recently replaced versions, if they are
        still available.

        Raises
        ------
        OverloadedError
            The queue is full.
        """
        ...

    async def symbols(self) -> list[dict[str, Any]]:
        """Return every symbol with its kinds of model and newest bar, sorted."""
        ...

    async def models(self) -> list[dict[str, Any]]:
        """Return each kind's version and its metrics on the test period."""
        ...

    async def history(self, symbol: str, bars: int) -> dict[str, Any] | None:
        """Return a symbol's last prices, out-of-sample forecasts and outcomes; None if it is unknown."""
        ...

    async def stats(self) -> dict[str, Any]:
        """Return health and performance."""
        ...

    async def status(self) -> str:
        """Return ``ok``, ``stale``, ``degraded`` or ``unavailable``."""
        ...


class EngineService:
    """The service of one engine.

    Parameters
    ----------
    engine
        The source of answers.
    max_waiting
        Maximum number of predictions from bars in requests that may wait.
    meter
        Records answers.
    ready_s
        Seconds that loading and warming up took, for the statistics.
    journal
        Records the predictions that are served from the newest bars.
    """

    def __init__(
        self,
        engine: PredictionEngine,
        max_waiting: int,
        meter: Meter | None = None,
        ready_s: float | None = None,
        journal: ServedPredictions | None = None,
    ) -> None:
        self._engine, self._meter, self._ready_s, self._journal = engine, meter or Meter(), ready_s, journal
        self._forecasts: Batcher[_BarsRequest, list[PredictionResponse]] = Batcher(
            self._forecast_batch, _MAX_BATCH, max_waiting
        )
        self._histories: Batcher[tuple[str, int], dict[str, Any] | None] = Batcher(
            self._history_batch, 1, _MAX_HISTORIES
        )

    async def answer(
        self,
        symbols: Sequence[str],
        kinds: tuple[Kind, ...] | None,
        bars: Mapping[str, Rows] | None = None,
        versions: Versions | None = None,
    ) -> AnswerBatch:
        """Answer from the snapshot immediately, or forecast bars together with those of concurrent requests."""
        if not bars:
            snapshot, answers = self._engine.render(symbols, kinds, versions)
            self._meter.snapshot(len(answers), [answer.code for answer in answers if answer.code is not None])
            batch = _answer_batch(snapshot.versions, answers)
            if self._journal is not None:
                self._journal.offer(snapshot, batch.with_forecast(symbols), snapshot.wanted(kinds))
            return batch
        responses = await self._forecasts.submit(_BarsRequest(symbols, kinds, bars, versions), len(symbols))
        return _answer_batch(responses[0].versions, [RenderedAnswer.of(response.prediction) for response in responses])

    async def symbols(self) -> list[dict[str, Any]]:
        """Return every symbol that can be forecast."""
        snapshot, now = self._engine.snapshot, utc_now()
        facts = []
        for symbol in snapshot.symbols:
            last = snapshot.last_bars.get(symbol)
            facts.append(
                {
                    "symbol": symbol,
                    "kinds": snapshot.kinds_forecast(symbol),
                    "as_of": None if last is None else last.as_of.isoformat(),
                    "close": None if last is None else last.close,
                    "stale": last is not None and snapshot.freshness(last, now).stale,
                }
            )
        return facts

    async def models(self) -> list[dict[str, Any]]:
        """Return the facts of each kind's version."""
        return [model_facts(fleet) for fleet in self._engine.snapshot.fleets.values()]

    async def history(self, symbol: str, bars: int) -> dict[str, Any] | None:
        """Return a symbol's history, computed in a thread, one at a time."""
        return await self._histories.submit((symbol, bars))

    async def stats(self) -> dict[str, Any]:
        """Return health and performance of the engine."""
        performance = {"ready_s": self._ready_s, **self._engine.get_performance_stats()}
        found = {"health": self._engine.health_check(), "performance": performance}
        return found if self._journal is None else found | {"journal": self._journal.stats()}

    async def status(self) -> str:
        """Return the engine's status."""
        return str(self._engine.health_check()["status"])

    def _forecast_batch(self, requests: Sequence[_BarsRequest]) -> list[list[PredictionResponse]]:
        """Answer the requests of several clients as one batch per versions requested."""
        out: list[list[PredictionResponse]] = [[] for _ in requests]
        left = list(range(len(requests)))
        while left:
            versions = requests[left[0]].versions
            together = [i for i in left if requests[i].versions == versions]
            left = [i for i in left if i not in together]
            snapshot = self._engine.snapshot_of(versions)
            responses = self._engine.predict_from(snapshot, [one for i in together for one in requests[i].per_symbol()])
            self._meter.batch(responses, self._forecasts.waiting)
            kinds = [kind for i in together for kind in [requests[i].kinds] * len(requests[i].symbols)]
            self._record(snapshot, responses, kinds)
            start = 0
            for i in together:
                out[i] = responses[start : start + len(requests[i].symbols)]
                start += len(requests[i].symbols)
        return out

    def _record(
        self, snapshot: Snapshot, responses: Sequence[PredictionResponse], kinds: Sequence[tuple[Kind, ...] | None]
    ) -> None:
        """Record the answers from the newest bars among those of a batch, in which other symbols came with bars."""
        if self._journal is None:
            return
        for response, wanted in zip(responses, kinds, strict=True):
            prediction, last = response.prediction, snapshot.last_bars.get(response.prediction.symbol)
            is_newest = response.source == "snapshot" and last is not None and last.as_of == prediction.as_of
            if is_newest and prediction.forecasts:
                self._journal.offer(snapshot, [prediction.symbol], snapshot.wanted(wanted))

    def _history_batch(self, requests: Sequence[tuple[str, int]]) -> list[dict[str, Any] | None]:
        return [self._engine.history(symbol, bars) for symbol, bars in requests]


def _answer_batch(versions: Versions, answers: Sequence[RenderedAnswer]) -> AnswerBatch:
    return AnswerBatch(versions, [answer.item for answer in answers], [answer.has_forecast for answer in answers])


@dataclass(frozen=True, slots=True)
class _BarsRequest:
    symbols: Sequence[str]
    kinds: tuple[Kind, ...] | None
    bars: Mapping[str, Rows]
    versions: Versions | None

    def per_symbol(self) -> list[PredictionRequest]:
        """Return a request per symbol; rows become arrays here, in the batcher's thread."""
        return [
            PredictionRequest(
                symbol, bars_of_rows(symbol, self.bars[symbol]) if symbol in self.bars else None, self.kinds
            )
            for symbol in self.symbols
        ]
