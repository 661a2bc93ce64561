"""Shards answer as one server: same numbers, same order, one version; a lost shard fails only its own symbols."""

import asyncio
import json

import pytest

from serving.answers import KINDS
from serving.engine import PredictionEngine
from serving.web.batcher import OverloadedError
from serving.web.prediction_service import EngineService
from serving.web.shards import ShardedService, shard_of
from training import ModelManager

pytestmark = pytest.mark.slow

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]
SHARDS = 2


@pytest.fixture
def engines(store):
    engines = [
        PredictionEngine(store, follow=False, keep=lambda symbol, i=i: shard_of(symbol, SHARDS) == i)
        for i in range(SHARDS)
    ]
    yield engines
    for engine in engines:
        engine.close()


@pytest.fixture
def service(engines):
    return ShardedService([EngineService(engine, 512) for engine in engines])


def answer(service, symbols, **options):
    return asyncio.run(service.answer(symbols, KINDS, **options))


def items(batch):
    return [json.loads(item) for item in batch.items]


def test_every_shard_has_symbols_and_together_they_have_all(engines):
    parts = [engine.snapshot.symbols for engine in engines]
    assert all(parts) and sorted(symbol for part in parts for symbol in part) == SYMBOLS


def test_answers_are_those_of_one_server_in_the_order_requested(service, engine, bars_of, rows_of):
    single = EngineService(engine, 512)
    wanted = ["EEE", "nosuch", *SYMBOLS, "AAA"]
    ours, theirs = answer(service, wanted), answer(single, wanted)
    assert ours.has_forecast == theirs.has_forecast and ours.versions == theirs.versions
    for item, other in zip(items(ours), items(theirs), strict=True):
        assert item["symbol"] == other["symbol"]
        if other["error"] is None:
            assert item["volatility"]["annualised"] == pytest.approx(other["volatility"]["annualised"], rel=1e-5)
            assert item["direction"]["confidence"] == pytest.approx(other["direction"]["confidence"], rel=1e-5)
    bars = {symbol: rows_of(bars_of(symbol, 470)) for symbol in ("BBB", "DDD")}
    ours, theirs = items(answer(service, SYMBOLS, bars=bars)), items(answer(single, SYMBOLS, bars=bars))
    assert [item["as_of"] for item in ours] == [item["as_of"] for item in theirs]
    assert asyncio.run(service.symbols()) == asyncio.run(single.symbols())
    assert [facts["symbols"] for facts in asyncio.run(service.models())] == [5, 5]
    assert asyncio.run(service.history("CCC", 10))["dates"] == asyncio.run(single.history("CCC", 10))["dates"]
    assert asyncio.run(service.stats())["health"]["status"] == "stale"


def test_while_shards_change_over_no_response_mixes_versions(service, engines, store):
    manager = ModelManager(store)
    old, new = manager.versions("direction")
    manager.promote("direction", new, "test")
    for done, served in ((0, old), (1, old), (2, new)):
        if done:
            assert engines[done - 1].refresh()
        found = items(answer(service, SYMBOLS))
        assert {item["direction"]["version"] for item in found} == {served}
        assert all(item["error"] is None for item in found)


def test_shards_that_never_agree_count_as_overloaded(service, engines, store, monkeypatch):
    monkeypatch.setattr("serving.web.shards._PAUSE_S", 0.001)
    manager = ModelManager(store)
    old, new = manager.versions("direction")
    manager.promote("direction", new, "test")
    engines[0].refresh()
    manager.promote("direction", old, "test")
    engines[0].refresh()
    manager.promote("volatility", manager.versions("volatility")[1], "test")
    for turn in range(4):  # so far ahead that it has dropped the snapshot of the other's versions
        engines[0].refresh()
        manager.promote("direction", (new, old)[turn % 2], "test")
    engines[0].refresh()
    with pytest.raises(OverloadedError, match="being replaced"):
        answer(service, SYMBOLS)


class Lost:
    """A shard whose process has died."""

    async def answer(self, *arguments):
        raise ConnectionError("lost")

    symbols = models = stats = history = answer


def test_a_lost_shard_fails_only_its_own_symbols(engines):
    service = ShardedService([EngineService(engines[0], 512), Lost()])
    found = items(answer(service, SYMBOLS))
    for item in found:
        if shard_of(item["symbol"], SHARDS) == 0:
            assert item["error"] is None
        else:
            assert item["error"]["code"] == "unavailable"
    assert asyncio.run(service.stats())["health"]["status"] == "degraded"
    assert [facts["symbol"] for facts in asyncio.run(service.symbols())] == engines[0].snapshot.symbols
    assert all(
        item["error"]["code"] == "unavailable" for item in items(answer(ShardedService([Lost(), Lost()]), SYMBOLS))
    )
