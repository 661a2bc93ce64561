"""The service: what routes ask, whether one engine answers or many shards do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from configs.values import Kind
from serving.answers import PredictionRequest, PredictionResponse
from serving.engine import PredictionEngine
from serving.state import Rendered
from serving.web.gate import Gate
from serving.web.meter import Meter
from serving.web.rows import bars_of_rows
from training.validation.verdict import verdict

Versions = Mapping[Kind, str]
Rows = Sequence[Sequence[Any]]

_BATCH, _HISTORIES = 256, 16


@dataclass(frozen=True, slots=True)
class Answered:
    """Items as JSON, one a symbol, ``known`` whether each has a forecast, and the versions that all come from."""

    versions: Versions
    items: list[bytes]
    known: list[bool]


class PredictionService(Protocol):
    """Answers questions about any mix of symbols."""

    async def answer(
        self,
        symbols: Sequence[str],
        kinds: tuple[Kind, ...],
        bars: Mapping[str, Rows] | None = None,
        versions: Versions | None = None,
    ) -> Answered:
        """Return the symbols' items, in order; those in ``bars`` follow the bars sent (date, o, h, l, c, volume).

        ``versions`` asks for those that were served a moment ago, if they still can be.

        Raises
        ------
        OverloadedError
            Too much is waiting.
        """
        ...

    async def symbols(self) -> list[dict[str, Any]]:
        """Return every symbol with its kinds of model and newest bar, sorted."""
        ...

    async def models(self) -> list[dict[str, Any]]:
        """Return each kind's version and its figures on the test period."""
        ...

    async def history(self, symbol: str, bars: int) -> dict[str, Any] | None:
        """Return a symbol's last prices, and what was forecast and came true out of sample; None if it is unknown."""
        ...

    async def stats(self) -> dict[str, Any]:
        """Return health and performance."""
        ...

    async def status(self) -> str:
        """Return ``ok``, ``degraded`` or ``unavailable``."""
        ...


class EngineService:
    """One engine answers.

    Parameters
    ----------
    engine
        Where answers come from.
    most
        Predictions from sent bars that may wait.
    meter
        Told of what is answered.
    ready_s
        Seconds that it took to load and warm up, for the statistics.
    """

    def __init__(
        self, engine: PredictionEngine, most: int, meter: Meter | None = None, ready_s: float | None = None
    ) -> None:
        self._engine, self._meter, self._ready_s = engine, meter or Meter(), ready_s
        self._gate: Gate[_Asked, list[PredictionResponse]] = Gate(self._work, largest=_BATCH, most=most)
        self._histories: Gate[tuple[str, int], dict[str, Any] | None] = Gate(self._look_back, 1, _HISTORIES)

    async def answer(
        self,
        symbols: Sequence[str],
        kinds: tuple[Kind, ...],
        bars: Mapping[str, Rows] | None = None,
        versions: Versions | None = None,
    ) -> Answered:
        """Answer from cached windows at once, or batch sent bars with those of concurrent requests."""
        if not bars:
            state, found = self._engine.render(symbols, kinds, versions)
            self._meter.snapshot(len(found), [one.code for one in found if one.code is not None])
            return Answered(state.versions, [one.item for one in found], [one.any for one in found])
        answers = await self._gate.submit(_Asked(symbols, kinds, bars, versions), len(symbols))
        rendered = [Rendered.of(one.prediction) for one in answers]
        return Answered(answers[0].versions, [one.item for one in rendered], [one.any for one in rendered])

    async def symbols(self) -> list[dict[str, Any]]:
        """Return every symbol that a model holds."""
        state = self._engine.state
        facts = []
        for symbol in state.symbols:
            as_of, close = state.newest.get(symbol, (None, None))
            moment = as_of.isoformat() if as_of else None
            facts.append({"symbol": symbol, "kinds": state.kinds_of(symbol), "as_of": moment, "close": close})
        return facts

    async def models(self) -> list[dict[str, Any]]:
        """Return each kind's version."""
        return [
            {
                "kind": kind,
                "version": fleet.version,
                "created": fleet.created.isoformat(),
                "symbols": len(fleet.position),
                "level": fleet.level,
                "periods": dict(fleet.periods),
                "verdict": asdict(verdict(kind, fleet.metrics)),
                "metrics": dict(fleet.metrics),
            }
            for kind, fleet in self._engine.state.fleets.items()
        ]

    async def history(self, symbol: str, bars: int) -> dict[str, Any] | None:
        """Return a symbol's history, computed in a thread, one at a time."""
        return await self._histories.submit((symbol, bars))

    async def stats(self) -> dict[str, Any]:
        """Return health and performance of the engine."""
        performance = {"ready_s": self._ready_s, **self._engine.get_performance_stats()}
        return {"health": self._engine.health_check(), "performance": performance}

    async def status(self) -> str:
        """Return the engine's."""
        return str(self._engine.health_check()["status"])

    def _work(self, batches: Sequence[_Asked]) -> list[list[PredictionResponse]]:
        """Answer the requests of several clients as one batch; those that ask for other versions are another one."""
        out: list[list[PredictionResponse]] = [[] for _ in batches]
        left = list(range(len(batches)))
        while left:
            versions = batches[left[0]].versions
            mine = [i for i in left if batches[i].versions == versions]
            left = [i for i in left if i not in mine]
            answers = self._engine.predict_batch([one for i in mine for one in batches[i].requests()], versions)
            self._meter.batch(answers, self._gate.waiting)
            start = 0
            for i in mine:
                out[i] = answers[start : start + len(batches[i].symbols)]
                start += len(batches[i].symbols)
        return out

    def _look_back(self, asked: Sequence[tuple[str, int]]) -> list[dict[str, Any] | None]:
        return [self._engine.history(symbol, bars) for symbol, bars in asked]


@dataclass(frozen=True, slots=True)
class _Asked:
    symbols: Sequence[str]
    kinds: tuple[Kind, ...]
    bars: Mapping[str, Rows]
    versions: Versions | None

    def requests(self) -> list[PredictionRequest]:
        """Return a request a symbol; rows become arrays here, in the gate's thread."""
        return [
            PredictionRequest(one, bars_of_rows(one, self.bars[one]) if one in self.bars else None, self.kinds)
            for one in self.symbols
        ]
