"""The client over real HTTP: what it sends, what it returns, and when it retries."""

import numpy as np
import pandas as pd
import pytest
from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse

from configs.errors import DataError
from serving.answers import PredictionRequest
from serving.client import FleetcastClient, ServerError
from serving.frames import Predictions

SYMBOLS = ["AAA", "BBB", "CCC", "DDD", "EEE"]


def test_predictions_equal_the_engines(url, engine, bars_of):
    with FleetcastClient(url) as client:
        found = client.predict([*SYMBOLS, "nosuch"])
        ours = [engine.predict_single(PredictionRequest(symbol)).prediction for symbol in SYMBOLS]
        assert found[:5] == ours and found[5].error.code == "unknown_symbol"
        (from_bars,) = client.predict(bars={"AAA": bars_of("AAA", 480)}, types=["volatility"])
        assert from_bars.volatility.annualised == pytest.approx(ours[0].volatility.annualised, rel=1e-5)
        assert [one["symbol"] for one in client.symbols()] == SYMBOLS
        assert {one["kind"] for one in client.models()} == {"direction", "volatility"}
        assert client.stats()["health"]["status"] == "stale"
        with pytest.raises(ServerError, match="the server answers 422: body"):
            client.predict([])


def test_bars_are_given_in_any_form(url, bars_of):
    bars = bars_of("AAA", 480)
    columns = {name: getattr(bars, name) for name in ("open", "high", "low", "close", "volume")}
    frame = pd.DataFrame({"date": bars.dates, **columns})
    rows = frame.astype({"date": str}).to_numpy().tolist()
    with FleetcastClient(url) as client:
        expected = client.predict(bars={"AAA": bars})
        for form in ({"AAA": frame}, {"AAA": rows}, {"AAA": frame.set_index("date")}, frame.assign(symbol="AAA")):
            found = client.predict(bars=form)
            assert found[0].symbol == "AAA" and found[0].direction.label == expected[0].direction.label
            assert found[0].volatility.annualised == pytest.approx(expected[0].volatility.annualised, rel=1e-9)
        raw = frame.assign(splits=np.where(np.arange(480) == 470, 4.0, 0.0))
        raw.loc[:469, list(columns)] *= [4.0, 4.0, 4.0, 4.0, 0.25]
        (split,) = client.predict(bars={"AAA": raw})
        assert split.volatility.annualised == pytest.approx(expected[0].volatility.annualised, rel=1e-5)
        (named,) = client.predict("AAA", types="volatility", bars=frame)
        assert named.symbol == "AAA" and named.direction is None
        with pytest.raises(DataError, match="the bars of 'AAA' is a int; expected a data frame"):
            client.predict(bars={"AAA": 3})


def test_predictions_are_a_table_too(url):
    with FleetcastClient(url) as client:
        found = client.predict([*SYMBOLS, "nosuch"])
    table = found.to_frame()
    assert table.index.tolist() == [*SYMBOLS, "nosuch"]
    assert table.loc["AAA", "volatility"] == found[0].volatility.annualised
    assert table.loc["AAA", ["down", "sideways", "up"]].sum() == pytest.approx(1.0)
    assert "nosuch" in table.loc["nosuch", "error"] and pd.isna(table.loc["nosuch", "volatility"])
    assert found[0].to_frame()["volatility"].tolist() == [table.loc["AAA", "volatility"]]
    assert Predictions().to_frame().empty


def test_the_history_of_a_symbol(url, engine):
    with FleetcastClient(url) as client:
        assert client.history("AAA", bars=30) == engine.history("AAA", 30)
        with pytest.raises(ServerError, match="404") as caught:
            client.history("NO/SUCH")
    assert caught.value.code == "unknown_symbol"


def busy(statuses, headers):
    """Return an application that responds with these statuses, and then answers."""
    api = FastAPI()

    @api.post("/v1/predictions")
    async def predictions():
        if statuses:
            body = {"error": {"code": "overloaded", "message": "try again", "details": []}}
            return JSONResponse(body, statuses.pop(0), headers=headers)
        return {"predictions": [], "versions": {}, "processing_ms": 0.0}

    return api


def test_it_retries_after_the_seconds_of_retry_after(start_server):
    waits = []
    server = start_server(busy([429, 503, 503], {"Retry-After": "3"}))
    with FleetcastClient(server, sleep=waits.append) as client:
        assert client.predict(["AAA"]) == []
    assert waits == [3.0, 3.0, 3.0]


def test_it_waits_longer_before_each_retry_and_gives_up(start_server):
    waits = []
    server = start_server(busy([503] * 9, {}))
    with FleetcastClient(server, retries=3, sleep=waits.append) as client, pytest.raises(ServerError) as caught:
        client.predict(["AAA"])
    assert waits == [0.5, 1.0, 2.0]
    assert (caught.value.status, caught.value.code) == (503, "overloaded") and "try again" in str(caught.value)


def test_an_unreachable_server_is_a_one_line_error():
    waits = []
    with FleetcastClient("http://127.0.0.1:9", retries=1, sleep=waits.append) as client:
        with pytest.raises(
            ServerError, match=r"no server answers at http://127\.0\.0\.1:9 .*Start one: fleetcast serve"
        ):
            client.symbols()
    assert waits == [0.5]


@pytest.mark.parametrize("status", [200, 500])
@pytest.mark.parametrize("body", ["<html>", "[" * 50_000, '{"error":' * 50_000])
def test_an_answer_that_is_not_json_is_a_one_line_error(start_server, status, body):
    api = FastAPI()

    @api.get("/v1/models")
    def models() -> Response:
        return Response(body, status)

    with (
        FleetcastClient(start_server(api), retries=0) as client,
        pytest.raises(ServerError, match=r"the answer is not JSON|the server answers 500"),
    ):
        client.models()


def test_a_malformed_key_is_a_one_line_error():
    with pytest.raises(ServerError, match="has a character that no key has"):
        FleetcastClient(key="fc_…")


def test_a_key_comes_from_the_environment(start_server, monkeypatch):
    api, seen = FastAPI(), []

    @api.get("/v1/symbols")
    async def symbols(request: Request):
        seen.append(request.headers.get("authorization"))
        return []

    server = start_server(api)
    monkeypatch.setenv("FLEETCAST_API_KEY", "fc_x")
    for key in (None, "fc_y", ""):
        with FleetcastClient(server, key=key) as client:
            client.symbols()
    assert seen == ["Bearer fc_x", "Bearer fc_y", None]
