"""Served predictions are recorded off the path of requests, once each, with how often; drops are counted."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial

import httpx2
import numpy as np
import pytest
from processor_time import assert_fast
from sqlalchemy import delete
from waiting import wait_until

from configs.operation import ServeConfig
from features.bars.closes import bar_date
from serving.answers import KINDS
from serving.fleets import ForecastColumns
from serving.journal import open_journal
from serving.journal.forecasts import fleet_rows, snapshot_rows
from serving.journal.reading import read_predictions
from serving.journal.schema import predictions
from serving.web.api import build_api
from serving.web.meter import Meter
from serving.web.prediction_service import EngineService
from training.registry.manager import ModelManager
from training.tasks import task_of


def read(journal, kind="direction"):
    with journal.connect() as connection:
        return read_predictions(connection, kind)


def test_rows_of_a_snapshot_equal_its_answers_and_have_the_baselines(engine):
    snapshot = engine.snapshot
    rows = {(row.kind, row.symbol): row for row in snapshot_rows(snapshot, "test")}
    assert set(rows) == {(kind, symbol) for kind in KINDS for symbol in snapshot.symbols}
    for (kind, symbol), row in rows.items():
        answer, last = snapshot.forecasts[kind][symbol], snapshot.last_bars[symbol]
        assert (row.version, row.basis, row.horizon_bars) == (answer.version, answer.basis, answer.horizon_bars)
        assert row.bar_date == bar_date(last.date) and row.close == last.close and row.level == answer.level
        assert row.bar_close - row.bar_date == timedelta(days=1)  # weekdays: no exchange is known
        assert list(row.baselines) == [name for name, _ in task_of(kind).layout.references]
        if kind == "direction":
            probabilities = answer.probabilities
            assert (row.p_down, row.p_sideways, row.p_up) == (
                probabilities.down,
                probabilities.sideways,
                probabilities.up,
            )
            members = [name for name in ("down", "sideways", "up") if getattr(row, f"in_set_{name}")]
            assert tuple(members) == answer.label_set and row.band == pytest.approx(answer.band.log_return, rel=1e-12)
            assert all(sum(three) == pytest.approx(1.0) for three in row.baselines.values())
        else:
            year = answer.bars_per_year
            assert np.sqrt(year * row.variance) == pytest.approx(answer.annualised, rel=1e-12)
            assert row.low < row.variance < row.high and row.bars_per_year == year and row.fallback == answer.fallback
            assert all(value > 0.0 for value in row.baselines.values())


def test_baselines_are_those_that_the_predictor_compares_with(engine):
    snapshot = engine.snapshot
    for kind, fleet in snapshot.fleets.items():
        symbols, windows, _ = snapshot.windows[kind].windows_of(fleet.predictor, {"BBB"})
        _, others = fleet.predictor.forecast_with_baselines(windows, np.array([fleet.row("BBB")]))
        row = next(row for row in snapshot_rows(snapshot, "test", kinds=[kind], symbols=symbols))
        for name, value in row.baselines.items():
            assert np.asarray(value) == pytest.approx(others[name][0], rel=1e-5)


def test_a_thousand_rows_are_made_in_half_a_second(engine):
    snapshot, rows = engine.snapshot, []
    for kind, fleet in snapshot.fleets.items():
        symbols, columns = snapshot.columns[kind]
        times = 500 // len(symbols)
        many = ForecastColumns(
            {name: np.tile(values, times) for name, values in columns.values.items()},
            {name: np.concatenate([values] * times) for name, values in columns.baselines.items()},
            list(columns.basis) * times,
        )
        last = [snapshot.last_bars[symbol] for symbol in symbols] * times
        make = partial(fleet_rows, fleet, list(symbols) * times, many, last, "test", snapshot.loaded)
        rows += assert_fast(make, 0.25)
    assert len(rows) == 1000
    assert rows[:5] == snapshot_rows(snapshot, "test")[:5]


@pytest.mark.slow
def test_a_thousand_requests_for_one_prediction_are_one_row(engine, recorder, url):
    service = EngineService(engine, 16, journal=recorder)
    with httpx2.Client(transport=Served(build_api(service, ServeConfig())), base_url="http://127.0.0.1") as client:
        for _ in range(1000):
            assert client.get("/v1/predictions/AAA", params={"types": "direction"}).status_code == 200
        wait_until(lambda: recorder.stats()["written"] == 1000)
        stats = client.get("/v1/stats").json()["journal"]
    assert stats == {"written": 1000, "waiting": 0, "dropped": 0, "problem": None}
    with open_journal(url) as journal:
        frame = read(journal)
        assert frame[["symbol", "times_served", "made_by"]].to_numpy().tolist() == [["AAA", 1000, "serve"]]
        assert len(read(journal, "volatility")) == 0


class Served(httpx2.BaseTransport):
    """Calls an ASGI application in this process, one request at a time."""

    def __init__(self, application):
        self._inner, self._loop = httpx2.ASGITransport(application), asyncio.new_event_loop()

    def handle_request(self, request):
        async def answer():
            response = await self._inner.handle_async_request(request)
            return httpx2.Response(response.status_code, headers=response.headers, content=await response.aread())

        return self._loop.run_until_complete(answer())

    def close(self):
        self._loop.close()


def test_symbols_without_bars_of_a_mixed_request_are_recorded_too(engine, recorder, url, universe, rows_of):
    service = EngineService(engine, 16, journal=recorder)
    bars = {"BBB": rows_of(universe["BBB"].first(470))}
    asyncio.run(service.answer(["AAA", "BBB", "ZZZ"], None, bars))
    wait_until(lambda: recorder.stats()["written"] == 2)
    with open_journal(url) as journal:
        assert read(journal)["symbol"].tolist() == read(journal, "volatility")["symbol"].tolist() == ["AAA"]


def test_a_request_for_all_kinds_is_recorded_where_one_is_not_served(engine, recorder, url):
    snapshot = engine.snapshot
    only = {name: {"volatility": getattr(snapshot, name)["volatility"]} for name in ("versions", "fleets", "forecasts")}
    recorder.offer(replace(snapshot, **only), ["AAA", "BBB"], KINDS)
    wait_until(lambda: recorder.stats()["written"] == 2)
    assert recorder.stats() == {"written": 2, "waiting": 0, "dropped": 0, "problem": None}
    with open_journal(url) as journal:
        assert read(journal, "volatility")["symbol"].tolist() == ["AAA", "BBB"] and len(read(journal)) == 0


@pytest.mark.parametrize("error", ["KeyError", "DataError"])
def test_what_an_error_loses_is_counted(engine, recorder, url, error):
    bars = engine.snapshot.last_bars
    damage = {
        "KeyError": {"versions": {}},
        "DataError": {"last_bars": {name: replace(bar, close=np.nan) for name, bar in bars.items()}},
    }
    recorder.offer(replace(engine.snapshot, **damage[error]), ["AAA", "BBB"], KINDS)
    wait_until(lambda: recorder.stats()["dropped"] == 4)
    wait_until(lambda: error in (recorder.stats()["problem"] or ""))
    recorder.offer(engine.snapshot, ["AAA"], ("direction",))
    wait_until(lambda: recorder.stats()["written"] == 1)
    assert recorder.stats() == {"written": 1, "waiting": 0, "dropped": 4, "problem": None}


def test_the_version_that_answered_is_recorded_when_another_is_promoted_meanwhile(
    start_engine, store, recorder, url, universe, rows_of
):
    engine, manager = start_engine(), ModelManager(store)
    first = engine.snapshot.versions["direction"]

    class Promotes(Meter):
        def batch(self, responses, waiting):
            manager.promote("direction", manager.resolve("direction", "latest"), "test")
            assert engine.refresh()

    service = EngineService(engine, 16, Promotes(), journal=recorder)
    bars = {"BBB": rows_of(universe["BBB"].first(470))}
    asyncio.run(service.answer(["AAA", "BBB"], ("direction",), bars))
    wait_until(lambda: recorder.stats()["written"] == 1)
    assert engine.snapshot.versions["direction"] != first
    with open_journal(url) as journal:
        assert read(journal)["version"].tolist() == [first]


def test_a_forecast_of_a_bar_that_was_being_formed_is_not_journaled(engine, recorder, url):
    snapshot = engine.snapshot
    closes = {row.symbol: row.bar_close for row in snapshot_rows(snapshot, "test", kinds=["direction"])}
    formed = replace(snapshot, loaded=closes["AAA"] - timedelta(minutes=10))
    complete = replace(snapshot, loaded=closes["AAA"])
    recorder.offer(formed, ["AAA"], ("direction",))
    wait_until(lambda: not recorder._tally.served)
    recorder.offer(complete, ["BBB"], ("direction",))
    wait_until(lambda: recorder.stats()["written"] == 1)
    assert recorder.stats() == {"written": 1, "waiting": 0, "dropped": 0, "problem": None}
    with open_journal(url) as journal:
        assert read(journal)["symbol"].tolist() == ["BBB"]


def test_a_new_bar_and_a_new_version_are_new_predictions(start_engine, store, bars_of, url, recorder):
    from features.store.lake import Lake

    engine = start_engine()
    recorder.offer(engine.snapshot, ["AAA"], ("direction",))
    Lake(store).append(bars_of("AAA", 481))
    assert engine.refresh()
    recorder.offer(engine.snapshot, ["AAA"], ("direction",))
    manager = ModelManager(store)
    manager.promote("direction", manager.resolve("direction", "latest"), "test")
    assert engine.refresh()
    recorder.offer(engine.snapshot, ["AAA"], ("direction",))
    recorder.offer(engine.snapshot, ["AAA"], ("direction",))
    wait_until(lambda: recorder.stats()["written"] == 4)
    with open_journal(url) as journal:
        frame = read(journal)
    assert frame["times_served"].tolist() == [1, 1, 2] and frame["version"].nunique() == 2
    assert frame["date"].nunique() == 2


def test_predictions_that_the_journal_lost_are_written_again(engine, recorder, url):
    recorder.offer(engine.snapshot, ["AAA", "BBB"], ("direction",))
    wait_until(lambda: recorder.stats()["written"] == 2)
    with open_journal(url) as journal:
        with journal.begin() as connection:  # such as a copy that was restored
            connection.execute(delete(predictions).where(predictions.c.symbol == "AAA"))
        for symbols, expected in ((["AAA", "BBB"], (3, 1)), (["AAA"], (4, 1))):
            recorder.offer(engine.snapshot, symbols, ("direction",))
            wait_until(lambda expected=expected: (recorder.stats()["written"], recorder.stats()["dropped"]) == expected)
        assert read(journal).set_index("symbol")["times_served"].to_dict() == {"AAA": 1, "BBB": 2}
