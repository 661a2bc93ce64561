"""Shards: servers that each hold some of the symbols, asked together and answering as one."""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json

from configs.values import Kind
from serving.answers import Failure, Prediction
from serving.web.gate import OverloadedError
from serving.web.prediction_service import Answered, PredictionService, Rows, Versions

_log = logging.getLogger("fleetcast.serving")

_TRIES, _PAUSE_S, _PATIENCE_S = 50, 0.1, 5.0


def shard_of(symbol: str, shards: int) -> int:
    """Return which of so many shards holds a symbol: the same one in every process."""
    return zlib.crc32(symbol.encode()) % shards


class ShardDesk:
    """Asks the shards that hold the symbols, all at once, and puts their answers in order.

    A response never mixes versions: while shards go over to another one, those that have done so answer once more from
    the version before. A shard that cannot be reached costs its own symbols an error and the others nothing.
    """

    def __init__(self, shards: Sequence[PredictionService]) -> None:
        self._shards = shards

    async def answer(
        self,
        symbols: Sequence[str],
        kinds: tuple[Kind, ...],
        bars: Mapping[str, Rows] | None = None,
        versions: Versions | None = None,
    ) -> Answered:
        """Answer as :class:`.PredictionService` says."""
        places: dict[int, list[int]] = {}
        for i, symbol in enumerate(symbols):
            places.setdefault(shard_of(symbol, len(self._shards)), []).append(i)

        async def ask(shard: int, wanted: Versions | None) -> Answered | None:
            names = [symbols[i] for i in places[shard]]
            theirs = {name: bars[name] for name in names if name in bars} if bars else None
            try:
                return await self._shards[shard].answer(names, kinds, theirs, wanted)
            except OverloadedError:
                raise
            except Exception:  # whatever keeps a shard from answering, the others can
                _log.exception("shard %d does not answer", shard)
                return None

        order = list(places)
        for _ in range(_TRIES):
            found = dict(zip(order, await asyncio.gather(*(ask(shard, versions) for shard in order)), strict=True))
            for wanted in _distinct(found.values()):
                late = [shard for shard, one in found.items() if one is not None and one.versions != wanted]
                again = await asyncio.gather(*(ask(shard, wanted) for shard in late))
                tried = found | dict(zip(late, again, strict=True))
                if len(_distinct(tried.values())) <= 1:
                    return _in_order(symbols, places, tried)
            if not _distinct(found.values()):
                return _in_order(symbols, places, found)
            await asyncio.sleep(_PAUSE_S)
        raise OverloadedError("the models are being replaced")

    async def symbols(self) -> list[dict[str, Any]]:
        """Return the symbols of all shards."""
        found = [one for part in await self._all("symbols") for one in part]
        return sorted(found, key=lambda one: str(one["symbol"]))

    async def models(self) -> list[dict[str, Any]]:
        """Return each version with the symbols of all shards together."""
        merged: dict[tuple[str, str], dict[str, Any]] = {}
        for part in await self._all("models"):
            for one in part:
                held = merged.setdefault((one["kind"], one["version"]), {**one, "symbols": 0})
                held["symbols"] += one["symbols"]
        return list(merged.values())

    async def history(self, symbol: str, bars: int) -> dict[str, Any] | None:
        """Return what the symbol's shard knows."""
        return await self._shards[shard_of(symbol, len(self._shards))].history(symbol, bars)

    async def stats(self) -> dict[str, Any]:
        """Return health and performance by shard, and the worst status of all."""
        parts = await self._all("stats")
        return {"health": {"status": self._worst([part["health"]["status"] for part in parts])}, "shards": parts}

    async def status(self) -> str:
        """Return the worst of all shards, ``unavailable`` where none answers."""
        return self._worst(await self._all("status"))

    def _worst(self, told: Sequence[str]) -> str:
        if not told:
            return "unavailable"
        return "ok" if len(told) == len(self._shards) and set(told) == {"ok"} else "degraded"

    async def _all(self, question: str) -> list[Any]:
        """Return the answers of the shards that answer."""
        asked = (asyncio.wait_for(getattr(one, question)(), _PATIENCE_S) for one in self._shards)
        found = await asyncio.gather(*asked, return_exceptions=True)
        for shard, one in enumerate(found):
            if isinstance(one, BaseException):
                _log.error("shard %d does not answer: %r", shard, one)
        return [one for one in found if not isinstance(one, BaseException)]


class RemoteDesk:
    """A shard in another process, by its Ray Serve handle."""

    def __init__(self, handle: Any) -> None:
        self._handle = handle

    async def answer(
        self,
        symbols: Sequence[str],
        kinds: tuple[Kind, ...],
        bars: Mapping[str, Rows] | None = None,
        versions: Versions | None = None,
    ) -> Answered:
        """Answer as :class:`.PredictionService` says; a shard with too much to do is overloaded as a gate is."""
        from ray.serve.exceptions import BackPressureError

        try:
            found: Answered = await self._handle.answer.remote(symbols, kinds, bars, versions)
        except BackPressureError as error:
            raise OverloadedError("too many requests are waiting") from error
        return found

    async def symbols(self) -> list[dict[str, Any]]:
        """Return its symbols."""
        found: list[dict[str, Any]] = await self._handle.symbols.remote()
        return found

    async def models(self) -> list[dict[str, Any]]:
        """Return its versions."""
        found: list[dict[str, Any]] = await self._handle.models.remote()
        return found

    async def history(self, symbol: str, bars: int) -> dict[str, Any] | None:
        """Return a symbol's history."""
        found: dict[str, Any] | None = await self._handle.history.remote(symbol, bars)
        return found

    async def stats(self) -> dict[str, Any]:
        """Return its health and performance."""
        found: dict[str, Any] = await self._handle.stats.remote()
        return found

    async def status(self) -> str:
        """Return its status."""
        return str(await self._handle.status.remote())


def _distinct(found: Any) -> list[Versions]:
    out: list[Versions] = []
    for one in found:
        if one is not None and one.versions not in out:
            out.append(one.versions)
    return out


def _in_order(
    symbols: Sequence[str], places: Mapping[int, list[int]], found: Mapping[int, Answered | None]
) -> Answered:
    items, known, versions = [b""] * len(symbols), [False] * len(symbols), dict[Kind, str]()
    for shard, answered in found.items():
        if answered is not None:
            versions |= answered.versions
        for n, i in enumerate(places[shard]):
            if answered is None:
                gone = Failure("unavailable", "the part of the server that holds it does not answer; ask again")
                items[i] = to_json(Prediction(symbols[i], error=gone))
            else:
                items[i], known[i] = answered.items[n], answered.known[n]
    return Answered(versions, items, known)
