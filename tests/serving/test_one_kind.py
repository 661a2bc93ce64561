"""An engine whose store has a champion of one kind only, as the gate often leaves it."""

import asyncio

import pytest

from serving.answers import PredictionRequest
from serving.web.prediction_service import EngineService
from serving.web.shards import ShardedService
from training.registry.manager import ModelManager

pytestmark = pytest.mark.slow


@pytest.fixture(params=["direction", "volatility"])
def missing(request, store):
    """The kind without a champion; the other one has one."""
    store.delete(f"models/{request.param}/aliases.json")
    return request.param


@pytest.fixture
def other(missing):
    return "direction" if missing == "volatility" else "volatility"


@pytest.fixture
def engine(missing, start_engine):
    return start_engine()


def test_a_request_gets_the_kinds_that_are_served_unless_it_names_others(engine, missing, other, bars_of):
    for data in (None, bars_of("AAA", 470)):
        found = engine.predict_single(PredictionRequest("AAA", data))
        assert found.error is None and getattr(found, other) and getattr(found, missing) is None
    assert engine.get_performance_stats()["success_rate"] == 1
    for data in (None, bars_of("AAA", 470)):
        found = engine.predict_single(PredictionRequest("AAA", data, ["direction", "volatility"]))
        assert found.error.code == "no_model" and getattr(found, other)
        assert found.error.message == f"no {missing} model is served, only {other}"


def test_a_kind_that_is_promoted_later_is_served_in_the_usual_order(engine, missing, store):
    manager = ModelManager(store)
    manager.promote(missing, manager.latest(missing), "test")
    assert engine.refresh() and list(engine.snapshot.versions) == ["direction", "volatility"]
    found = engine.predict_single(PredictionRequest("AAA"))
    assert found.error is None and found.direction and found.volatility


def test_shards_answer_by_what_is_served(engine, missing, other):
    service = ShardedService([EngineService(engine, 16), EngineService(engine, 16)])
    batch = asyncio.run(service.answer(["AAA", "BBB"], None))
    assert batch.has_forecast == [True, True] and list(batch.versions) == [other]
    assert all(b'"error":null' in item for item in batch.items)
