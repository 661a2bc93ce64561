"""Shards answer as one server would: same numbers, same order, one version, and a lost one costs only its symbols."""

import asyncio
import json

import pytest

from serving.engine import PredictionEngine
from serving.web.gate import OverloadedError
from serving.web.prediction_service import EngineService
from serving.web.shards import ShardDesk, shard_of
from training import ModelManager

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]
KINDS = ("direction", "volatility")
SHARDS = 2


@pytest.fixture
def engines(store):
    made = [
        PredictionEngine(store, follow=False, keep=lambda symbol, i=i: shard_of(symbol, SHARDS) == i)
        for i in range(SHARDS)
    ]
    yield made
    for one in made:
        one.close()


@pytest.fixture
def desk(engines):
    return ShardDesk([EngineService(one, 512) for one in engines])


def answer(desk, symbols, **options):
    return asyncio.run(desk.answer(symbols, KINDS, **options))


def items(answered):
    return [json.loads(one) for one in answered.items]


def rows_of(bars):
    columns = (bars.dates.astype("datetime64[D]").astype(str), bars.open, bars.high, bars.low, bars.close, bars.volume)
    return [list(row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def test_every_shard_holds_some_and_together_they_hold_all(engines):
    held = [one.state.symbols for one in engines]
    assert all(held) and sorted(symbol for part in held for symbol in part) == SYMBOLS


def test_answers_are_those_of_one_server_in_the_order_asked_for(desk, engine, bars_of):
    whole = EngineService(engine, 512)
    asked = ["EEE", "nosuch", *SYMBOLS, "AAA"]
    ours, theirs = answer(desk, asked), answer(whole, asked)
    assert ours.known == theirs.known and ours.versions == theirs.versions
    for one, other in zip(items(ours), items(theirs), strict=True):
        assert one["symbol"] == other["symbol"]
        if other["error"] is None:
            assert one["volatility"]["annualised"] == pytest.approx(other["volatility"]["annualised"], rel=1e-5)
            assert one["direction"]["confidence"] == pytest.approx(other["direction"]["confidence"], rel=1e-5)
    sent = {symbol: rows_of(bars_of(symbol, 470)) for symbol in ("BBB", "DDD")}
    ours, theirs = items(answer(desk, SYMBOLS, bars=sent)), items(answer(whole, SYMBOLS, bars=sent))
    assert [one["as_of"] for one in ours] == [one["as_of"] for one in theirs]
    assert asyncio.run(desk.symbols()) == asyncio.run(whole.symbols())
    assert [one["symbols"] for one in asyncio.run(desk.models())] == [5, 5]
    assert asyncio.run(desk.history("CCC", 10))["dates"] == asyncio.run(whole.history("CCC", 10))["dates"]
    assert asyncio.run(desk.stats())["health"]["status"] == "ok"


def test_while_shards_change_over_no_response_mixes_versions(desk, engines, store):
    manager = ModelManager(store)
    old, new = manager.versions("direction")
    manager.promote("direction", new, "test")
    for done, served in ((0, old), (1, old), (2, new)):
        if done:
            assert engines[done - 1].refresh()
        found = items(answer(desk, SYMBOLS))
        assert {one["direction"]["version"] for one in found} == {served}
        assert all(one["error"] is None for one in found)


def test_shards_that_never_agree_are_told_as_busy(desk, engines, store, monkeypatch):
    monkeypatch.setattr("serving.web.shards._PAUSE_S", 0.001)
    manager = ModelManager(store)
    old, new = manager.versions("direction")
    manager.promote("direction", new, "test")
    engines[0].refresh()
    manager.promote("direction", old, "test")
    engines[0].refresh()
    manager.promote("volatility", manager.versions("volatility")[1], "test")
    for turn in range(4):  # so far ahead that what the other serves is no longer held
        engines[0].refresh()
        manager.promote("direction", (new, old)[turn % 2], "test")
    engines[0].refresh()
    with pytest.raises(OverloadedError, match="being replaced"):
        answer(desk, SYMBOLS)


class Lost:
    """A shard whose process is gone."""

    async def answer(self, *asked):
        raise ConnectionError("gone")

    symbols = models = stats = history = answer


def test_a_lost_shard_costs_only_its_symbols(engines):
    desk = ShardDesk([EngineService(engines[0], 512), Lost()])
    found = items(answer(desk, SYMBOLS))
    for one in found:
        if shard_of(one["symbol"], SHARDS) == 0:
            assert one["error"] is None
        else:
            assert one["error"]["code"] == "unavailable"
    assert asyncio.run(desk.stats())["health"]["status"] == "degraded"
    assert [one["symbol"] for one in asyncio.run(desk.symbols())] == engines[0].state.symbols
    assert all(one["error"]["code"] == "unavailable" for one in items(answer(ShardDesk([Lost(), Lost()]), SYMBOLS)))
