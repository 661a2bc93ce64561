"""Shards: replicas that each serve some of the symbols, queried concurrently and answering as one service."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from configs.values import Kind
from serving.answers import Failure, Prediction
from serving.web.batcher import OverloadedError
from serving.web.prediction_service import AnswerBatch, PredictionService, Rows, Versions

_log = logging.getLogger(__name__)

_TRIES, _PAUSE_S, _TIMEOUT_S = 50, 0.1, 5.0


def shard_of(symbol: str, shards: int) -> int:
    """Return the shard of a symbol, the same one in every process."""
    return zlib.crc32(symbol.encode()) % shards


class ShardedService:
    """Queries the shards of the symbols concurrently, and puts their answers in order.

    A response never mixes versions: while shards change over to another version, those that have done so answer again
    from the previous one. The symbols of a shard that cannot be reached get an error; the others are unaffected.
    """

    def __init__(self, shards: Sequence[PredictionService]) -> None:
        self._shards = shards

    async def answer(
        self,
        symbols: Sequence[str],
        kinds: tuple[Kind, ...] | None,
        bars: Mapping[str, Rows] | None = None,
        versions: Versions | None = None,
    ) -> AnswerBatch:
        """Answer as :class:`.PredictionService` says."""
        positions: dict[int, list[int]] = {}
        for i, symbol in enumerate(symbols):
            positions.setdefault(shard_of(symbol, len(self._shards)), []).append(i)

        async def ask(shard: int, wanted: Versions | None) -> AnswerBatch | None:
            names = [symbols[i] for i in positions[shard]]
            their_bars = {name: bars[name] for name in names if name in bars} if bars else None
            try:
                return await self._shards[shard].answer(names, kinds, their_bars, wanted)
            except OverloadedError:
                raise
            except Exception:  # a lost shard may raise anything; the others can still answer
                _log.exception("shard %d does not answer", shard)
                return None

        order = list(positions)
        for _ in range(_TRIES):
            found = dict(zip(order, await asyncio.gather(*(ask(shard, versions) for shard in order)), strict=True))
            if not _distinct(found.values()):
                return _in_order(symbols, positions, found)
            for wanted in _distinct(found.values()):
                other = [shard for shard, batch in found.items() if batch is not None and batch.versions != wanted]
                again = await asyncio.gather(*(ask(shard, wanted) for shard in other))
                consistent = found | dict(zip(other, again, strict=True))
                if len(_distinct(consistent.values())) <= 1:
                    return _in_order(symbols, positions, consistent)
            await asyncio.sleep(_PAUSE_S)
        raise OverloadedError("the models are being replaced")

    async def symbols(self) -> list[dict[str, Any]]:
        """Return the symbols of all shards."""
        found = [facts for part in await self._ask_all("symbols") for facts in part]
        return sorted(found, key=lambda facts: str(facts["symbol"]))

    async def models(self) -> list[dict[str, Any]]:
        """Return each version with the number of symbols of all shards."""
        merged: dict[tuple[str, str], dict[str, Any]] = {}
        for part in await self._ask_all("models"):
            for facts in part:
                total = merged.setdefault((facts["kind"], facts["version"]), {**facts, "symbols": 0})
                total["symbols"] += facts["symbols"]
        return list(merged.values())

    async def history(self, symbol: str, bars: int) -> dict[str, Any] | None:
        """Return the history from the symbol's shard."""
        return await self._shards[shard_of(symbol, len(self._shards))].history(symbol, bars)

    async def stats(self) -> dict[str, Any]:
        """Return health and performance by shard, and the worst status."""
        parts = await self._ask_all("stats")
        return {"health": {"status": self._worst([part["health"]["status"] for part in parts])}, "shards": parts}

    async def status(self) -> str:
        """Return the worst status of all shards, ``unavailable`` if none answers."""
        return self._worst(await self._ask_all("status"))

    def _worst(self, statuses: Sequence[str]) -> str:
        if not statuses:
            return "unavailable"
        if len(statuses) < len(self._shards):
            return "degraded"
        return next((status for status in ("unavailable", "degraded", "stale") if status in statuses), "ok")

    async def _ask_all(self, method: str) -> list[Any]:
        """Return the results of the shards that answer."""
        calls = (asyncio.wait_for(getattr(shard, method)(), _TIMEOUT_S) for shard in self._shards)
        found = await asyncio.gather(*calls, return_exceptions=True)
        for shard, result in enumerate(found):
            if isinstance(result, BaseException):
                _log.error("shard %d does not answer: %r", shard, result)
        return [result for result in found if not isinstance(result, BaseException)]


class RemoteService:
    """A shard in another process, by its Ray Serve handle; one whose queue is full raises ``OverloadedError``."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def answer(
        self,
        symbols: Sequence[str],
        kinds: tuple[Kind, ...] | None,
        bars: Mapping[str, Rows] | None = None,
        versions: Versions | None = None,
    ) -> AnswerBatch:
        """Answer as :class:`.PredictionService` says."""
        batch: AnswerBatch = await self._ask("answer", symbols, kinds, bars, versions)
        return batch

    async def symbols(self) -> Any:
        """Return its symbols."""
        return await self._ask("symbols")

    async def models(self) -> Any:
        """Return its versions."""
        return await self._ask("models")

    async def history(self, symbol: str, bars: int) -> Any:
        """Return a symbol's history."""
        return await self._ask("history", symbol, bars)

    async def stats(self) -> Any:
        """Return its health and performance."""
        return await self._ask("stats")

    async def status(self) -> Any:
        """Return its status."""
        return await self._ask("status")

    async def _ask(self, method: str, *arguments: Any) -> Any:
        from ray.serve.exceptions import BackPressureError

        try:
            return await self._handle.ask.remote(method, *arguments)
        except BackPressureError as error:
            raise OverloadedError("too many requests are waiting") from error


def _distinct(batches: Iterable[AnswerBatch | None]) -> list[Versions]:
    out: list[Versions] = []
    for batch in batches:
        if batch is not None and batch.versions not in out:
            out.append(batch.versions)
    return out


def _in_order(
    symbols: Sequence[str], positions: Mapping[int, list[int]], found: Mapping[int, AnswerBatch | None]
) -> AnswerBatch:
    items, has_forecast, versions = [b""] * len(symbols), [False] * len(symbols), dict[Kind, str]()
    for shard, batch in found.items():
        if batch is not None:
            versions |= batch.versions
        for n, i in enumerate(positions[shard]):
            if batch is None:
                lost = Failure("unavailable", "the shard of this symbol does not answer; try again")
                items[i] = to_json(Prediction(symbols[i], error=lost))
            else:
                items[i], has_forecast[i] = batch.items[n], batch.has_forecast[n]
    return AnswerBatch(versions, items, has_forecast)
